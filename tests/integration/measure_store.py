"""Measures the SQLite store by hand: appends a second, processor time and syncs per append, at several depths.

Not a test: ``python tests/integration/measure_store.py [seconds]`` prints a table. An append has two events (450
bytes of body each, 200 of payload) and one row (400 bytes); each key is written three times, as an action is. With
``busy`` the event loop is kept at work meanwhile, which shows what the interpreter's lock costs the writer.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from switchgear.core.ids import IdSource
from switchgear.ledger.chain import seal
from switchgear.storage.abilities import Append, Committed, Event, Store, Write
from switchgear.storage.opening import open_store

_BODY, _PAYLOAD, _VALUE = b'"' + b"b" * 448 + b'"', b"p" * 200, b"v" * 400


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    in_flight: int
    busy: bool
    appends_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    syncs_per_append: float


async def worker(store: Store, ids: IdSource, deadline: float, latencies: list[float]) -> None:
    """Append as an action does, three times a key, until the deadline."""
    for number in itertools.count():
        key = ids.next("int")
        for expected in range(3):
            started = time.perf_counter()
            event = Event(key, _BODY, _PAYLOAD)
            write = Write("intents", key, expected, _VALUE, ("ready", "claimed", "succeeded")[expected])
            append = Append(ids.next("app"), f"tenant-{number % 10}", (event, event), (write,))
            assert isinstance(await store.append(append), Committed)
            latencies.append(time.perf_counter() - started)
        if time.perf_counter() > deadline:
            return


async def keep_busy(deadline: float) -> None:
    """Hold the interpreter's lock for a millisecond of every two."""
    while (now := time.perf_counter()) < deadline:
        while time.perf_counter() < now + 0.001:
            pass
        await asyncio.sleep(0.001)


async def measure(in_flight: int, seconds: float, *, busy: bool) -> Row:
    """Run `in_flight` workers for `seconds` on a new file."""
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(f"sqlite:///{Path(folder) / 'measure.db'}", seal=seal)
        ids, latencies = IdSource(), list[float]()
        started, cpu = time.perf_counter(), time.process_time()
        deadline = started + seconds
        others = [keep_busy(deadline)] if busy else []
        await asyncio.gather(*(worker(store, ids, deadline, latencies) for _ in range(in_flight)), *others)
        elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
        statistics = store.statistics()
        await store.close()
    latencies.sort()
    count = len(latencies)
    return Row(
        in_flight,
        busy,
        count / elapsed,
        latencies[count // 2] * 1e3,
        latencies[count * 99 // 100] * 1e3,
        cpu / count * 1e6,
        statistics.syncs / count,
    )


def main() -> None:
    """Print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    sys.stdout.write("in flight  loop   appends/s   p50 ms   p99 ms   cpu µs/append   syncs/append\n")
    for in_flight, busy in ((1, False), (16, False), (64, False), (64, True), (256, False)):
        row = asyncio.run(measure(in_flight, seconds, busy=busy))
        sys.stdout.write(
            f"{row.in_flight:9}  {'busy' if row.busy else 'idle'}  {row.appends_per_s:10,.0f}  {row.p50_ms:7.2f}"
            f"  {row.p99_ms:7.2f}  {row.cpu_us:14.1f}  {row.syncs_per_append:13.3f}\n"
        )


if __name__ == "__main__":
    main()
