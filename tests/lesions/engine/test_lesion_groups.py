"""Groups of lesions: each lesion once, and few shared steps twice."""

import numpy as np
import pytest

from residual_ensembles.lesions import single_deletions, study_plan
from residual_ensembles.lesions.engine import lesion_groups
from residual_ensembles.lesions.engine.evaluator import SweepSpec


def plan_of(chain, k):
    numbers = {"k": k, "draws": 8, "swaps": 2, "duplications": 2, "seed": 0}
    return [row.lesion for row in study_plan(chain, random=True, **numbers)]


def groups(chain, lesions, n_images, some=None):
    steps = SweepSpec(chain, lesions, n_images).evaluator.steps()
    some = np.arange(len(lesions)) if some is None else some
    return steps, lesion_groups.groups(chain, steps, some, n_images)


def work(chain, steps, group):
    """Multiply-adds of a group, each shared step once."""
    cost = lesion_groups.step_costs(chain)
    nodes = {steps[i][: n + 1] for i in group for n in range(len(steps[i]))}
    return sum(cost(node[-1]) for node in nodes)


def test_a_step_costs_its_convolutions(resnet):
    # Module 1: two 3×3 convolutions of 16 channels at 8×8; module 4 halves that and has a skip.
    cost = lesion_groups.step_costs(resnet)
    steps = lesion_groups.full_pass(resnet)
    assert cost(steps[0]) == 2 * 9 * 16 * 16 * 64 + 1
    assert cost(steps[3]) == (9 * 16 * 32 + 9 * 32 * 32 + 16 * 32) * 16 + 1
    assert cost(steps[3]._replace(op="deleted")) == 1


def test_single_deletions_stay_one_tree(chain):
    lesions = [row.lesion for row in single_deletions(range(1, len(chain.modules) + 1))]
    _, result = groups(chain, lesions, 64)
    np.testing.assert_array_equal(result, [np.arange(len(lesions))])


@pytest.mark.parametrize("n_full", [1, 4, 20])
def test_groups_are_alike_and_share_what_they_can(resnet, monkeypatch, n_full):
    full = sum(map(lesion_groups.step_costs(resnet), lesion_groups.full_pass(resnet)))
    monkeypatch.setattr(lesion_groups, "PASSES_IN_CHUNK", n_full)
    monkeypatch.setattr(lesion_groups, "CHUNK_MULTIPLY_ADDS", 1.0)
    lesions = plan_of(resnet, 6)
    everyone = np.arange(0, len(lesions), 2)
    steps, result = groups(resnet, lesions, 10, everyone)
    np.testing.assert_array_equal(np.sort(np.concatenate(result)), everyone)
    assert all((np.diff(group) > 0).all() for group in result)
    ungrouped = work(resnet, steps, everyone)
    assert len(result) == pytest.approx(ungrouped / full / n_full, abs=1)
    each = [work(resnet, steps, group) for group in result]
    assert max(each) <= (n_full + 2) * full
    assert sum(each) - ungrouped <= (len(result) - 1) * full


def test_groups_depend_on_images_and_not_on_chance(resnet, monkeypatch):
    monkeypatch.setattr(lesion_groups, "PASSES_IN_CHUNK", 1)
    monkeypatch.setattr(lesion_groups, "CHUNK_MULTIPLY_ADDS", 1e9)
    lesions = plan_of(resnet, 6)
    few, many = (groups(resnet, lesions, n)[1] for n in (10, 40))
    assert len(few) < len(many) <= 4 * len(few) + 1
    for group, again in zip(many, groups(resnet, lesions, 40)[1], strict=True):
        np.testing.assert_array_equal(group, again)
