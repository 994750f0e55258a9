import pandas as pd

from residual_ensembles.analysis import read_tables
from residual_ensembles.report import results_table


def test_a_row_for_each_network_with_numbers_of_the_table(study):
    tables = read_tables(study)
    lines = results_table(tables).splitlines()
    assert len(lines) == 2 + len(tables.networks)
    lesions = pd.read_csv(study / "lesions.csv")
    resnet = lesions[lesions.network == "resnet"]
    intact = resnet[resnet.sweep == "intact"].iloc[0]
    ten = (
        100
        * resnet[(resnet.sweep == "random_deletion") & (resnet.n_operations == 10)].error_fraction
    )
    row = next(line for line in lines if line.startswith("| `resnet` |"))
    assert f"| {100 * intact.error_fraction:.2f} ({100 * intact.error_low:.2f}–" in row
    assert f"| {ten.mean():.1f} ± {ten.std():.1f} (n={len(ten)}) |" in row
    single = resnet[resnet.sweep == "single_deletion"]
    worst = single.loc[single.error_fraction.idxmax()]
    assert f"({worst.lesion.removeprefix('delete ')}) |" in row
    vgg = next(line for line in lines if line.startswith("| `vgg` |"))
    assert vgg.endswith("| – | – |")


def test_several_seeds_count_once_each(study_of_three_seeds):
    tables = read_tables(study_of_three_seeds)
    row = next(line for line in results_table(tables).splitlines() if "`resnet`" in line)
    rows = tables.sweep("resnet", "random_deletion")
    means = 100 * rows[rows.n_operations == 10].groupby("seed").error_fraction.mean()
    assert f"| {means.mean():.1f} ± {means.std():.1f} (n=3 seeds) |" in row
