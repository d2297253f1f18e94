"""The deadlines of a loop: buckets that never end too early, and what is watched beside the tasks of guards."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from switchgear.core.clock import SystemClock, Timer, VirtualClock
from switchgear.guard.expiry import Expiries


class Told:
    """Writes down that it was cancelled."""

    def __init__(self, name: str, book: list[str]) -> None:
        self._name = name
        self._book = book

    def cancel(self) -> None:
        """Do so."""
        self._book.append(self._name)


class Asked(SystemClock):
    """The system's clock, by its class, whose timers only write down their moment."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def call_at(self, when: float, callback: object) -> Timer:
        """Write `when` down."""
        self.moments.append(when)
        return asyncio.Handle(lambda: None, (), asyncio.get_running_loop())


async def test_what_is_watched_ends_in_its_own_time_whatever_is_watched_beside_it() -> None:
    """Deadlines of different lengths take turns: each comes at its moment, and what is forgotten does not come."""
    clock, book = VirtualClock(), list[str]()
    expiries = Expiries(asyncio.get_running_loop(), clock)
    start = clock.monotonic()
    expiries.watch(start + 30, Told("long", book))
    expiries.watch(start + 5, Told("short", book))
    forget = expiries.watch(start + 30, Told("forgotten", book))
    expiries.watch(start + 5, Told("short too", book))
    forget()
    forget()
    assert expiries.armed == 3
    await clock.elapse(4.9)
    assert book == []
    await clock.elapse(0.1)
    assert book == ["short", "short too"]
    await clock.elapse(25)
    assert book == ["short", "short too", "long"]
    assert expiries.armed == 0


async def test_what_is_watched_leaves_the_bucket_of_the_guards() -> None:
    """Calls of one length find their bucket at once, although outcomes and attempts of other lengths come between."""
    expiries = Expiries(asyncio.get_running_loop(), VirtualClock())
    bucket = expiries.bucket(2_000.0)
    expiries.watch(3_000.0, Told("other", []))
    assert (expiries.recent, expiries.high) == (bucket, 2_000.0)
    assert expiries.recent is bucket


@given(when=st.floats(min_value=0.0, max_value=1e9))
def test_a_bucket_ends_at_its_last_deadline_or_less_than_ten_milliseconds_later(when: float) -> None:
    """Coarse expiry is never early, not by a rounding error either, and at most 10 ms late."""

    async def watch() -> None:
        clock = Asked()
        expiries = Expiries(asyncio.get_running_loop(), clock)
        expiries.watch(when, Told("it", []))
        expiries.bucket(when)
        assert clock.moments == [expiries.high]
        assert expiries.low < when <= expiries.high <= when + 0.01

    asyncio.run(watch())
