"""How much memory there is for tasks: what the machine has, and what control groups leave of it.

Schedulers and containers limit a process by the control groups (cgroups) of Linux that it is in,
and the kernel kills what takes more, however much the machine has.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil

# Limit, use, and the part of the use that is a cache of files which nothing has touched for a
# while: the kernel gives it up before it kills.
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available_bytes(root: Path = Path("/")) -> int:
    """Returns the memory that this process can still take without being killed.

    Args:
        root: Where the system's `proc` and `sys` are.
    """
    return max(0, min([psutil.virtual_memory().available, *_left_by_groups(root)]))


def _left_by_groups(root: Path) -> Iterator[int]:
    """Yields what each group that this process is in leaves, and each group above them."""
    for folder, (limit, use, cache) in _groups(root):
        try:
            most = (folder / limit).read_text().strip()
            if most != "max":
                cached = dict(map(str.split, (folder / "memory.stat").read_text().splitlines()))
                used = int((folder / use).read_text()) - int(cached.get(cache, 0))
                yield int(most) - used
        except (OSError, ValueError):  # the group has no limit on memory, or may not be read
            continue


def _groups(root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if not controllers:
            top, names = root / "sys/fs/cgroup", _VERSION_2
        elif "memory" in controllers.split(","):
            top, names = root / "sys/fs/cgroup/memory", _VERSION_1
        else:
            continue
        # In a container the name may be that of the machine, and the group itself lie at the top.
        group = top / name.strip("/")
        yield from ((each, names) for each in (group, *group.parents) if each.is_relative_to(top))
