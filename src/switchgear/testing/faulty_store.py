"""A store for simulations: what disks, processes and acknowledgements do to appends, from one seed, on virtual time.

An append in flight lies where a crash may lose it: after `crash` it is durable or gone, and nobody was told. One that
was acknowledged is synced and never lost. What is in flight is read by nobody, as with a write-ahead log, whose index
moves after the sync; and appends land in the order in which they were handed in, however slow one of them is.

Several engines may share one store. What becomes of the engines in a crash is for the simulation to do.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, fields
from enum import StrEnum
from random import Random

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, OptionError, StoreError
from switchgear.core.operations import OPERATIONS
from switchgear.storage.abilities import Append, Appended, Committed, Seal, Unknown
from switchgear.storage.checks import check_append
from switchgear.storage.memory import MemoryStore

_APPEND_SECONDS = OPERATIONS["journal.append"].seconds


class Fate(StrEnum):
    """What becomes of one append."""

    OK = "ok"
    """It lands, and is acknowledged."""

    SLOW = "slow"
    """It lands later, and is acknowledged if that is in time."""

    OVERDUE = "overdue"
    """It is called unknown because its time is up, and lands afterwards."""

    UNACKNOWLEDGED = "unacknowledged"
    """It lands, and the answer is lost; a refusal is answered (its answer being lost is the same as `LOST`)."""

    LOST = "lost"
    """It never lands, and no answer comes."""

    DISK_FULL = "disk_full"
    """It is refused with LEDGER_UNAVAILABLE; nothing was written."""

    READ_ONLY = "read_only"
    """As with a full disk."""

    QUEUE_FULL = "queue_full"
    """It is refused with QUEUE_FULL; nothing was written."""


_REFUSALS = {
    Fate.DISK_FULL: ("the disk is full", Code.LEDGER_UNAVAILABLE),
    Fate.READ_ONLY: ("the file or its directory is read-only", Code.LEDGER_UNAVAILABLE),
    Fate.QUEUE_FULL: ("too many requests already wait for the store", Code.QUEUE_FULL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFaults:
    """How often appends meet what: a chance of 0 to 1 for each fate, at most 1 together; the rest is well.

    `sync_seconds` is how long an append is in flight, `slow_seconds` how long a slow one is, each as the least and the
    most. The defaults have no faults and no flight.
    """

    slow: float = 0.0
    overdue: float = 0.0
    unacknowledged: float = 0.0
    lost: float = 0.0
    disk_full: float = 0.0
    read_only: float = 0.0
    queue_full: float = 0.0
    sync_seconds: tuple[float, float] = (0.0, 0.0)
    slow_seconds: tuple[float, float] = (0.1, 5.0)

    def __post_init__(self) -> None:
        """Check chances and spans."""
        chances = self.chances
        if not all(0.0 <= chance <= 1.0 for chance in chances.values()) or sum(chances.values()) > 1.0:
            raise OptionError(f"StoreFaults: chances are 0 to 1, and at most 1 together: {self}")
        for least, most in (self.sync_seconds, self.slow_seconds):
            if not 0.0 <= least <= most:
                raise OptionError(f"StoreFaults: a span is (least, most) in seconds, from 0 on: {self}")

    @property
    def chances(self) -> dict[Fate, float]:
        """The chance of each fate but the good one."""
        names = {field.name for field in fields(self)}
        return {fate: getattr(self, fate.value) for fate in Fate if fate.value in names}


@dataclass(frozen=True, slots=True)
class Crash:
    """What a crash did to the appends in flight: the ids of those that are committed, and of those that are not."""

    committed: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Flight:
    """An append on its way."""

    append: Append
    fate: Fate
    lands_at: float
    answer: asyncio.Future[Appended]

    def tell(self, outcome: Appended | Exception) -> None:
        """Answer whoever still waits."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class FaultyStore(MemoryStore):
    """A `Store` in memory whose appends fail as told.

    plan      fates of the appends to come, in order; when it is empty, `faults` decides by chance
    faults    may be replaced at any moment
    refusing  while this is a refusal, every append and check is refused with it
    drawn     how many appends met each fate
    """

    def __init__(
        self, seal: Seal, *, clock: Clock, random: Random | None = None, faults: StoreFaults | None = None
    ) -> None:
        """Start empty. `random` decides by chance; without one a seed of 0 does. All waits are on `clock`."""
        super().__init__(seal)
        self.plan: list[Fate] = []
        self.faults = faults or StoreFaults()
        self.refusing: Fate | None = None
        self.drawn: Counter[Fate] = Counter()
        self._clock = clock
        self._random = random or Random(0)
        self._flights: deque[_Flight] = deque()

    @property
    def in_flight(self) -> tuple[str, ...]:
        """The ids of the appends that a crash would decide over, in order."""
        return tuple(flight.append.id for flight in self._flights)

    async def append(self, append: Append) -> Appended:
        """Let `append` meet its fate. Cancelling the caller detaches it: the append lands all the same."""
        self._open()
        check_append(append)
        fate = self.refusing or self._next_fate()
        self.drawn[fate] += 1
        if fate in _REFUSALS:
            raise _refusal(fate)
        flight = self._depart(append, fate)
        if self._flights:
            self._expect(flight)
            return await flight.answer
        self._land_one(flight)
        return flight.answer.result()

    async def check(self) -> None:
        """Raise `StoreError` once closed, and while appends are refused."""
        self._open()
        if self.refusing is not None:
            raise _refusal(self.refusing)

    async def close(self) -> None:
        """Land what is in flight, and forget everything."""
        while self._flights:
            self._land_one(self._flights.popleft())
        await super().close()

    def crash(self) -> Crash:
        """Lose power: of the appends in flight, the first ones are durable and the rest is lost, by chance.

        A group that is synced is durable as a whole, and later ones never without the earlier. Those who still wait
        are answered `Unknown`. Reads and appends that come afterwards are those of the store that was opened again.
        """
        flights = list(self._flights)
        self._flights.clear()
        kept = flights[: self._random.randint(0, len(flights))]
        committed = tuple(flight.append.id for flight in kept if isinstance(self._landed(flight), Committed))
        for flight in flights:
            flight.tell(Unknown(flight.append.id, "the store crashed"))
        return Crash(committed, tuple(flight.append.id for flight in flights if flight.append.id not in committed))

    def _next_fate(self) -> Fate:
        if self.plan:
            return Fate(self.plan.pop(0))  # a word that is none is a mistake in the plan, and never a good fate
        chances = self.faults.chances
        if not any(chances.values()):
            return Fate.OK
        weights = [*chances.values(), max(0.0, 1.0 - sum(chances.values()))]
        return self._random.choices([*chances, Fate.OK], weights)[0]

    def _depart(self, append: Append, fate: Fate) -> _Flight:
        """Put `append` on its way behind all others, if there is a way or others."""
        before = self._flights[-1].lands_at if self._flights else 0.0
        now = self._clock.monotonic()
        lands_at = max(before, now + self._flight_seconds(fate))
        flight = _Flight(append, fate, lands_at, asyncio.get_running_loop().create_future())
        if self._flights or lands_at > now:
            self._flights.append(flight)
        return flight

    def _flight_seconds(self, fate: Fate) -> float:
        seconds = self._random.uniform(*self.faults.sync_seconds)
        if fate in {Fate.SLOW, Fate.OVERDUE}:
            seconds += self._random.uniform(*self.faults.slow_seconds)
        return seconds + _APPEND_SECONDS if fate is Fate.OVERDUE else seconds

    def _expect(self, flight: _Flight) -> None:
        """Land `flight` in its time, and answer it at the latest when its time is up."""
        self._clock.call_at(flight.lands_at, lambda: self._land_until(flight))
        late_at = self._clock.monotonic() + _APPEND_SECONDS
        if flight.lands_at >= late_at:
            late = Unknown(flight.append.id, f"not acknowledged within {_APPEND_SECONDS:g} s")
            self._clock.call_at(late_at, lambda: flight.tell(late))

    def _land_until(self, last: _Flight) -> None:
        """Land `last`, and all that departed before it. A timer says when: it may fire a little too soon."""
        while last in self._flights:
            self._land_one(self._flights.popleft())

    def _land_one(self, flight: _Flight) -> None:
        outcome = self._landed(flight)
        if flight.fate is Fate.UNACKNOWLEDGED and isinstance(outcome, Committed):
            outcome = Unknown(flight.append.id, "the acknowledgement was lost")
        flight.tell(outcome)

    def _landed(self, flight: _Flight) -> Appended | Invalid:
        if flight.fate is Fate.LOST:
            return Unknown(flight.append.id, "the append was lost")
        try:
            return self.append_nowait(flight.append)
        except Invalid as error:
            return error


def _refusal(fate: Fate) -> StoreError:
    message, code = _REFUSALS[fate]
    return StoreError(message, code=code)
