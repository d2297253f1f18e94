"""How long a start takes with open actions: a process of its own each time, from its beginning until it is ready.

`python -m benchmarks.durable.starting STORE` is one start: it opens the store, picks up what is open, says so in JSON,
and ends without having carried out anything. It is timed by `measure_starts`, once with the store's file dropped from
the system's memory, once with it there.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from switchgear.assembly import Switchgear
from switchgear.execution.contract import Call

_TOOL = "bench.act"
_SUBMIT_AT_ONCE = 500
_SECONDS_MAX = 120.0
_LIFETIME = 86_400.0
_BLOCK_BYTES = 512
"""What `ru_inblock` counts in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start. `seconds` are of the whole process, `open_seconds` without the interpreter and its imports.

    `read_mb` came from the disk while the store was opened: it tells whether `cached` is true.
    """

    cached: bool
    queued: int
    seconds: float
    open_seconds: float
    read_mb: float


async def measure_starts(store: Path, *, left_open: int, tenants: int) -> list[Start]:
    """Leave `left_open` actions open, spread over `tenants`, then start without and with the file in memory."""
    await _leave_open(store, left_open, tenants)
    gc.collect()
    _drop_from_memory(store)
    return [await _started(store, cached=cached) for cached in (False, True)]


async def _leave_open(store: Path, wanted: int, tenants: int) -> None:
    """Submit what nobody carries out, until so many are open."""
    async with Switchgear.open(store=f"sqlite:///{store}", start=False) as gear:
        gear.tool(_TOOL, effect="keyed")(_act)
        run, missing = f"{time.time_ns():x}", range(gear.recovered.queued, wanted)

        async def submit(number: int) -> None:
            acting = gear.acting_as(tenant=f"of-{tenants}-{number % tenants}", account="main", actor="service:bench")
            await acting.submit(_TOOL, {"number": number}, key=f"open-{run}-{number}", deadline=_LIFETIME)

        for first in range(0, len(missing), _SUBMIT_AT_ONCE):
            await asyncio.gather(*map(submit, missing[first : first + _SUBMIT_AT_ONCE]))


def _drop_from_memory(store: Path) -> None:
    """Ask the system to forget the pages of the file, once they are on disk."""
    descriptor = os.open(store, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


async def _started(store: Path, *, cached: bool) -> Start:
    """Time one start from outside. Raises `TimeoutError`, `RuntimeError` when it said nothing."""
    began = time.perf_counter()
    command = (sys.executable, "-m", "benchmarks.durable.starting", str(store))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None, "piped above"
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            line = await process.stdout.readline()
            seconds = time.perf_counter() - began
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not line or process.returncode:
        raise RuntimeError(f"the start ended with {process.returncode}")
    return Start(cached=cached, seconds=seconds, **json.loads(line))


async def _act(call: Call, number: int) -> int:
    return number + call.attempt


async def _start(store: Path) -> None:
    read, began = _read_blocks(), time.perf_counter()
    async with Switchgear.open(store=f"sqlite:///{store}", start=False) as gear:
        seconds, read_mb = time.perf_counter() - began, (_read_blocks() - read) * _BLOCK_BYTES / 1e6
        found = {"queued": gear.recovered.queued, "open_seconds": seconds, "read_mb": read_mb}
        print(json.dumps(found), flush=True)


def _read_blocks() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_inblock


def main(arguments: Sequence[str]) -> None:
    """Start once, and say what was found."""
    asyncio.run(_start(Path(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
