"""Measuring the machine: what the kernel's files say, and a disk that does not answer."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from switchgear.assembly import machine
from switchgear.assembly.machine import MachineGauge, memory_left
from switchgear.control.health_parts import Machine

MEMINFO = "MemTotal:       1000 kB\nMemFree:          10 kB\nMemAvailable:    400 kB\nHugePages_Total:   0\n"
KIB = 1024


def kernel(folder: Path, meminfo: str = MEMINFO, **group: str) -> tuple[Path, Path]:
    """Write what the kernel would say, and return its two places."""
    (folder / "self").mkdir()
    (folder / "self" / "cgroup").write_text("0::/\n")
    (folder / "meminfo").write_text(meminfo)
    for name, text in group.items():
        (folder / f"memory.{name}").write_text(text)
    return folder, folder


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({}, 400 * KIB),
        ({"max": "max\n", "current": "5\n"}, 400 * KIB),
        ({"max": "1000\n", "current": "900\n"}, 100),
        ({"max": f"{KIB * KIB}\n", "current": "0\n"}, 400 * KIB),
    ],
)
def test_the_tighter_of_machine_and_control_group_counts(tmp_path: Path, group: dict[str, str], expected: int) -> None:
    """A container is killed at its own limit, however much the machine has left."""
    assert memory_left(*kernel(tmp_path, **group)) == expected


def test_memory_that_nobody_tells_of_is_not_known(tmp_path: Path) -> None:
    """Where the kernel has no such files there is nothing to show, and nothing is made up."""
    assert memory_left(tmp_path / "nowhere", tmp_path / "nowhere") is None
    assert memory_left(*kernel(tmp_path, "MemTotal: 1000 kB\n")) is None


async def test_disk_and_memory_are_measured(tmp_path: Path) -> None:
    """The folder is that of the store; a store without one has no disk."""
    processes, groups = kernel(tmp_path)
    found = await MachineGauge(tmp_path, processes=processes, groups=groups).measure()
    assert found.disk_bytes is not None
    assert (found.disk_bytes > 0, found.memory_bytes, found.answered) == (True, 400 * KIB, True)
    assert (await MachineGauge(None, processes=processes, groups=groups).measure()).disk_bytes is None


async def test_a_folder_that_is_gone_is_no_answer(tmp_path: Path) -> None:
    """What cannot be asked about is told as such, never as plenty."""
    assert await MachineGauge(tmp_path / "gone").measure() == Machine(answered=False)


async def test_law_1_a_disk_that_hangs_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds up one thread, no event loop, and nobody for longer than the bound; later it is measured again."""
    answers, begun = threading.Event(), []

    def hanging(folder: Path) -> object:
        begun.append(folder)
        answers.wait(60.0)
        return usage

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(machine, "MEASURE_SECONDS_MAX", 0.01)
    monkeypatch.setattr(shutil, "disk_usage", hanging)
    gauge = MachineGauge(tmp_path)
    assert [await gauge.measure() for _ in range(3)] == [Machine(answered=False)] * 3
    assert len(begun) == 1
    answers.set()
    monkeypatch.setattr(machine, "MEASURE_SECONDS_MAX", 10.0)
    assert (await gauge.measure()).disk_bytes == usage.free
