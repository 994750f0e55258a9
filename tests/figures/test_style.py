import matplotlib as mpl
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
    assert style.look_of(Run("resnet", 0)) == style.PLAIN
    assert style.look_of(Run("resnet_stochastic_depth", 0)) == style.STOCHASTIC_DEPTH
    assert style.look_of(Run("vgg", 0)) == style.VGG


def test_page_colours_are_nothing_elses():
    looks = [v for v in vars(style).values() if isinstance(v, style.Look)]
    used = {look.color for look in looks} | {style.AUTHORS, style.CUT, style.DEAD}
    assert not used & {style.INK, style.PAPER, style.GRID}
