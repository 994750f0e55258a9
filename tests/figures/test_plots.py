from residual_ensembles.analysis import read_tables
from residual_ensembles.figures.plots import plot_tables


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
