"""Results that outlive a run: found, or computed and kept; never a damaged one."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from residual_ensembles.runtime.executor import Serial, Task
from residual_ensembles.runtime.result_cache import CachedTask, Count, ResultCache, run_cached
from tests.helpers import programs


def test_kept_results_are_found(tmp_path):
    result = {"a": np.arange(3), "b": [(1, "x"), None]}
    assert ResultCache(tmp_path / "x").find("one") is None
    ResultCache(tmp_path / "x").save("one", result)
    cache = ResultCache(tmp_path / "x")
    loaded = cache.find("one")
    np.testing.assert_array_equal(loaded["a"], [0, 1, 2])
    assert loaded["b"] == result["b"]
    assert cache.find("two") is None
    assert cache.within("y").find("one") is None
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["one.result"]


def test_all_results_in_the_order_of_their_keys(tmp_path):
    cache = ResultCache(tmp_path)
    assert list(ResultCache(tmp_path / "nowhere").results()) == []
    for key in "bca":
        cache.save(key, key)
    cache.within("z").save("d", "d")
    assert list(cache.results()) == ["a", "b", "c"]


@pytest.mark.parametrize("damage", ["empty", "cut", "one bit", "another pickle"])
def test_a_damaged_result_counts_as_missing(tmp_path, damage):
    cache = ResultCache(tmp_path)
    cache.save("one", np.arange(1000))
    cache.save("two", "whole")
    file = tmp_path / "one.result"
    full = file.read_bytes()
    flipped = bytearray(full)
    flipped[len(full) // 2] ^= 1
    contents = {"empty": b"", "cut": full[:-1], "one bit": bytes(flipped)}
    file.write_bytes(contents.get(damage, pickle.dumps("not ours")))
    assert cache.find("one") is None
    assert list(cache.results()) == ["whole"]
    cache.save("one", "again")
    assert cache.find("one") == "again"


def test_without_a_folder_nothing_is_kept():
    cache = ResultCache().within("x")
    cache.save("one", 1)
    assert cache.find("one") is None
    assert list(cache.results()) == []
    cache.remove()


def test_remove_deletes_the_folder(tmp_path):
    cache = ResultCache(tmp_path / "x")
    cache.save("one", 1)
    cache.remove()
    assert not (tmp_path / "x").exists()


def square(x, advance):
    advance(x)
    return x * x


def tasks(cache, numbers):
    return [
        CachedTask(f"square-{x}", cache, Task(f"square of {x}", square, lambda x=x: (x,)), x)
        for x in numbers
    ]


def test_only_missing_results_are_computed(tmp_path):
    executor, steps, counts = Serial(), [], []
    assert run_cached(tasks(ResultCache(tmp_path), [1, 3]), executor) == [1, 9]
    result = run_cached(
        tasks(ResultCache(tmp_path), [5, 3, 2, 1]), executor, steps.append, counts.append
    )
    assert result == [25, 9, 4, 1]
    assert executor.nodes.total() == 2 + 2
    assert sum(steps) == 5 + 3 + 2 + 1
    assert counts == [Count(2, 4), Count(3, 4), Count(4, 4)]
    assert run_cached(tasks(ResultCache(), [5]), executor) == [25]
    assert executor.nodes.total() == 5


def test_caches_of_several_networks_in_one_run(tmp_path):
    one, other = ResultCache(tmp_path / "one"), ResultCache(tmp_path / "other")
    run_cached([*tasks(one, [1]), *tasks(other, [2])], Serial())
    assert (one.find("square-1"), one.find("square-2"), other.find("square-2")) == (1, None, 4)


def test_results_finished_before_an_error_are_kept(tmp_path):
    def arguments():
        raise RuntimeError("no luck")

    cache = ResultCache(tmp_path)
    broken = CachedTask("broken", cache, Task("broken", square, arguments))
    with pytest.raises(RuntimeError, match="no luck"):
        run_cached([*tasks(cache, [3]), broken], Serial())
    assert cache.find("square-3") == 9


WRITE = """
import sys
from residual_ensembles.runtime.result_cache import ResultCache
cache = ResultCache(sys.argv[1])
print("ready", flush=True)
i = 0
while True:
    cache.save(f"{i % 3}", bytes([i % 256]) * 3_000_000)
    i += 1
"""


def test_a_kill_during_a_write_leaves_intact_results(tmp_path):
    for n in range(1, 4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path)], stdout=subprocess.PIPE
        )
        writer.stdout.readline()
        programs.wait_until(
            lambda n=n: list(tmp_path.glob("2.*")) and len(list(tmp_path.glob(".partial-*"))) >= n,
            pause=0,  # a write is short
        )
        writer.kill()
        writer.communicate()
        results = list(ResultCache(tmp_path).results())
        assert len(results) == 3
        assert all(len(set(each)) == 1 and len(each) == 3_000_000 for each in results)
    assert list(tmp_path.glob(".partial-*"))  # it was killed in the middle
