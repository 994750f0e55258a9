"""Stage `prepare`: writes a source of images in the format that every other stage reads.

python -m pipelines.prepare
"""

from pipelines import study as studies
from residual_ensembles import cli, data


def main() -> None:
    study = studies.load()
    own = study.data.model_dump()
    prepared = data.prepare(own.pop("source"), study.prepared, **own)
    height, width, _ = prepared.image_shape
    counts = ", ".join(f"{n} {split}" for split, n in prepared.description["counts"].items())
    print(f"{prepared.title}: {counts} images of {height}×{width} in {prepared.folder}")


if __name__ == "__main__":
    cli.run(main)
