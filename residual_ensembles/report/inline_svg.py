"""A figure's SVG as a part of a page: in the page's colours, with names that do not clash."""

import re
from html import escape

from residual_ensembles.figures import style

PAGE_COLORS = {
    style.INK: "currentColor",
    style.PAPER: "var(--card)",
    style.GRID: "var(--line)",
}
"""What the page puts in the place of ink, paper and grid, so that it can be dark."""
_DROPPED = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)


def inline_svg(svg: str, prefix: str, title: str) -> str:
    """Returns the <svg> element of a figure, ready to stand in an HTML page.

    Args:
        svg: The text of an SVG file written by `figures.save`.
        prefix: Put before every id, since a page holds many figures.
        title: What a screen reader calls it.
    """
    svg = _DROPPED.sub("", svg[svg.index("<svg") :]).strip()
    for color, replacement in PAGE_COLORS.items():
        svg = svg.replace(color, replacement)
    svg = _with_own_ids(svg, prefix)
    opening, rest = svg.split(">", 1)
    opening = re.sub(r'\s(width|height|version|xmlns(:xlink)?)="[^"]*"', "", opening)
    name = f"{prefix}-title"
    labelled = f'{opening} role="img" aria-labelledby="{name}">'
    return f'{labelled}<title id="{name}">{escape(title)}</title>{rest}'


def _with_own_ids(svg: str, prefix: str) -> str:
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))

    def own(match: re.Match) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r'\sid="([^"]*)"', own, svg)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", svg)
