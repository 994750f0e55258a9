"""explorer.html: a study's networks, to be lesioned in a browser, in one file."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from residual_ensembles.report.assets import asset, content_security_policy, templates
from residual_ensembles.report.explorer.exported_network import ExportedNetwork
from residual_ensembles.report.explorer.selection import Choice, Images

WORKER = ("forward.js", "worker.js")
SCRIPTS = ("lesion.js", "paths.js", "histogram.js", "row.js", "gallery.js", "main.js")
MAX_BYTES = 12_000_000
"""Largest size of the page."""
_BESIDE_WEIGHTS = 1_000_000  # images, programs, names: in practice a tenth of it


class OfferedNetwork(NamedTuple):
    """A network that the page offers."""

    choice: Choice
    exported: ExportedNetwork

    @property
    def facts(self) -> dict:
        """All that the page reads of the network except the weights."""
        percent = f"{100 * self.choice.error_fraction:.2f}"
        return {
            "name": self.choice.name,
            "title": self.choice.title,
            "intact": f"{percent} % of all {self.choice.n_images} test images",
            "parts": self.exported.parts,
        }


def fits(offered: Sequence[OfferedNetwork], exported: ExportedNetwork) -> bool:
    """Whether there is room for one more network.

    Example:
        >>> from residual_ensembles.report import explorer
        >>> fits([], explorer.export(chain))
        True
    """
    n_bytes = exported.n_bytes + sum(each.exported.n_bytes for each in offered)
    return n_bytes + _BESIDE_WEIGHTS <= MAX_BYTES


def render(
    title: str,
    class_names: Sequence[str],
    images: Images,
    networks: Sequence[OfferedNetwork],
    left_out: Sequence[str] = (),
) -> str:
    """Returns the page.

    Args:
        title: Title of the data set.
        class_names: In the order of the labels.
        images: What is shown.
        networks: Networks that can be lesioned; there may be none.
        left_out: Why other networks are not there, one sentence each.

    Example:
        >>> from residual_ensembles import data
        >>> from residual_ensembles.report import explorer
        >>> prepared = data.prepare("digits", folder)
        >>> images = explorer.draw(prepared.split("test"), prepared.image_shape)
        >>> "Digits" in render(prepared.title, prepared.class_names, images, [])
        True
    """
    script = _scripts(SCRIPTS)
    study = {
        "class_names": list(class_names),
        "images": images.facts,
        "networks": [network.facts for network in networks],
    }
    environment = templates("residual_ensembles.report.explorer")
    return environment.get_template("explorer.html").render(
        title=title,
        style=Markup(asset("report/look.css") + asset("report/explorer/explorer.css")),  # noqa: S704 (own)
        policy=content_security_policy(script, workers=True),
        script=Markup(script),  # noqa: S704 (own)
        worker=Markup(_scripts(WORKER)),  # noqa: S704 (own)
        study=htmlsafe_json_dumps(study, separators=(",", ":")),
        images=images,
        networks=networks,
        examples=_examples(networks),
        left_out=left_out,
    )


def _examples(networks: Sequence[OfferedNetwork]) -> list[tuple[str, str]]:
    """Returns text and address of links to begin with: a module in the middle of each network."""
    result = []
    for network in networks:
        modules = network.exported.parts["modules"]
        plain = [i for i, m in enumerate(modules, 1) if m["deletable"] and m["keeps_shape"]]
        if plain:
            module = plain[len(plain) // 2]
            address = urlencode({"network": network.choice.name, "lesion": f"delete {module}"})
            result.append((f"{network.choice.title} without module {module}", address))
    return result


def _scripts(names: Sequence[str]) -> str:
    return "\n".join(asset(f"report/explorer/{name}") for name in names)
