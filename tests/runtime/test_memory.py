"""The memory that tasks may take, as a made-up system tells it."""

import psutil
import pytest

from residual_ensembles.runtime.local import available_bytes

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with 64 GiB to give."""
    memory = psutil.virtual_memory()._replace(available=64 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


@pytest.fixture
def system(tmp_path):
    """Writes the files of a system, by their paths."""

    def write(**files: str):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return tmp_path

    return write


def version_2(group: str, limit, used: int, cached: int = 0) -> dict[str, str]:
    folder = f"sys/fs/cgroup/{group}"
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": used,
        f"{folder}/memory.stat": f"anon 5\ninactive_file {cached}",
    }


def version_1(group: str, limit: int, used: int, cached: int = 0) -> dict[str, str]:
    folder = f"sys/fs/cgroup/memory/{group}"
    return {
        f"{folder}/memory.limit_in_bytes": limit,
        f"{folder}/memory.usage_in_bytes": used,
        f"{folder}/memory.stat": f"inactive_file 7\ntotal_inactive_file {cached}",
    }


IN_2 = {"proc/self/cgroup": "0::/job/step"}
IN_1 = {"proc/self/cgroup": "5:cpu:/else\n4:hugetlb,memory:/job/step\n0::/"}


@pytest.mark.parametrize(
    ("files", "gib"),
    [
        ({}, 64),
        (IN_2, 64),
        (IN_2 | version_2("job/step", 8 * GIB, 2 * GIB), 6),
        (IN_2 | version_2("job/step", 8 * GIB, 7 * GIB, cached=5 * GIB), 6),
        (IN_2 | version_2("job/step", "max", 2 * GIB), 64),
        (IN_2 | version_2("job", 8 * GIB, 2 * GIB) | version_2("job/step", "max", GIB), 6),
        (IN_2 | version_2("job", 4 * GIB, 3 * GIB) | version_2("job/step", 8 * GIB, GIB), 1),
        (IN_2 | version_2("job/step", 8 * GIB, 9 * GIB), 0),
        (IN_2 | version_2("job/step", 80 * GIB, GIB), 64),
        (IN_2 | version_2("", 8 * GIB, GIB), 7),  # in a container, the top is its own
        (IN_2 | version_2("another", 8 * GIB, GIB), 64),
        (IN_2 | version_2("job/step", "many", 0), 64),
        (IN_1 | version_1("job/step", 8 * GIB, 2 * GIB), 6),
        (IN_1 | version_1("job", 8 * GIB, 7 * GIB, GIB) | version_1("job/step", 2**63, GIB), 2),
        (IN_1 | version_1("", 8 * GIB, 2 * GIB), 6),
        (IN_1 | version_1("else", 8 * GIB, 2 * GIB), 64),
    ],
)
def test_the_narrowest_limit_counts(system, files, gib):
    assert available_bytes(system(**files)) == gib * GIB


def test_here_it_is_no_more_than_the_machine_has():
    assert 0 < available_bytes() <= 64 * GIB
