"""The straight drivers: that their sections are straight, and that they do what the general ones do."""

import asyncio
import dis
import inspect
import itertools
import random
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from types import CodeType, ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear import Breaker, Bulkhead, CircuitOpen, Guard, RateLimit, Rejected, Retry, Timeout
from switchgear.guard import Permit, passing, straight
from switchgear.guard import plan as plans
from switchgear.guard.holding import Hold
from switchgear.guard.member import Member
from switchgear.guard.plan import Plan
from switchgear.guard.specialise import bound_driver, straight_driver
from switchgear.guard.terms import Terms
from switchgear.policies.breaker import BreakerMachine
from switchgear.policies.breaker.windows import ConsecutiveWindow, CountWindow, TimeWindow
from switchgear.policies.bulkhead import BulkheadMachine
from switchgear.policies.rate_limit import RateLimitMachine
from switchgear.testing import VirtualClock
from tests.effort import examples
from tests.turns import turns
from tests.unit.guard.bytecode import SWITCHING, lined

POLICIES: dict[str, Any] = {
    "breaker": Breaker(failure_rate=0.5, minimum_calls=4, window=10.0, cooldown=5.0, jitter=0.0),
    "rate_limit": RateLimit(5, per=1.0, burst=3),
    "bulkhead": Bulkhead(2),
    "timeout": Timeout(5.0),
}
SETS = [
    {name: POLICIES[name] for name in names} for size in range(5) for names in itertools.combinations(POLICIES, size)
]
BOUND = (None, len, lambda first, second, *, third: (first, second, third))
STATE = (Member, BreakerMachine, ConsecutiveWindow, CountWindow, TimeWindow, RateLimitMachine, BulkheadMachine)


def driver(policies: dict[str, Any], *, asynchronous: bool, bound: Callable[..., object] | None) -> Any:  # noqa: ANN401 - a function
    """Return the straight driver of a guard with these policies, for one function or for any, or None."""
    guard = Guard("api", **policies)
    member = guard._member  # noqa: SLF001 - looked into
    if bound is not None:
        return bound_driver(member, Terms(), bound, len, asynchronous=asynchronous)
    return straight_driver(member.plan, asynchronous=asynchronous)


def sections(code: CodeType, module: ModuleType = straight) -> list[tuple[int, int]]:
    """Return first and last line of each marked section."""
    lines = inspect.getsource(module).splitlines()
    begins = [number for number, line in enumerate(lines, 1) if line.strip().startswith("# straight section")]
    ends = [number for number, line in enumerate(lines, 1) if line.strip() == "# end of section"]
    assert code.co_filename == inspect.getsourcefile(module)
    return list(zip(begins, ends, strict=True))


def successors(instructions: list[dis.Instruction], at: int) -> Iterator[int]:
    """Yield the places that may come after the instruction at `at`."""
    instruction = instructions[at]
    by_offset = {each.offset: number for number, each in enumerate(instructions)}
    if instruction.opname.startswith(("RETURN", "RAISE", "RERAISE")):
        return
    if "JUMP" in instruction.opname or instruction.opname == "SEND":
        yield by_offset[instruction.argval]
    if not instruction.opname.startswith("JUMP"):
        yield at + 1


def ways_through(code: CodeType, first: int, last: int) -> Iterator[dis.Instruction]:
    """Yield the instructions of lines `first` to `last` that lead to the line after them, or to a return of their own.

    A return that comes after a call is none of the section's: there the driver has handed over to another.
    """
    instructions = list(dis.get_instructions(code))
    lines = [line for line, _ in lined(instructions)]
    inside = {at for at, number in enumerate(lines) if first <= number <= last}
    leads_out = {at for at in inside if any(lines[to] > last for to in successors(instructions, at))}
    leads_out |= {at for at in _before_any_call(instructions, inside) if instructions[at].opname.startswith("RETURN")}
    grown = True
    while grown:
        more = {at for at in inside - leads_out if leads_out.intersection(successors(instructions, at))}
        grown = bool(more)
        leads_out |= more
    yield from (instructions[at] for at in sorted(leads_out))


def _before_any_call(instructions: list[dis.Instruction], inside: set[int]) -> set[int]:
    """Return what of a section can be reached without a call."""
    reached, front = set[int](), {min(inside)} if inside else set()
    while front:
        reached |= front
        calm = [at for at in front if not instructions[at].opname.startswith(SWITCHING)]
        front = {to for at in calm for to in successors(instructions, at) if to in inside} - reached
    return reached


@pytest.mark.parametrize("bound", BOUND, ids=["for any", "packed", "plain"])
@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("policies", SETS, ids=lambda policies: "+".join(policies) or "nothing")
def test_no_other_thread_can_come_into_a_straight_section(
    *, policies: dict[str, Any], asynchronous: bool, bound: Callable[..., object] | None
) -> None:
    """On every way through a section there is no call, loop or await, and every attribute is a plain slot."""
    function = driver(policies, asynchronous=asynchronous, bound=bound)
    if function is None:
        assert "timeout" in policies
        assert not asynchronous
        return
    for first, last in sections(function.__code__):
        way = list(ways_through(function.__code__, first, last))
        assert way or not policies
        assert [each.opname for each in way if each.opname.startswith(SWITCHING)] == []
        for name in {each.argval for each in way if each.opname in {"LOAD_ATTR", "STORE_ATTR"}}:
            found = [inspect.getattr_static(kind, name) for kind in STATE if hasattr(kind, name)]
            assert found or hasattr(Terms, name)
            assert all(inspect.ismemberdescriptor(slot) for slot in found)


@pytest.mark.parametrize("bound", BOUND, ids=["for any", "packed", "plain"])
@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("policies", SETS, ids=lambda policies: "+".join(policies) or "nothing")
def test_no_interrupt_can_come_between_the_way_in_and_the_try(
    *, policies: dict[str, Any], asynchronous: bool, bound: Callable[..., object] | None
) -> None:
    """From the count of a call that is let in up to what gives its place back, CPython asks for no interrupt."""
    function = driver(policies, asynchronous=asynchronous, bound=bound)
    if function is None:
        assert "timeout" in policies
        return
    instructions = list(dis.get_instructions(function.__code__))
    counted = [at for at, each in enumerate(instructions) if (each.opname, each.argval) == ("STORE_ATTR", "entered")]
    assert len(counted) == 1
    after = instructions[counted[0] + 1 :]
    entries: Any = dis.Bytecode(function.__code__).exception_entries  # type: ignore[attr-defined] # typeshed lacks it
    protected = min(entry.start for entry in entries if entry.start >= after[0].offset)
    way = [each for each in after if each.offset < protected]
    assert [each.opname for each in way if each.opname.startswith(SWITCHING)] == []


@pytest.mark.parametrize("function", [passing.admitted, passing.succeed])
def test_no_other_thread_can_come_into_a_section_of_a_permit(function: Callable[..., object]) -> None:
    """As above, for what lets permits in and takes their success: whatever is returned, nobody came in between."""
    first = inspect.getsourcelines(function)[1]
    last = first + len(inspect.getsourcelines(function)[0])
    (section,) = [each for each in sections(function.__code__, passing) if first <= each[0] <= last]
    inside = [each for each in lined(dis.get_instructions(function.__code__)) if section[0] <= each[0] <= section[1]]
    assert len(inside) > 20
    assert [each.opname for _, each in inside if each.opname.startswith(SWITCHING)] == []
    for name in {each.argval for _, each in inside if each.opname in {"LOAD_ATTR", "STORE_ATTR"}}:
        found = [inspect.getattr_static(kind, name) for kind in (*STATE, Hold, Plan, Terms) if hasattr(kind, name)]
        assert found or name in {"per_second", "full_level", "limit", "rate_limit"}  # plain fields of options
        assert all(inspect.ismemberdescriptor(slot) for slot in found if not isinstance(slot, float))


def test_the_check_of_sections_can_fail() -> None:
    """A call on the way through is seen."""
    code = compile("a = 1\nb = abs(a)\nc = b\nd = c\n", "x", "exec")
    assert [each.opname for each in ways_through(code, 2, 3) if each.opname.startswith("CALL")]


class World:
    """A guard on a clock of its own, and what a script of calls did to it."""

    def __init__(self, policies: dict[str, Any], *, in_general: bool) -> None:
        self.clock = VirtualClock()
        self.in_general = in_general
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plans, "ONE_THREAD_AT_A_TIME", not in_general)
            self.guard = Guard("api", clock=self.clock, random=random.Random(7), **policies)
        self.packed = self.guard(self.act)  # a method is called with packed arguments, a function is not
        self.plain = self.guard(plain(self))
        self.plain_async = self.guard(plain_async(self))
        self.permits: list[Permit] = []
        self.error: type[Exception] | None = None

    def change(self, tenants: int) -> None:
        """Go on with a breaker for so many tenants, or with none."""
        breaker: Breaker | None = replace(POLICIES["breaker"], tenants=tenants) if tenants else None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plans, "ONE_THREAD_AT_A_TIME", not self.in_general)
            self.guard.reconfigure(breaker=breaker)

    def settle(self) -> None:
        """Settle the oldest permit that is held."""
        if not self.permits:
            return
        permit = self.permits.pop(0)
        if self.error is None:
            permit.succeed()
        else:
            permit.fail(self.error("down"))

    def act(self, seconds: float, error: type[Exception] | None) -> str:
        """Be the dependency: take time, then fail or not."""
        self.clock.advance(seconds)
        if error is not None:
            raise error("down")
        return "done"

    async def act_async(self, seconds: float, error: type[Exception] | None) -> str:
        """Be the dependency, asynchronously."""
        return self.act(seconds, error)

    def do(self, how: str, seconds: float, error: type[Exception] | None, cost: float) -> object:
        """Make one call in one of the ways, and return how it ended and how the guard stands."""
        ways: dict[str, Callable[[], object]] = {
            "call": lambda: self.guard.using(cost=cost).call(self.act, seconds, error),
            "packed": lambda: self.packed(seconds, error=error),
            "plain": lambda: self.plain(seconds, error),
            "plain async": lambda: asyncio.run(self._await(self.plain_async(seconds, error=error))),
            "async": lambda: asyncio.run(self._await(self.guard.using(cost=cost).call(self.act_async, seconds, error))),
            "permit": lambda: self.guard.permit_nowait(cost=cost, tenant=f"t{cost}").succeed(),
            "held": lambda: self.permits.append(self.guard.permit_nowait(cost=cost, tenant=f"t{seconds}")),
            "settle": self.settle,
            "change": lambda: self.change(min(int(cost), 2)),
            "pass": lambda: self.clock.advance(seconds),
        }
        self.error = error
        try:
            end: object = ways[how]()
        except Rejected as refused:
            end = refused.to_dict()
        except Exception as failed:  # noqa: BLE001 - whatever it is, both have to end so
            end = repr(failed)
        return end, self.guard.statistics()

    async def _await(self, call: Any) -> object:  # noqa: ANN401 - an awaitable
        task = asyncio.ensure_future(call)
        await turns()
        while not task.done():
            await self.clock.elapse(0.1)
        return await task


def plain(world: World) -> Callable[..., str]:
    """Return a function with plain parameters."""

    def act(seconds: float, error: type[Exception] | None = None) -> str:
        return world.act(seconds, error)

    return act


def plain_async(world: World) -> Callable[..., Coroutine[Any, Any, str]]:
    """Return an async function with plain parameters."""

    async def act(seconds: float, error: type[Exception] | None = None) -> str:
        return world.act(seconds, error)

    return act


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["call", "packed", "plain", "async", "plain async", "permit", "held", "settle", "change", "pass"]
        ),
        st.sampled_from([0.0, 0.1, 0.5, 3.0, 11.0]),
        st.sampled_from([None, None, None, OSError, ValueError]),
        st.sampled_from([0.0, 1.0, 2.0, 4.0]),
    ),
    max_size=30,
)


@settings(max_examples=examples(120), deadline=None)
@given(steps=STEPS, number=st.integers(0, len(SETS) - 1), retried=st.booleans(), tenants=st.integers(1, 2))
def test_straight_drivers_do_what_the_machines_say(
    *, steps: list[Any], number: int, retried: bool, tenants: int
) -> None:
    """Whatever is called in whatever order, results, refusals and statistics are those of the general drivers."""
    policies = {name: policy for name, policy in SETS[number].items() if name != "timeout"}
    if "breaker" in policies:
        policies["breaker"] = replace(policies["breaker"], tenants=tenants)
    if retried:
        policies["retry"] = Retry(attempts=2, on=OSError, backoff="constant", base=0.2)
    quick, general = World(policies, in_general=False), World(policies, in_general=True)
    for step in steps:
        assert quick.do(*step) == general.do(*step)
    assert quick.clock.monotonic() == general.clock.monotonic()


@pytest.fixture
def restless() -> Iterator[None]:
    """Have the interpreter change threads as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless")
def test_eight_threads_count_exactly() -> None:
    """Without a mutex on the way, no call, place or cost unit is lost, and no limit is passed."""
    clock = VirtualClock()
    guard = Guard(
        "api",
        breaker=Breaker(failure_rate=0.9, minimum_calls=1_000_000, window=60.0),
        rate_limit=RateLimit(1.0, per=1_000.0, burst=9_000),
        bulkhead=Bulkhead(3),
        clock=clock,
    )
    inside, most, refused, made = 0, 0, [0] * 8, [0] * 8
    counting = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        with counting:
            inside -= 1

    def calls(number: int) -> None:
        for turn in range(2_000):
            try:
                if turn % 3:
                    guard.call(work if turn % 10 else failing)
                else:
                    permit = guard.permit_nowait()
                    work()
                    permit.succeed()
                made[number] += 1
            except Rejected:
                refused[number] += 1
            except OSError:
                made[number] += 1

    def failing() -> None:
        work()
        raise OSError

    threads = [threading.Thread(target=calls, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statistics = guard.statistics()
    assert most <= 3
    assert statistics.calls == sum(made) <= 9_000
    assert statistics.rejected == sum(refused)
    assert statistics.in_flight == 0
    assert statistics.successes + statistics.failures == sum(made)


def test_a_quick_refusal_has_every_fact_and_leaves_no_cycle() -> None:
    """The refusal of an open breaker carries the facts of any other, and nothing keeps it alive."""
    guard = Guard("api", breaker=Breaker(failures=1, cooldown=60.0, jitter=0.0), clock=VirtualClock())
    guard.permit_nowait().fail()
    with pytest.raises(CircuitOpen) as quick:
        guard.call(int)
    unsubscribe = guard.subscribe(lambda _event: None)
    with pytest.raises(CircuitOpen) as told:
        guard.call(int)
    unsubscribe()
    assert quick.value.to_dict() == told.value.to_dict()
    assert guard.statistics().circuit_breaker_blocked == 2


@pytest.mark.parametrize("later", [None, Breaker(failures=2), Breaker(failures=2, tenants=2)])
@pytest.mark.parametrize("first", [None, Breaker(failures=2), Breaker(failures=2, tenants=2)])
def test_a_permit_is_settled_under_whatever_breaker_there_is_by_then(
    first: Breaker | None, later: Breaker | None
) -> None:
    """Options may change while a call is under way: it gives its place back, and counts once."""
    guard = Guard("api", breaker=first, bulkhead=Bulkhead(1), clock=VirtualClock())
    guard.permit_nowait(tenant="acme").succeed()
    permit = guard.permit_nowait(tenant="acme")
    guard.reconfigure(breaker=later)
    permit.succeed()
    permit.fail()
    statistics = guard.statistics()
    assert (statistics.in_flight, statistics.successes, statistics.failures) == (0, 2, 0)
    guard.permit_nowait(tenant="acme").succeed()


@pytest.mark.usefixtures("restless")
def test_a_permit_that_two_threads_settle_counts_once() -> None:
    """Who comes first is heard, and the place is given back once."""
    guard = Guard("api", breaker=Breaker(failures=1_000, tenants=2), bulkhead=Bulkhead(1))
    for turn in range(150):
        permit = guard.permit_nowait(tenant="acme")
        settling = [threading.Thread(target=each) for each in (permit.succeed, permit.succeed, permit.fail)]
        for thread in settling:
            thread.start()
        for thread in settling:
            thread.join()
        statistics = guard.statistics()
        assert (statistics.in_flight, statistics.successes + statistics.failures) == (0, turn + 1)
