from pathlib import Path

import matplotlib as mpl
import yaml
from matplotlib.figure import Figure

from residual_ensembles.analysis.tables import Run
from residual_ensembles.figures import style


@style.styled
def draw(title="Words that can be searched, $5 & <more>"):
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    style.curve(axes, [0, 1, 2], [1, 2, 3], style.PLAIN, "ours", [0, 1, 2], [2, 3, 4])
    style.authors_curve(axes, [0, 1, 2], [2, 2, 2], "authors")
    axes.set_title(title)
    style.error_axis(axes)
    style.legend_above(axes)
    style.caption(figure, "n = 3 " * 60)
    return figure


def test_equal_figures_are_equal_bytes(tmp_path):
    first = [path.read_bytes() for path in style.save(draw(), tmp_path, "a")]
    second = [path.read_bytes() for path in style.save(draw(), tmp_path, "b")]
    assert first == second


def test_words_stay_words(tmp_path):
    svg, png = style.save(draw(), tmp_path, "a")
    text = svg.read_text()
    assert "Words that can be searched, $5 &amp; &lt;more&gt;" in text
    assert "Test error (%)" in text
    assert "<dc:date>" not in text
    assert "Matplotlib v" not in text
    assert png.read_bytes().startswith(b"\x89PNG")


def test_the_callers_settings_neither_count_nor_change(tmp_path):
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        loud = style.save(draw(), tmp_path, "loud")[0].read_bytes()
        assert mpl.rcParams["font.size"] == 30
    assert loud == style.save(draw(), tmp_path, "plain")[0].read_bytes()


def test_long_captions_are_broken():
    caption = draw().get_supxlabel()
    assert "\n" in caption
    assert max(map(len, caption.split("\n"))) <= style.CAPTION_WIDTH


def test_a_network_looks_the_same_everywhere():
    names = ("resnet", "resnet_stochastic_depth", "highway", "vgg")
    alone = [style.looks([Run(name, 0)])[name] for name in names]
    assert alone == [style.PLAIN, style.STOCHASTIC_DEPTH, style.HIGHWAY, style.VGG]
    at_once = style.looks([Run(name, seed) for name in names for seed in (0, 1)])
    assert list(at_once.values()) == alone


def in_gray(look):
    return look.marker, look.linestyle


def test_networks_of_the_default_study_differ_in_gray_too():
    studies = Path(__file__).parents[2] / "pipelines" / "conf" / "study"
    shared, own = (yaml.safe_load((studies / f"{n}.yaml").read_text()) for n in ("base", "digits"))
    networks = {**shared, **own}["networks"]
    assert {"highway", "highway_bias0"} <= set(networks)
    looks = style.looks([Run(name, 0, {**shared, **own}["network"][name]) for name in networks])
    assert len({in_gray(look) for look in looks.values()}) == len(networks)
    assert len(set(looks.values())) == len(networks)
    assert [looks[name] for name in ("resnet", "highway", "vgg")] == [
        style.PLAIN,
        style.HIGHWAY,
        style.VGG,
    ]


def test_seven_networks_of_each_kind_differ_in_gray():
    kinds = [
        *({"model": model} for model in ("resnet", "highway", "vgg")),
        *({"gating": gating} for gating in ("effective_paths", "stochastic_depth")),
    ]
    runs = [Run(f"{i}-{j}", 0, kind) for i, kind in enumerate(kinds) for j in range(7)]
    assert len({in_gray(look) for look in style.looks(runs).values()}) == len(runs)


def test_colors_of_the_page_are_used_for_nothing_else():
    looks = [v for v in vars(style).values() if isinstance(v, style.Look)]
    used = {look.color for look in looks} | {style.AUTHORS, style.DELETED, style.DEAD}
    assert not used & {style.INK, style.PAPER, style.GRID}
