import dataclasses

import pytest

from residual_ensembles.analysis import CLAIMS, read_tables
from residual_ensembles.figures import FIGURES, style
from residual_ensembles.figures.gallery import plot_tables

NUMBERS = [spec.number for spec in FIGURES]


def words(figure):
    """Everything that is written on a figure."""
    texts = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return " ".join(text.get_text() for text in texts)


def shows_the_authors(figure):
    names = [line.get_label() for axes in figure.axes for line in axes.lines]
    names += [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]
    return any(name.startswith("authors") for name in names)


def draw(number, folder):
    (spec,) = [p for p in FIGURES if p.number == number]
    return spec.draw(read_tables(folder))


def test_figures_of_the_paper_and_ours():
    assert [f"fig{i}" for i in range(1, 18)] == NUMBERS
    assert len({spec.name for spec in FIGURES}) == len(FIGURES)


@pytest.mark.parametrize("spec", FIGURES, ids=NUMBERS)
def test_every_figure_is_drawn_with_named_axes(spec, study, tmp_path):
    tables = read_tables(study)
    figure = spec.draw(tables)
    for axes in figure.axes:
        if axes.axison and axes.get_label() != "<colorbar>":
            assert axes.get_xlabel()
    svg, png = style.save(figure, tmp_path, spec.name)
    assert svg.stat().st_size < 300_000
    assert png.exists()
    assert spec.rests_on(tables)
    assert ("reference.csv" in spec.drawn_from(tables)) == shows_the_authors(figure)


@pytest.mark.parametrize("spec", FIGURES, ids=NUMBERS)
def test_a_study_without_tables_is_drawn_too(spec, tmp_path):
    tables = read_tables(tmp_path)
    style.save(spec.draw(tables), tmp_path, spec.name)
    spec.rests_on(tables)
    spec.finding(tables)


@pytest.mark.parametrize("spec", FIGURES[2:], ids=NUMBERS[2:])
def test_what_it_rests_on_is_written_below(spec, study):
    tables = read_tables(study)
    caption = spec.draw(tables).get_supxlabel().replace("\n", " ")
    assert caption == spec.rests_on(tables)


@pytest.mark.parametrize("spec", FIGURES, ids=NUMBERS)
def test_what_was_found_is_said_by_a_claim_or_a_sentence(spec, study):
    claimed = spec.number in {claim.figure for claim in CLAIMS}
    tables = read_tables(study)
    sentence = spec.finding(tables)
    assert claimed or bool(sentence) == spec.wanted(tables)
    assert not sentence or sentence.endswith(".")


def test_the_authors_points_stand_behind(study):
    for number in ("fig3", "fig4", "fig5", "fig8"):
        figure = draw(number, study)
        lines = [line for axes in figure.axes for line in axes.lines]
        theirs = [line.zorder for line in lines if line.get_label().startswith("authors")]
        ours = [line.zorder for line in lines if line.get_label().startswith(("ours:", "resnet:"))]
        assert theirs
        assert max(theirs) < min(ours, default=3)


@pytest.mark.parametrize("spec", FIGURES, ids=NUMBERS)
def test_without_ours_no_table_of_ours_is_named(spec, study):
    full = read_tables(study)
    nothing = dataclasses.replace(full, runs=(), lesions=full.lesions[:0])
    ours = [name for name in spec.drawn_from(full) if name != "reference.csv"]
    assert ours == ([spec.table] if spec.table and spec.number != "fig4" else [])
    if spec.authors(full):
        assert spec.drawn_from(nothing) == ["reference.csv"]


def test_imagenet_is_not_claimed(study):
    assert "this study did not run ImageNet" in words(draw("fig4", study))


def test_costs_that_add_up_are_compared_with_numbers(study):
    text = words(draw("fig9", study))
    assert "Spearman" in text
    assert "costs add up" in text


def test_tables_for_dvc(study):
    result = plot_tables(read_tables(study))
    training = result["training"]
    assert list(training.columns) == ["network", "seed", "epoch", "error_percent"]
    assert training.loc[training["network"] == "vgg", "error_percent"].tolist() == [50, 25]
    single = result["single_deletion"]
    assert list(single.columns) == ["network", "module", "error_percent"]
    assert len(single) == 4 * 54 + 12
    random = result["random_deletion"]
    assert set(random["sweep"]) == {"random_deletion", "random_deletion_sparing"}
    assert list(random.columns) == ["network", "sweep", "n_deleted", "error_percent"]


def test_an_empty_study_has_empty_tables_with_columns(tmp_path):
    result = plot_tables(read_tables(tmp_path))
    assert list(result["single_deletion"].columns) == ["network", "module", "error_percent"]
