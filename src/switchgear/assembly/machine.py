"""Measures the machine: room on the disk of the store, memory that is left to this process.

Linux tells of memory, of the machine and of the control groups of the process; elsewhere none is known. A disk that
hangs holds up a thread of its own, never the event loop, and nobody waits for it longer than its bound.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from contextlib import suppress
from pathlib import Path

from switchgear.control.health_parts import Machine
from switchgear.health.probe import ProbeFailed
from switchgear.health.probes.memory import available_bytes, headrooms

MEASURE_SECONDS_MAX = 1.0
"""The longest wait for a measurement; then the machine did not answer."""
_PROCESSES = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")


class MachineGauge:
    """Measures one machine, one measurement at a time."""

    def __init__(self, folder: Path | None, *, processes: Path = _PROCESSES, groups: Path = _GROUPS) -> None:
        """Measure the disk of `folder`, None where nothing is kept on a disk. The others are the kernel's."""
        self._folder = folder
        self._processes = processes
        self._groups = groups
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
            return Machine(disk_bytes=self._disk(), memory_bytes=memory_left(self._processes, self._groups))
        except OSError:  # the folder of the store cannot be asked about
            return Machine(answered=False)

    def _disk(self) -> int | None:
        return None if self._folder is None else shutil.disk_usage(self._folder).free


def memory_left(processes: Path, groups: Path) -> int | None:
    """Return the bytes that are left: to the machine, or to the tightest control group above. None: nobody tells."""
    try:
        return min([available_bytes(processes), *headrooms(processes, groups)])
    except (OSError, ProbeFailed):
        return None


def _settle(measured: asyncio.Future[Machine], found: Machine) -> None:
    if not measured.done():
        measured.set_result(found)
