"""A probe of memory: what is left to the machine, and to the control groups that this process lives in.

The kernel's own words are read: MemAvailable of /proc/meminfo, and for each control group its limit less what it
uses, where cache that can be dropped does not count as used. Version 2 and version 1 of control groups are read
(Linux: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from switchgear.health.probe import ProbeFailed
from switchgear.policies.checks import require_count

_MIB = 1_048_576


@dataclass(frozen=True, slots=True, eq=False)
class MemoryProbe:
    """Compares the memory that is left with a bound.

    available_bytes_min  bytes that have to be left, at least 1; default 256 MiB.
    processes, groups    where the kernel shows processes and control groups; default /proc and /sys/fs/cgroup.

    Calling it raises `ProbeFailed` when less is left, and `OSError` where the kernel shows no such thing. Raises
    `OptionError` for options that cannot work. It reads a few lines that the kernel makes, so it has no timeout.
    """

    available_bytes_min: int = field(default=256 * _MIB, kw_only=True)
    processes: Path = field(default=Path("/proc"), kw_only=True)
    groups: Path = field(default=Path("/sys/fs/cgroup"), kw_only=True)

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("MemoryProbe(available_bytes_min)", self.available_bytes_min, example=256 * _MIB)

    async def __call__(self) -> str:
        """Ask once."""
        left = min([available_bytes(self.processes), *headrooms(self.processes, self.groups)])
        if left < self.available_bytes_min:
            raise ProbeFailed(f"{left // _MIB:,} MiB left, fewer than {self.available_bytes_min // _MIB:,}")
        return f"{left // _MIB:,} MiB left"


def available_bytes(processes: Path) -> int:
    """Return what the machine can give without swapping. Raises `ProbeFailed` when the kernel does not say."""
    for line in (processes / "meminfo").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1_024
    raise ProbeFailed("the kernel does not say how much memory is available")


def headrooms(processes: Path, groups: Path) -> Iterator[int]:
    """Yield the bytes that are left to each control group above this process that has a limit."""
    for line in _lines(processes / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _of_version_2(groups, path)
        elif "memory" in controllers.split(","):
            yield from _of_version_1(groups / "memory", path)


def _of_version_2(root: Path, path: str) -> Iterator[int]:
    for folder in _upwards(root, path):
        limit = _number(folder / "memory.max")
        used = _number(folder / "memory.current")
        if limit is not None and used is not None:
            yield limit - used + _statistic(folder / "memory.stat", "inactive_file")


def _of_version_1(root: Path, path: str) -> Iterator[int]:
    """Yield what is left; without a limit that is more than any machine has."""
    for folder in _upwards(root, path):
        limit = _number(folder / "memory.limit_in_bytes")
        used = _number(folder / "memory.usage_in_bytes")
        if limit is not None and used is not None:
            yield limit - used + _statistic(folder / "memory.stat", "total_inactive_file")


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """Yield the folder of a control group and of each above it, the root last; a container sees only its own root."""
    folder = root / path.lstrip("/")
    while folder != root and root in folder.parents:
        yield folder
        folder = folder.parent
    yield root


def _number(file: Path) -> int | None:
    """Return the number in a file of the kernel. None when there is no such file, or no limit."""
    for line in _lines(file):
        return int(line) if line.isdigit() else None
    return None


def _statistic(file: Path, name: str) -> int:
    for line in _lines(file):
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _lines(file: Path) -> list[str]:
    """Return the lines of a file of the kernel; none where this machine has no such file."""
    try:
        return file.read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
