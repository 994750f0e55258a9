"""The unraveled view of a residual network (Section 3), drawn for any n and any deletion."""

from collections.abc import Collection
from itertools import product

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from residual_ensembles.figures import style

STEP = 3.0
"""Distance from one sum to the next."""
BOX = 0.62
LARGEST = 6
"""Modules beyond which 2^n paths cannot be distinguished on paper."""
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def valid_paths(n: int, deleted: Collection[int]) -> list[tuple[int, ...]]:
    """Returns the paths that are left, 2^(n-d) of 2^n; 1 where a path enters a module, else 0."""
    return [path for path in product((0, 1), repeat=n) if _is_alive(path, 1, deleted)]


def subscript(letter: str, number: int) -> str:
    """Returns a letter with its index below, as in f₂."""
    return letter + str(number).translate(_SUBSCRIPTS)


def _row(suffix: tuple[int, ...], n: int) -> float:
    """Returns the height of a sum: the mean over the paths that meet in it."""
    start = n - len(suffix)
    top = sum(bit << (start + i) for i, bit in enumerate(suffix))
    return top + (2**start - 1) / 2


def _is_alive(suffix: tuple[int, ...], first: int, deleted: Collection[int]) -> bool:
    """Whether a path that goes on like this, from module `first` on, can be valid."""
    return not any(bit and module in deleted for module, bit in enumerate(suffix, start=first))


def draw_box(axes: Axes, x: float, y: float, module: int, state: str, size: float) -> None:
    """Draws a residual module that is alive, deleted, or on a path that is dead elsewhere."""
    color = {"alive": style.PLAIN.color, "deleted": style.DELETED, "dead": style.DEAD}[state]
    axes.add_patch(
        FancyBboxPatch(
            (x - BOX, y - 0.28),
            2 * BOX,
            0.56,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=style.PAPER,
            edgecolor=color,
            linewidth=1.3,
            linestyle="-" if state == "alive" else (0, (2, 1.5)),
            zorder=3,
        )
    )
    axes.text(
        x,
        y,
        subscript("f", module),
        ha="center",
        va="center_baseline",
        fontsize=size,
        color=style.INK if state == "alive" else color,
        zorder=4,
    )
    if state == "deleted":
        for sign in (-1, 1):
            axes.plot(
                [x - BOX, x + BOX],
                [y - 0.28 * sign, y + 0.28 * sign],
                color=style.DELETED,
                linewidth=1.1,
                zorder=5,
            )


def draw_sum(axes: Axes, x: float, y: float, alive: bool = True) -> None:
    """Draws the circle in which skip and residual are added."""
    color = style.INK if alive else style.DEAD
    for marker, face, size in (("o", style.PAPER, 10), ("+", color, 6)):
        axes.plot(
            [x],
            [y],
            marker=marker,
            markersize=size,
            markerfacecolor=face,
            markeredgecolor=color,
            zorder=3,
        )


def _line(axes: Axes, xs: list[float], ys: list[float], alive: bool) -> None:
    axes.plot(
        xs,
        ys,
        color=style.INK if alive else style.DEAD,
        linewidth=1 if alive else 0.8,
        linestyle="-" if alive else (0, (2, 2)),
        zorder=2 if alive else 1,
        solid_capstyle="round",
    )


def draw_unraveled(axes: Axes, n: int, deleted: Collection[int] = ()) -> None:
    """Draws all 2^n paths from y₀ to yₙ with their binary codes.

    Deleted modules are counted from 1.

    Raises:
        ValueError: There are too many modules to draw, or a deleted one does not exist.
    """
    if not 1 <= n <= LARGEST or not set(deleted) <= set(range(1, n + 1)):
        raise ValueError(
            f"draw_unraveled got n = {n} and deleted = {sorted(deleted)}; expected 1 to {LARGEST} "
            "modules and deleted ones among them, counted from 1."
        )
    size = 8.5 if n <= 4 else 6
    bus = -1.0
    for suffix_length in range(n, 0, -1):
        module = n - suffix_length + 1
        for suffix in product((0, 1), repeat=suffix_length):
            rest, enters = suffix[1:], suffix[0] == 1
            alive = _is_alive(suffix, module, deleted)
            x0, x1 = STEP * (module - 1), STEP * module
            y0, y1 = _row(suffix, n), _row(rest, n)
            _line(axes, [x0 if module > 1 else bus, x1 - 0.8, x1], [y0, y0, y1], alive)
            if enters:
                state = "alive" if alive else "deleted" if module in deleted else "dead"
                draw_box(axes, x0 + 1.2, y0, module, state, size)
    for suffix_length in range(n - 1, -1, -1):
        for suffix in product((0, 1), repeat=suffix_length):
            module = n - suffix_length
            draw_sum(axes, STEP * module, _row(suffix, n), _is_alive(suffix, module + 1, deleted))
    for path in product((0, 1), repeat=n):
        alive = _is_alive(path, 1, deleted)
        axes.text(
            bus - 0.25,
            _row(path, n),
            "".join(map(str, path)),
            ha="right",
            va="center",
            fontsize=size,
            family="monospace",
            color=style.INK if alive else style.DEAD,
        )
    rows = 2**n - 1
    axes.plot([bus, bus], [0, rows], color=style.INK, linewidth=1.6, zorder=3)
    axes.text(bus, rows + 0.7, subscript("y", 0), ha="center", va="center", fontsize=size + 1)
    out = STEP * n
    _draw_output(axes, n, out + 0.2, rows / 2, size + 1, style.INK)
    _frame(axes, bus - 1.2 - 0.22 * n, out + 2.0, -0.8, rows + 1.2)


def draw_blocks(axes: Axes, n: int, deleted: Collection[int] = (), skips: bool = True) -> None:
    """Draws n modules in a row, as networks are usually drawn.

    Deleted ones are counted from 1. A VGG has no skips.
    """
    axes.text(-1.35, 0, subscript("y", 0), ha="center", va="center", fontsize=9.5)
    broken = False  # no path leads on
    for module in range(1, n + 1):
        x = STEP * (module - 1) + 1.2
        gone = module in deleted
        _line(axes, [x - 2.2, x - BOX], [0, 0], not broken)
        broken = broken or (gone and not skips)
        _line(axes, [x + BOX, x + 0.8], [0, 0], not (broken or gone))
        draw_box(axes, x, 0, module, "deleted" if gone else "alive", 8.5)
        if skips:
            top = [0, -0.75, -0.75, -0.2]
            _line(axes, [x - 1.5, x - 1.5, x + 1.0, x + 1.0], top, True)
            draw_sum(axes, x + 1.0, 0)
    out = STEP * (n - 1) + 1.2 + (1.2 if skips else BOX)
    _draw_output(axes, n, out, 0, 9.5, style.DEAD if broken else style.INK)
    _frame(axes, -1.8, out + 2, -1.1, 0.6)


def _draw_output(axes: Axes, n: int, x: float, y: float, size: float, color: str) -> None:
    arrow = {"arrowstyle": "<-", "linewidth": 1, "color": color}
    axes.annotate(
        subscript("y", n), (x, y), (x + 1.2, y), va="center", fontsize=size, arrowprops=arrow
    )


def _frame(axes: Axes, left: float, right: float, top: float, bottom: float) -> None:
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)  # the first path is at the top
    axes.set_axis_off()
