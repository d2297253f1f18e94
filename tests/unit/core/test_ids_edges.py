"""Ids and deadlines at their edges: every bit of an id, and the moment at which two deadlines are one."""

import contextvars
import dis
import inspect
import random
import sys
from typing import Any

import pytest

from switchgear.core import ids
from switchgear.core.clock import SYSTEM_CLOCK, VirtualClock
from switchgear.core.deadline import Deadline, current_deadline, deadline
from switchgear.core.errors import OptionError
from switchgear.core.ids import IdSource, created_at
from switchgear.core.mutexes import is_own
from tests.unit.guard.bytecode import SWITCHING, lined

SECTION = ("# straight section", "# end of section")
STEP_BITS = 24


class Drawn(random.Random):
    """Draws what it is told to, and notes how much was asked for."""

    def __init__(self, bits: int, steps: int = 0) -> None:
        """Answer with these."""
        super().__init__(0)
        self.asked: list[int] = []
        self._bits, self._steps = bits, steps

    def getrandbits(self, k: int) -> int:
        """Return the bits of an id, or of a step."""
        self.asked.append(k)
        return self._steps if k == STEP_BITS else self._bits


def test_an_id_is_twelve_digits_of_milliseconds_and_twenty_of_randomness() -> None:
    """The first bit of the randomness is 0, so that many ids of one millisecond still carry its time."""
    drawn = Drawn(bits=2**79 - 1)
    source = IdSource(VirtualClock(wall=1_700_000_000.123), drawn)
    assert source.next("int") == f"int_{1_700_000_000_123:012x}7{'f' * 19}"
    assert drawn.asked == [79]


def test_ids_of_one_millisecond_rise_by_random_steps() -> None:
    """Each is at least 1 above the one before, so none can be guessed to be the next, and none repeats."""
    drawn = Drawn(bits=5, steps=0)
    source = IdSource(VirtualClock(wall=1_700_000_000.0), drawn)
    first, second = source.next("a"), source.next("b")
    assert int(second.removeprefix("b_"), 16) - int(first.removeprefix("a_"), 16) == 1
    assert drawn.asked == [79, STEP_BITS]


class Interrupted(random.Random):
    """Is interrupted once as it draws, by a signal handler that makes an id as well."""

    def __init__(self) -> None:
        """Draw as any other."""
        super().__init__(0)
        self.source: IdSource | None = None
        self.made: list[str] = []

    def getrandbits(self, k: int) -> int:
        """Return the bits."""
        drawn = super().getrandbits(k)
        if (source := self.source) is not None:
            self.source = None
            self.made.append(source.next("inner"))
        return drawn


def test_a_signal_handler_may_make_an_id_while_one_is_made() -> None:
    """It neither waits for itself, nor makes ids fall or repeat."""
    rng = Interrupted()
    rng.source = source = IdSource(VirtualClock(), rng)
    outer = [source.next("int") for _ in range(3)]
    digits = [made.partition("_")[2] for made in (*rng.made, *outer)]
    assert digits == sorted(set(digits))


class Locked(random.Random):
    """Notes as it draws whether this thread holds the mutex of the source."""

    def __init__(self) -> None:
        """Draw as any other."""
        super().__init__(0)
        self.source: IdSource | None = None
        self.alone: list[bool] = []

    def getrandbits(self, k: int) -> int:
        """Return the bits."""
        assert self.source is not None
        self.alone.append(is_own(self.source._lock))  # noqa: SLF001 - looked into
        return super().getrandbits(k)


@pytest.mark.parametrize("one_at_a_time", [True, False])
def test_ids_are_made_under_a_mutex_only_where_threads_run_side_by_side(
    monkeypatch: pytest.MonkeyPatch, *, one_at_a_time: bool
) -> None:
    """Where one runs at a time, none comes between the question whether another id was made and the answer."""
    monkeypatch.setattr(ids, "ONE_THREAD_AT_A_TIME", one_at_a_time)
    rng = Locked()
    rng.source = IdSource(VirtualClock(), rng)
    rng.source.next("int")
    assert rng.alone == [not one_at_a_time]


def test_no_other_thread_can_come_into_the_section_of_an_id() -> None:
    """From the question whether another id was made up to the answer there is no call, loop or import."""
    lines, start = inspect.getsourcelines(IdSource._made)  # noqa: SLF001 - looked into
    first, last = (start + at for at, line in enumerate(lines) if line.strip() in SECTION)
    way = [each for line, each in lined(dis.get_instructions(IdSource._made)) if first < line < last]  # noqa: SLF001
    names = [each.opname for each in way]
    assert ("STORE_ATTR", "_last") in [(each.opname, each.argval) for each in way]
    assert [name for name in names[: names.index("STORE_ATTR")] if name.startswith(SWITCHING)] == []


def test_the_first_id_of_an_empty_clock_is_one_above_nothing() -> None:
    """At the epoch itself there is no time to count from, and the id still rises above 0."""
    source = IdSource(VirtualClock(wall=0.0), Drawn(bits=7, steps=3))
    assert source.next("a") == f"a_{4:032x}"
    assert source.next("a") == f"a_{8:032x}"


def test_an_id_reaches_the_millisecond_of_the_clock_again_after_many_steps() -> None:
    """When steps have gone as far as the next millisecond begins, the next id goes on from them."""
    clock = VirtualClock(wall=1_700_000_000.0)
    source = IdSource(clock, Drawn(bits=0, steps=2**80 - 1))
    source.next("a")
    stepped = source.next("a")
    clock.jump_wall(0.001)
    assert stepped == f"a_{1_700_000_000_001:012x}{'0' * 20}"
    assert int(source.next("a").removeprefix("a_"), 16) == int(stepped.removeprefix("a_"), 16) + 2**80


def test_an_id_tells_its_millisecond() -> None:
    """Whatever stands in its randomness, and whatever its prefix holds."""
    assert created_at(f"dead_letter_{1_700_000_000_123:012x}{'f' * 20}") == 1_700_000_000.123
    for wrong in ("_" + "0" * 32, "int_" + "0" * 31, "int_" + "0" * 33, "int"):
        with pytest.raises(ValueError, match=r"^not a Switchgear id") as refused:
            created_at(wrong)
        assert str(refused.value) == f"not a Switchgear id: {wrong!r}"


def test_sources_of_the_system_differ() -> None:
    """Without a generator each source is seeded by the system, and takes the time of the machine."""
    first, second = IdSource().next("a"), IdSource().next("a")
    assert first[-19:] != second[-19:]
    assert abs(created_at(first) - SYSTEM_CLOCK.time()) < 60.0


def test_of_two_deadlines_at_one_moment_the_outer_one_is_in_force() -> None:
    """An inner scope changes nothing unless it is tighter."""
    clock = VirtualClock()
    with deadline(5.0, clock=clock) as outer, deadline(5.0, clock=clock) as inner:
        assert inner is outer
    with deadline(5.0, clock=clock) as outer, deadline(4.9, clock=clock) as inner:
        assert inner is not outer


@pytest.mark.parametrize("seconds", [0, 0.5, sys.float_info.max])
def test_a_deadline_may_be_short_or_over_at_once(seconds: float) -> None:
    """0 is a deadline that has already passed."""
    clock = VirtualClock()
    with deadline(seconds, clock=clock) as limit:
        assert limit.remaining() == seconds
        assert limit.clock is clock


@pytest.mark.parametrize("seconds", [-0.5, float("inf"), float("nan"), 10**400, "5", None])
def test_a_deadline_that_cannot_be_says_what_it_needs(seconds: Any) -> None:  # noqa: ANN401 - any value at all
    """The message shows what was given."""
    with pytest.raises(OptionError) as refused:
        deadline(seconds)
    assert refused.value.message == f"deadline() needs finite seconds of at least 0, not {seconds!r}"


def test_a_scope_can_be_entered_again() -> None:
    """The same object nests in itself, and each exit restores what stood before."""
    clock = VirtualClock()
    scope = deadline(5.0, clock=clock)
    with scope as outer:
        clock.advance(1.0)
        with scope as inner:
            assert inner is outer
        assert current_deadline() is outer
    assert current_deadline() is None


def test_a_deadline_is_kept_for_each_other_clock_by_itself() -> None:
    """A second clock asked later gets what remains then; the first keeps its moment."""
    here, there, yonder = VirtualClock(start=0.0), VirtualClock(start=100.0), VirtualClock(start=1_000.0)
    limit = Deadline(4.0, here)
    assert limit.moment_on(there) == 104.0
    here.advance(1.0)
    assert limit.moment_on(yonder) == 1_003.0
    assert limit.moment_on(there) == 104.0


def test_a_deadline_without_a_clock_is_one_of_the_machine() -> None:
    """The clock of the system is the one that is meant when none is named, for the moment and for the scope."""
    assert Deadline(5.0).clock is SYSTEM_CLOCK

    def entered() -> Deadline:
        with deadline(60.0) as limit:
            return limit

    limit = contextvars.copy_context().run(entered)
    assert limit.clock is SYSTEM_CLOCK
    assert 0.0 < limit.remaining() <= 60.0
