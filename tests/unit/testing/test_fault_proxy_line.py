"""One direction of a connection as a pure machine: which bytes pass when, under each fault."""

from __future__ import annotations

from random import Random

import pytest

from switchgear.testing import (
    ConnectionFaults,
    bandwidth,
    blackhole,
    corrupt,
    cut,
    latency,
    partition,
    reset,
    slow_close,
)
from switchgear.testing.fault_proxy_line import Ending, Line, Step
from switchgear.testing.fault_proxy_words import HEALTHY

NOTHING = Step()


def line_of(faults: ConnectionFaults = HEALTHY, *, luck: float = 0.0, seed: int = 0) -> Line:
    """Return an empty line under `faults`."""
    return Line(faults, random=Random(seed), luck=luck, buffer_bytes_max=1_000)


def steps(line: Line, now: float, *, writable: bool = True) -> list[Step]:
    """Return all that is to be done at `now`, up to the first step that is no work."""
    found: list[Step] = []
    while True:
        step = line.step(now, writable=writable)
        if not (step.data or step.lost or step.ending):
            return [*found, step] if step.wake_at is not None else found
        found.append(step)
        if step.ending in {Ending.CUT, Ending.RESET}:
            return found


def test_without_a_fault_everything_passes_at_once() -> None:
    """A healthy line adds nothing and keeps order, and the end comes last, once."""
    line = line_of()
    line.push(b"one", 1.0)
    line.push(b"two", 1.0)
    line.end(Ending.END, 1.0)
    assert steps(line, 1.0) == [Step(b"one"), Step(b"two"), Step(ending=Ending.END)]
    assert steps(line, 9.0) == []


def test_latency_delays_bytes_and_the_end() -> None:
    """Nothing passes before its time, and the line says when to come back."""
    line = line_of(latency(0.5))
    line.push(b"one", 1.0)
    line.end(Ending.END, 1.2)
    assert steps(line, 1.0) == [Step(wake_at=1.5)]
    assert steps(line, 1.5) == [Step(b"one"), Step(wake_at=1.7)]
    assert steps(line, 1.7) == [Step(ending=Ending.END)]


def test_jitter_is_bounded_repeatable_and_keeps_order() -> None:
    """The same seed draws the same delays, each within its bounds; nothing overtakes."""

    def passed_at(seed: int) -> list[tuple[bytes, float]]:
        line = line_of(latency(1.0, jitter=2.0), seed=seed)
        for number in range(20):
            line.push(bytes([number]), 0.0)
        now = 0.0
        found: list[tuple[bytes, float]] = []
        while len(found) < 20:
            for step in steps(line, now):
                now = step.wake_at or now
                found += [(step.data, now)] if step.data else []
        return found

    first = passed_at(1)
    assert first == passed_at(1) != passed_at(2)
    assert [data for data, _ in first] == [bytes([number]) for number in range(20)]
    assert all(1.0 <= moment <= 3.0 for _, moment in first)


def test_bandwidth_is_never_exceeded() -> None:
    """A slice passes when its time on the wire is over, not before; without a pause the next one follows it."""
    line = line_of(bandwidth(100))
    line.push(b"abcde", 0.0)
    passed, now = b"", 0.0
    for _ in range(10):
        step = line.step(now, writable=True)
        now = step.wake_at or now
        passed += step.data
        assert len(passed) <= now * 100 + 1e-9
    assert (passed, round(now, 6)) == (b"abcde", 0.05)


def test_a_slow_close_delays_the_end_alone() -> None:
    """Bytes pass at once; the end comes late; a reset is no close, and comes at once."""
    line = line_of(slow_close(3.0))
    line.push(b"x", 1.0)
    line.end(Ending.END, 1.0)
    assert steps(line, 1.0) == [Step(b"x"), Step(wake_at=4.0)]
    line.end(Ending.RESET, 2.0)
    assert steps(line, 2.0) == [Step(ending=Ending.RESET)]


@pytest.mark.parametrize(("faults", "ending"), [(reset(4), Ending.RESET), (cut(4), Ending.CUT)])
def test_a_strike_comes_after_exactly_so_many_bytes(faults: ConnectionFaults, ending: Ending) -> None:
    """However bytes are cut into chunks, exactly `after_bytes` of them pass."""
    line = line_of(faults)
    line.push(b"abc", 0.0)
    assert steps(line, 0.0) == [Step(b"abc")]
    line.push(b"def", 0.0)
    assert steps(line, 0.0) == [Step(b"d"), Step(ending=ending)]


def test_a_strike_waits_until_what_was_passed_is_handed_over() -> None:
    """The bytes before a strike reach their reader, so a reader that does not read delays it."""
    line = line_of(reset(1))
    line.push(b"ab", 0.0)
    assert line.step(0.0, writable=True) == Step(b"a")
    assert line.step(0.0, writable=False) == NOTHING
    assert line.step(0.0, writable=True) == Step(ending=Ending.RESET)


def test_an_immediate_strike_waits_for_nobody() -> None:
    """With `after_bytes=0` a line strikes although its reader takes nothing."""
    assert line_of(reset()).step(0.0, writable=False) == Step(ending=Ending.RESET)


def test_bytes_are_counted_from_the_switch() -> None:
    """What passed before a fault was set does not count for it."""
    line = line_of()
    line.push(b"0123456789", 0.0)
    steps(line, 0.0)
    line.switch(reset(2), 1.0)
    line.push(b"abc", 1.0)
    assert steps(line, 1.0) == [Step(b"ab"), Step(ending=Ending.RESET)]


def test_what_is_swallowed_leaves_a_hole_that_is_never_papered_over() -> None:
    """After lost bytes a stream does not go on: it is reset as soon as it could."""
    line = line_of(blackhole())
    line.push(b"lost", 0.0)
    assert steps(line, 0.0, writable=False) == [Step(lost=4)]
    assert line.room_bytes == 1_000
    line.switch(HEALTHY, 1.0)
    line.push(b"more", 1.0)
    assert steps(line, 1.0) == [Step(ending=Ending.RESET)]


@pytest.mark.parametrize("ending", [Ending.END, Ending.RESET])
def test_a_swallowed_end_is_told_when_it_is_over(ending: Ending) -> None:
    """Nobody learns of a close in a blackhole; who lost nothing learns of it afterwards."""
    line = line_of(blackhole())
    line.end(ending, 0.0)
    assert steps(line, 0.0) == []
    line.switch(HEALTHY, 1.0)
    assert steps(line, 1.0) == [Step(ending=ending)]


def test_what_is_held_passes_afterwards() -> None:
    """A partition loses nothing: bytes and end wait, in order, and the room for more shrinks."""
    line = line_of(partition())
    line.push(b"kept", 0.0)
    line.end(Ending.END, 0.0)
    assert steps(line, 5.0) == []
    assert line.room_bytes == 996
    line.switch(HEALTHY, 6.0)
    assert steps(line, 6.0) == [Step(b"kept"), Step(ending=Ending.END)]


def test_healing_switches_what_is_on_its_way() -> None:
    """Bytes that were delayed by a fault pass at once when it is over."""
    line = line_of(latency(60.0))
    line.push(b"x", 0.0)
    assert steps(line, 1.0) == [Step(wake_at=60.0)]
    line.switch(HEALTHY, 1.0)
    assert steps(line, 1.0) == [Step(b"x")]


def test_a_reader_that_takes_nothing_is_given_nothing() -> None:
    """Neither bytes nor an end are passed to who is not ready, so that nothing piles up behind the line."""
    line = line_of()
    line.push(b"x", 0.0)
    line.end(Ending.END, 0.0)
    assert steps(line, 0.0, writable=False) == []
    assert steps(line, 0.0) == [Step(b"x"), Step(ending=Ending.END)]


@pytest.mark.parametrize("sizes", [(12,), (1,) * 12, (5, 7), (4, 4, 4)])
def test_every_nth_byte_is_flipped_by_one_bit(sizes: tuple[int, ...]) -> None:
    """Which bits are flipped depends on the place in the stream and on the seed, not on how it is cut into chunks."""
    line = line_of(corrupt(4))
    passed = b""
    for size in sizes:
        line.push(bytes(size), 0.0)
        passed += b"".join(step.data for step in steps(line, 0.0))
    assert [byte.bit_count() for byte in passed] == [0, 0, 0, 1] * 3
    whole = line_of(corrupt(4))
    whole.push(bytes(12), 0.0)
    assert passed == steps(whole, 0.0)[0].data


@pytest.mark.parametrize(("luck", "struck"), [(0.0, True), (0.29, True), (0.3, False), (0.99, False)])
def test_a_share_strikes_by_luck(luck: float, *, struck: bool) -> None:
    """A connection is struck when its luck is below the share, and healthy otherwise."""
    assert (line_of(reset(share=0.3), luck=luck).step(0.0, writable=True) != NOTHING) is struck
