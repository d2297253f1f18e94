"""Measures the machine: room on the disk of the store, memory that is left to this process.

Linux tells of memory, in /proc/meminfo and in the control group of the process; elsewhere none is known. A disk that
hangs holds up a thread of its own, never the event loop, and nobody waits for it longer than its bound.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from switchgear.control.health_parts import Machine, Room

MEASURE_SECONDS_MAX = 1.0
"""The longest wait for a measurement; then the machine did not answer."""
_MEMINFO = Path("/proc/meminfo")
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_KIB = 1024


class MachineGauge:
    """Measures one machine, one measurement at a time."""

    def __init__(self, folder: Path | None, *, meminfo: Path = _MEMINFO, control_group: Path = _CONTROL_GROUP) -> None:
        """Measure the disk of `folder`, None where nothing is kept on a disk. The others are the kernel's files."""
        self._folder = folder
        self._meminfo = meminfo
        self._control_group = control_group
        self._under_way: asyncio.Future[Machine] | None = None

    async def measure(self) -> Machine:
        """Return what there is now, at the latest after a second: then it says that there was no answer."""
        if self._under_way is None or self._under_way.done():
            self._under_way = self._begun()
        await asyncio.wait({self._under_way}, timeout=MEASURE_SECONDS_MAX)
        return self._under_way.result() if self._under_way.done() else Machine(answered=False)

    def _begun(self) -> asyncio.Future[Machine]:
        """Begin to measure in a thread that does not keep the process from ending."""
        loop = asyncio.get_running_loop()
        measured: asyncio.Future[Machine] = loop.create_future()

        def work() -> None:
            found = self._found()
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits for it any more
                loop.call_soon_threadsafe(_settle, measured, found)

        threading.Thread(target=work, name="switchgear measures the machine", daemon=True).start()
        return measured

    def _found(self) -> Machine:
        try:
            return Machine(disk=self._disk(), memory=memory_room(self._meminfo, self._control_group))
        except OSError:  # the folder of the store cannot be asked about
            return Machine(answered=False)

    def _disk(self) -> Room | None:
        if self._folder is None:
            return None
        usage = shutil.disk_usage(self._folder)
        return Room(usage.free, usage.total)


def memory_room(meminfo: Path, control_group: Path) -> Room | None:
    """Return the memory that is left: of the machine, or of the control group where that has less. None: not known."""
    rooms = [room for room in (_machine_memory(meminfo), _group_memory(control_group)) if room is not None]
    return min(rooms, key=lambda room: room.free_bytes, default=None)


def _settle(measured: asyncio.Future[Machine], found: Machine) -> None:
    if not measured.done():
        measured.set_result(found)


def _machine_memory(meminfo: Path) -> Room | None:
    lines = (line.partition(":") for line in _text(meminfo).splitlines())
    kib = {name: int(words[0]) for name, _, rest in lines if (words := rest.split()) and words[0].isdigit()}
    if "MemAvailable" not in kib or "MemTotal" not in kib:
        return None
    return Room(kib["MemAvailable"] * _KIB, kib["MemTotal"] * _KIB)


def _group_memory(folder: Path) -> Room | None:
    """Read the second version of control groups (kernel.org, admin-guide/cgroup-v2). "max" is no limit.

    Pages of files that were not used lately are given back before anything is killed, so they count as free.
    """
    limit, used = (_text(folder / name).strip() for name in ("memory.max", "memory.current"))
    if not (limit.isdigit() and used.isdigit()):
        return None
    counted = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if " " in line)
    cached = int(counted.get("inactive_file", "0"))
    return Room(max(0, int(limit) - int(used) + cached), int(limit))


def _text(file: Path) -> str:
    """Return what a file of the kernel says, nothing where there is no such file."""
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
