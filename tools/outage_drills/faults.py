"""What can go wrong with a dependency, each by its name: as a script in virtual time, and as words for a fault proxy.

A script plays what somebody who asks meets. What is real about it is the time it takes and the error that comes of it;
the wire itself is in the rounds with real servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from switchgear.core.clock import Clock
from switchgear.health.dependency import Kind
from switchgear.health.probe import ProbeFailed
from switchgear.testing import fault_proxy_words as words
from switchgear.testing.fault_proxy_words import Fault as Wire

BOUND_SECONDS_MAX = 1.0
"""The longest that anybody in a drill waits for an answer."""
QUICK_SECONDS_MAX = 0.05
"""The longest that a dependency takes to answer while nothing is wrong."""
_SLOW_SECONDS_MAX = 0.3
_ON_THE_WIRE = frozenset({Kind.REDIS, Kind.NATS, Kind.HTTP, Kind.TCP, Kind.UNIX_SOCKET})


@dataclass(frozen=True, slots=True)
class Moment:
    """Somebody asks while something is wrong, which is over at `ends`."""

    clock: Clock
    rng: Random
    ends: float
    probing: bool


Script = Callable[[Moment], Awaitable[None]]
"""What happens to a question. It returns when a right answer comes, however late, and raises otherwise."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that can be wrong.

    breaks    whether no right answer can come in time while it lasts.
    kinds     the dependencies that can meet it.
    wire      the same before a real server; None where there is no such thing.
    stubborn  whether a probe that meets it cannot be cancelled.
    """

    script: Script
    breaks: bool = True
    kinds: frozenset[Kind] = _ON_THE_WIRE
    wire: Wire | None = None
    stubborn: bool = False


def _raises(error: Callable[[], Exception]) -> Script:
    async def script(_moment: Moment) -> None:
        raise error()

    return script


def _takes(least: float, most: float) -> Script:
    async def script(moment: Moment) -> None:
        await moment.clock.sleep_async(moment.rng.uniform(least, most))

    return script


async def _silence(_moment: Moment) -> None:
    await asyncio.Event().wait()


async def _held_back(moment: Moment) -> None:
    """Pass when it is over, as packets that are sent again do."""
    await moment.clock.sleep_async(moment.ends - moment.clock.monotonic())


async def _stuck(moment: Moment) -> None:
    """Hang, and if it is a probe, do not even end when told to."""
    if not moment.probing:
        await _silence(moment)
    while moment.clock.monotonic() < moment.ends:
        with suppress(asyncio.CancelledError):
            await _held_back(moment)
    raise ConnectionResetError("it hung")


_LATE = _takes(1.5 * BOUND_SECONDS_MAX, 4 * BOUND_SECONDS_MAX)
_OF_ALL = frozenset(Kind)

FAULTS: Mapping[str, Fault] = {
    "latency": Fault(_LATE, wire=words.latency(1.0)),
    "jitter": Fault(_takes(0.0, 2 * BOUND_SECONDS_MAX), breaks=False, wire=words.latency(0.0, jitter=0.6)),
    "slow": Fault(_takes(0.0, _SLOW_SECONDS_MAX), breaks=False, kinds=_OF_ALL, wire=words.latency(0.01)),
    "reset": Fault(_raises(lambda: ConnectionResetError("reset")), wire=words.reset()),
    "blackhole": Fault(_silence, wire=words.blackhole()),
    "bandwidth": Fault(_LATE, wire=words.bandwidth(10.0)),
    "slow close": Fault(_takes(0.0, 0.0), breaks=False, wire=words.slow_close(0.5)),
    "half-open": Fault(_silence, wire=words.half_open()),
    "half-open, requests lost": Fault(_silence, wire=words.half_open("up")),
    "partition": Fault(_held_back, wire=words.partition()),
    "cut mid answer": Fault(
        _raises(lambda: asyncio.IncompleteReadError(b"+P", 7)),
        wire=words.cut_mid_answer(1),
    ),
    "refuse": Fault(_raises(lambda: ConnectionRefusedError("refused")), wire=words.refuse()),
    "corrupt": Fault(_raises(lambda: ValueError("not what it should be")), wire=words.corrupt(1)),
    "wrong answer": Fault(_raises(lambda: ProbeFailed("refuses writes")), kinds=_OF_ALL),
    "error": Fault(_raises(lambda: OSError("input/output error")), kinds=_OF_ALL),
    "stuck": Fault(_stuck, kinds=_OF_ALL, stubborn=True),
}
"""Every fault by its name."""


def faults_of(kind: Kind) -> list[str]:
    """Return the names of the faults that a dependency of this kind can meet, in their order."""
    return [name for name, fault in FAULTS.items() if kind in fault.kinds]
