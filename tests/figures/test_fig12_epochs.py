from residual_ensembles.analysis import read_tables
from residual_ensembles.figures.fig12_training import by_epoch


def test_decompositions_by_epoch(study):
    found = by_epoch(read_tables(study), "resnet", 0)
    assert list(found) == [30]
    assert list(found[30].length) == list(range(55))
    assert by_epoch(read_tables(study), "vgg", 0) == {}
