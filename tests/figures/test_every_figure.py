import dataclasses

import pytest

from residual_ensembles.analysis import CLAIMS, read_tables
from residual_ensembles.figures import FIGURES, save

NUMBERS = [picture.number for picture in FIGURES]


def words(figure):
    """Everything that is written on a figure."""
    texts = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return " ".join(text.get_text() for text in texts)


def shows_the_authors(figure):
    names = [line.get_label() for axes in figure.axes for line in axes.lines]
    names += [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]
    return any(name.startswith("authors") for name in names)


def draw(number, folder):
    (picture,) = [p for p in FIGURES if p.number == number]
    return picture.draw(read_tables(folder))


def test_figures_of_the_paper_and_ours():
    assert [f"fig{i}" for i in range(1, 17)] == NUMBERS
    assert len({picture.name for picture in FIGURES}) == len(FIGURES)


@pytest.mark.parametrize("picture", FIGURES, ids=NUMBERS)
def test_drawn_and_named(picture, study, tmp_path):
    tables = read_tables(study)
    figure = picture.draw(tables)
    for axes in figure.axes:
        if axes.axison and axes.get_label() != "<colorbar>":
            assert axes.get_xlabel()
    svg, png = save(figure, tmp_path, picture.name)
    assert svg.stat().st_size < 300_000
    assert png.exists()
    assert picture.rests_on(tables)
    assert ("reference.csv" in picture.drawn_from(tables)) == shows_the_authors(figure)


@pytest.mark.parametrize("picture", FIGURES, ids=NUMBERS)
def test_a_study_without_tables_is_drawn_too(picture, tmp_path):
    tables = read_tables(tmp_path)
    save(picture.draw(tables), tmp_path, picture.name)
    picture.rests_on(tables)
    picture.found(tables)


@pytest.mark.parametrize("picture", FIGURES[2:], ids=NUMBERS[2:])
def test_what_it_rests_on_is_written_below(picture, study):
    tables = read_tables(study)
    caption = picture.draw(tables).get_supxlabel().replace("\n", " ")
    assert caption == picture.rests_on(tables)


@pytest.mark.parametrize("picture", FIGURES, ids=NUMBERS)
def test_what_was_found_is_said_by_a_claim_or_a_sentence(picture, study):
    claimed = picture.number in {claim.figure for claim in CLAIMS}
    tables = read_tables(study)
    sentence = picture.found(tables)
    assert claimed or bool(sentence) == picture.wanted(tables)
    assert not sentence or sentence.endswith(".")


def test_the_authors_points_stand_behind(study):
    for number in ("fig3", "fig4", "fig5", "fig8"):
        figure = draw(number, study)
        lines = [line for axes in figure.axes for line in axes.lines]
        theirs = [line.zorder for line in lines if line.get_label().startswith("authors")]
        ours = [line.zorder for line in lines if line.get_label().startswith(("ours:", "resnet:"))]
        assert theirs
        assert max(theirs) < min(ours, default=3)


@pytest.mark.parametrize("picture", FIGURES, ids=NUMBERS)
def test_without_ours_no_table_of_ours_is_named(picture, study):
    whole = read_tables(study)
    nothing = dataclasses.replace(whole, runs=(), lesions=whole.lesions[:0])
    ours = [name for name in picture.drawn_from(whole) if name != "reference.csv"]
    assert ours == ([picture.table] if picture.table and picture.number != "fig4" else [])
    if picture.authors(whole):
        assert picture.drawn_from(nothing) == ["reference.csv"]


def test_imagenet_is_not_claimed(study):
    assert "this study did not run ImageNet" in words(draw("fig4", study))


def test_costs_that_add_up_are_compared_with_numbers(study):
    text = words(draw("fig9", study))
    assert "Spearman" in text
    assert "costs add up" in text
