"""The paper's numbers in the claims are those of its text, or follow from the authors' data."""

import numpy as np
import pytest

from residual_ensembles.analysis import CLAIMS
from residual_ensembles.analysis.claims.lesion_measurements import AUTHORS
from residual_ensembles.analysis.curves import largest_step, shrinking_gain
from residual_ensembles.figures import authors
from residual_ensembles.statistics.rank_correlation import spearman

PAPER = {claim.id: claim.paper_value for claim in CLAIMS}


def costs(network, gating="none"):
    points = authors.points(network, "delete", gating).set_index("x").error_mean
    return points - authors.intact_error(network, gating)


def curve(plan):
    return np.array(
        [authors.intact_error("resnet110"), *authors.points("resnet110", plan).error_mean]
    )


def test_values_of_single_deletions_follow_from_the_authors_points():
    plain, rest = costs("resnet110"), costs("resnet110").drop([19, 37])
    assert PAPER["1"] == pytest.approx(rest.median(), abs=5e-6)
    assert PAPER["2"] == pytest.approx(plain[[19, 37]].min() - rest.quantile(0.9), abs=5e-6)
    vgg = authors.points("vgg", "delete").error_mean
    assert PAPER["3"] == pytest.approx(vgg.min() - 0.9, abs=5e-5)
    imagenet = costs("resnet200").drop([4, 28, 64])
    assert PAPER["21a"] == pytest.approx(imagenet.median(), abs=5e-5)


def test_values_of_random_deletions_follow_from_the_authors_points():
    anything, sparing = curve(authors.ANY), curve(authors.SPARING)
    assert PAPER["4a"] == pytest.approx(spearman(range(21), anything), abs=5e-5)
    assert PAPER["4b"] == pytest.approx(largest_step(anything), abs=5e-5)
    assert PAPER["6a"] == pytest.approx(sparing[10] - sparing[0], abs=5e-5)
    assert PAPER["6b"] == pytest.approx(sparing[20] - sparing[0], abs=5e-5)
    assert sparing[10] == pytest.approx(PAPER["5a"], abs=0.01)


def test_value_of_modules_as_members_follows_from_the_authors_points():
    assert PAPER["22b"] == pytest.approx(shrinking_gain(curve(authors.ANY)[::-1]), abs=5e-5)


def test_values_of_stochastic_depth_follow_from_the_authors_points():
    plain, trained = costs("resnet110"), costs("resnet110", "stochastic_depth")
    rest = plain.drop([19, 37]).median() - trained.drop([19, 37]).median()
    peaks = plain[[19, 37]].mean() - trained[[19, 37]].mean()
    assert PAPER["17"] == pytest.approx(rest, abs=5e-6)
    assert PAPER["18"] == pytest.approx(peaks - rest, abs=5e-6)


def test_value_of_effective_paths_is_the_papers():
    assert PAPER["15a"] == PAPER["15b"] == pytest.approx(0.0596 - 0.0610)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_values_of_other_depths_follow_from_the_authors_points_too(depth):
    n = (depth - 2) // 6 * 3
    downsampling = [n // 3 + 1, 2 * n // 3 + 1]
    plain = costs(f"resnet{depth}")
    rest = plain.drop(downsampling)
    assert AUTHORS[n].median == pytest.approx(rest.median(), abs=5e-6)
    peak = plain[downsampling].min() - rest.quantile(0.9)
    assert AUTHORS[n].peak == pytest.approx(peak, abs=5e-6)
    if depth == 44:  # they did not train it with stochastic depth
        assert AUTHORS[n].typical_gain is AUTHORS[n].extra_gain is None
        return
    trained = costs(f"resnet{depth}", "stochastic_depth")
    gain = rest.median() - trained.drop(downsampling).median()
    assert AUTHORS[n].typical_gain == pytest.approx(gain, abs=5e-6)
    extra = plain[downsampling].mean() - trained[downsampling].mean() - gain
    assert AUTHORS[n].extra_gain == pytest.approx(extra, abs=5e-6)


def test_those_of_claims_are_of_54_modules():
    assert (PAPER["1"], PAPER["2"], PAPER["17"], PAPER["18"]) == tuple(AUTHORS[54])
    assert PAPER["23a"] == pytest.approx(17 / 54)
