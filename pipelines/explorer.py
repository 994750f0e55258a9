"""Stage `explorer`: writes the interactive page of lesions in the reader's browser.

python -m pipelines.explorer
"""

from pipelines import study as studies
from residual_ensembles import cli, data, models
from residual_ensembles.report import explorer
from residual_ensembles.storage.checkpoints import finished_network
from residual_ensembles.storage.files import write_text


def offers(choices):
    """Returns the networks that fit into the page, and a sentence about each other one."""
    offered, left_out = [], []
    for choice in choices:
        try:
            exported = explorer.export(models.load(choice.path))
        except ValueError as error:
            left_out.append(f"{choice.title} is not in this page. {error}")
            continue
        if explorer.fits(offered, exported):
            offered.append(explorer.OfferedNetwork(choice, exported))
        else:
            size = f"{exported.n_bytes / 1e6:.0f} MB"
            left_out.append(f"{choice.title} is not in this page: it would take {size}.")
    if not choices:
        left_out.append("This study has no ResNet and no VGG, the networks that this page runs.")
    return offered, left_out


def main() -> None:
    study = studies.load()
    page = study.results / "explorer.html"
    cli.require_writable_folder(page.parent)
    prepared = data.load(study.prepared)
    choices = explorer.choose(study.results / "networks", study.networks, study.seeds)
    for choice in choices:
        finished_network(study.results, choice.name, choice.seed)
    offered, left_out = offers(choices)
    images = explorer.draw(prepared.split("test"), prepared.image_shape)
    text = explorer.render(prepared.title, prepared.class_names, images, offered, left_out)
    write_text(page, text)
    for sentence in left_out:
        print(sentence)
    titles = ", ".join(network.choice.title for network in offered) or "no network"
    print(f"{titles}; {len(images.labels)} images, {len(text) / 1e6:.1f} MB: {page}")


if __name__ == "__main__":
    cli.run(main)
