"""Keys that nobody has called yet: what they cost, what wakes them, and how the registry makes room."""

import dis
import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from switchgear import Breaker, Bulkhead, Guard, RateLimit, Retry
from switchgear.core.errors import OptionError
from switchgear.guard.keys import Keys
from switchgear.guard.member import Member
from switchgear.guard.plan import Plan
from switchgear.testing import VirtualClock
from tests.unit.guard.bytecode import SWITCHING, lined


def member_of(guard: Guard) -> Member:
    """Return the member behind a guard or a key of one."""
    return guard._member  # noqa: SLF001 - whether it sleeps cannot be seen from outside


def failing(keys_max: int, clock: VirtualClock | None = None) -> Guard:
    """Return a guard that opens at the first failure and keeps `keys_max` keys."""
    breaker = Breaker(failures=1, cooldown=10.0, jitter=0.0)
    return Guard("api", breaker=breaker, keys_max=keys_max, clock=clock or VirtualClock())


def test_reading_wakes_nobody() -> None:
    """What is only looked at stays as small as it was, whatever is asked of it."""
    guard = Guard("api", breaker=Breaker(), rate_limit=RateLimit(5), bulkhead=Bulkhead(3), retry=Retry(on=OSError))
    key = guard.key("a")
    readings = (key.state, key.statistics(), key.retry_after, repr(key), guard.members(), guard.totals(), guard.state)
    assert readings[0] == "closed"
    assert not member_of(key).awake
    assert not member_of(guard).awake
    key.call(int)
    assert member_of(key).awake
    assert not member_of(guard).awake


def test_reconfiguring_wakes_nobody_and_reaches_all() -> None:
    """A key that sleeps wakes under the plan of then."""
    guard = Guard("api", breaker=Breaker(), clock=VirtualClock())
    key = guard.key("a")
    guard.reconfigure(breaker=None, rate_limit=RateLimit(1))
    assert not member_of(key).awake
    key.call(int)
    assert (member_of(key).breaker, member_of(key).limiter is None) == (None, False)


@pytest.mark.parametrize(
    ("meanwhile", "calls"),
    [(lambda guard: guard.call(int), 2), (lambda guard: guard.reconfigure(breaker=None), 1)],
    ids=["called", "reconfigured"],
)
def test_what_happens_while_it_wakes_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Guard], object], calls: int
) -> None:
    """A signal handler, or an object's end, may use the guard while its machines are being made."""
    guard = Guard("api", breaker=Breaker(), bulkhead=Bulkhead(3))
    new_places = Plan.new_places
    pending = [meanwhile]

    def interrupted(plan: Plan) -> object:
        while pending:
            pending.pop()(guard)
        return new_places(plan)

    monkeypatch.setattr(Plan, "new_places", interrupted)
    guard.call(int)
    statistics = guard.statistics()
    assert (statistics.calls, statistics.successes, statistics.in_flight) == (calls, calls, 0)
    assert (member_of(guard).breaker is None) == (guard.options["breaker"] is None)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="the bytecode is CPython's")
def test_a_member_wakes_in_one_straight_section() -> None:
    """Between the marks there is no call, so nothing can come in between: no thread, no handler, no object's end."""
    source, first = inspect.getsourcelines(Member._wake_up)  # noqa: SLF001 - taken apart
    begin = first + next(at for at, line in enumerate(source) if line.strip() == "# straight section")
    end = first + next(at for at, line in enumerate(source) if line.strip() == "# end of section")
    instructions = dis.get_instructions(Member._wake_up)  # noqa: SLF001 - as above
    inside = [instruction for line, instruction in lined(instructions) if begin < line < end]
    leaving = [each for each in inside if each.opname == "JUMP_BACKWARD" and each.argval < inside[0].offset]
    seen = [instruction.opname for instruction in inside if instruction not in leaving]
    assert seen.count("STORE_ATTR") == 9
    assert [name for name in seen if name.startswith(SWITCHING)] == []


def test_threads_that_ask_for_the_same_key_get_the_same_member() -> None:
    """However many are made at once, one of them is kept, and everybody has that one."""
    guard = Guard("api", breaker=Breaker(), keys_max=5_000)
    found: list[list[Member]] = []
    ready = threading.Barrier(8)

    def ask() -> None:
        ready.wait(60)
        found.append([member_of(guard.key(f"tenant-{number}")) for number in range(500)])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 8
    assert all(len({id(members[number]) for members in found}) == 1 for number in range(500))
    assert guard.statistics().keys == 500


def test_a_key_begins_as_any_member_does() -> None:
    """Making keys is worth a short cut, which must not miss anything that a member has from birth."""
    guard = Guard("api", breaker=Breaker())
    short = member_of(guard.key("a"))
    whole = Member(short.plan, "a", short.mutex)
    missing = object()
    assert not short.awake
    for name in Member.__slots__:
        assert getattr(short, name, missing) is getattr(whole, name, missing)


def test_members_are_spread_over_the_mutexes() -> None:
    """Keys of a full registry do not all wait for one mutex."""
    guard = failing(keys_max=32)
    mutexes = [member_of(guard.key(f"tenant-{number}")).mutex for number in range(96)]
    for began in (0, 32, 64):
        assert len(set(mutexes[began : began + 32])) == 16
    assert guard.statistics().keys_evicted == 64


def test_the_oldest_key_makes_room_first() -> None:
    """Keys go in the order in which they came, without those that would be missed."""
    guard = failing(keys_max=4)
    for name in "abcd":
        guard.key(name)
    guard.key("b").permit_nowait().fail()
    gone = []
    for name in "efghij":
        before = {member.key for member in guard.members()}
        guard.key(name)
        gone += sorted(filter(None, before - {member.key for member in guard.members()}))
    assert gone == list("acdefg")
    assert guard.key("b").state == "open"


def test_a_search_for_room_looks_at_every_key() -> None:
    """Also at those that came after the search before had begun."""
    guard = failing(keys_max=3)
    for name in "abc":
        guard.key(name)
    for name in "bc":
        guard.key(name).permit_nowait().fail()
    guard.key("d")  # instead of a
    guard.key("e")  # instead of d, which is new
    assert sorted(member.key or "" for member in guard.members()) == ["b", "c", "e"]


def test_a_lower_maximum_holds_from_the_next_key_on() -> None:
    """Also for a guard that had so much room that nobody looked."""
    guard = failing(keys_max=5_000)
    for number in range(10):
        guard.key(f"tenant-{number}")
    guard.reconfigure(keys_max=10)
    guard.key("one more")
    statistics = guard.statistics()
    assert (statistics.keys, statistics.keys_evicted) == (10, 1)


class Word(str):
    """A key of a class of one's own."""

    __slots__ = ()


def test_a_text_of_another_class_is_the_same_key() -> None:
    """What is equal is one key; what is no text is refused even when it cannot be looked up."""
    guard = failing(keys_max=3)
    assert member_of(guard.key(Word("a"))) is member_of(guard.key("a"))
    wrong: tuple[Any, ...] = ([], {}, b"a", Word(""), "@overflow", Word("@overflow"))
    for key in wrong:
        with pytest.raises(OptionError, match="key"):
            guard.key(key)


def test_the_registry_is_no_part_of_what_it_keeps() -> None:
    """A key held costs its member and its place in one table, no more."""
    guard = failing(keys_max=50_000)
    for number in range(100):
        guard.key(f"tenant-{number}")
    keys = guard._keys  # noqa: SLF001 - what it holds is what is proved
    assert isinstance(keys, Keys)
    sized = [getattr(keys, slot) for slot in Keys.__slots__ if hasattr(getattr(keys, slot), "__len__")]
    assert sorted(map(len, sized)) == [0, 100]
