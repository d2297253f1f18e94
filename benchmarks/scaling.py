"""The rows that are not nanoseconds a call: threads, bytes a key, time to make many keys."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Callable
from itertools import repeat
from statistics import median
from typing import Any

_THREADS = 4
_KEYS_MEASURED = 2_000


def throughput_of_threads(call: Callable[[], Any], seconds: float, rounds: int) -> float:
    """Return the calls a second of four threads over those of one: 1.0 means that threads cost nothing.

    The median of `rounds`, in which now the one is first and now the four, so that a machine which gets slower or
    quicker meanwhile favours neither.
    """
    return median(_round(call, seconds, four_first=number % 2 == 1) for number in range(rounds))


def _round(call: Callable[[], Any], seconds: float, *, four_first: bool) -> float:
    order = (_THREADS, 1) if four_first else (1, _THREADS)
    rates = {threads: _rate(call, threads, seconds) for threads in order}
    return rates[_THREADS] / rates[1]


def _rate(call: Callable[[], Any], threads: int, seconds: float) -> float:
    counts = [0] * threads
    ends_at = time.perf_counter() + seconds
    workers = [threading.Thread(target=_spin, args=(call, ends_at, counts, place)) for place in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - start)


def _spin(call: Callable[[], Any], ends_at: float, counts: list[int], place: int) -> None:
    done = 0
    while not done or time.perf_counter() < ends_at:  # a thread that starts late calls too, so that no rate is 0
        for _ in repeat(None, 100):
            call()
        done += 100
    counts[place] = done


def bytes_per_key(member: Callable[[int], object]) -> float:
    """Return the bytes that each further key keeps allocated, as `tracemalloc` sees them.

    The text of the key and its entry in the registry are among them.
    """
    member(-1)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for key in range(_KEYS_MEASURED):
            member(key)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / _KEYS_MEASURED


def seconds_for_keys(member: Callable[[int], object], keys: int) -> float:
    """Return the seconds that making `keys` members takes."""
    start = time.perf_counter()
    for key in range(keys):
        member(key)
    return time.perf_counter() - start
