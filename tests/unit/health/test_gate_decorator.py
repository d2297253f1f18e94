"""`@destructive`: every kind of function asks the gate before its body runs, and stays of its kind."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from switchgear.core.errors import DestructiveBlocked, OptionError
from switchgear.guard.callables import kind_of
from switchgear.health import (
    Confirmed,
    DestructiveGate,
    Health,
    Inference,
    Inferred,
    Inventory,
    destructive,
    installed_gate,
    operations,
)
from switchgear.health import gate as gate_module
from tests.turns import turns
from tests.unit.health.gate_rig import REQUIRES, Board, Rig

DESTROYED: list[str] = []


@destructive(requires=REQUIRES)
def delete(dead: Confirmed[str], *more: str) -> int:
    """Delete."""
    DESTROYED.extend([dead.value, *more])
    return len(DESTROYED)


@destructive(requires=REQUIRES, operation="sessions.delete_later")
async def delete_later(dead: Confirmed[str], *, tenant: str = "acme") -> str:
    """Delete, after a wait."""
    DESTROYED.append(f"{tenant}/{dead.value}")
    return tenant


@destructive(requires=("redis",))
def sweep(dead: Confirmed[str], count: int) -> Generator[int, str | None, str]:
    """Delete step by step."""
    sent = None
    for number in range(count):
        DESTROYED.append(f"{dead.value}/{number}/{sent}")
        try:
            sent = yield number
        except KeyError:
            sent = "thrown"
    return "swept"


@destructive(requires=("redis",))
async def sweep_later(dead: Confirmed[str], count: int) -> AsyncGenerator[int, str | None]:
    """Delete step by step, with waits."""
    sent = None
    for number in range(count):
        DESTROYED.append(f"{dead.value}/{number}/{sent}")
        try:
            sent = yield number
        except KeyError:
            sent = "thrown"


class Janitor:
    """Deletes as a method."""

    @destructive(requires=("redis",))
    def delete(self, dead: Confirmed[str]) -> str:
        """Delete."""
        DESTROYED.append(dead.value)
        return dead.value

    @classmethod
    @destructive(requires=("redis",))
    def delete_as_class(cls, dead: Confirmed[str]) -> str:
        """Delete."""
        DESTROYED.append(dead.value)
        return cls.__name__

    @staticmethod
    @destructive(requires=("redis",))
    def delete_static(dead: Confirmed[str]) -> None:
        """Delete."""
        DESTROYED.append(dead.value)


@pytest.fixture(autouse=True)
def _nothing_destroyed_and_no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    DESTROYED.clear()
    monkeypatch.setattr(gate_module, "_INSTALLED", [])


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A gate that is installed."""
    made = Rig()
    with made.gate.installed():
        yield made


def run(call: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - whatever it gives
    """Call anything to its end."""

    async def awaited(awaitable: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever it gives
        return await awaitable

    async def listed(items: AsyncGenerator[Any, Any]) -> list[Any]:
        return [item async for item in items]

    given = call(*arguments)
    if inspect.isasyncgen(given):
        return asyncio.run(listed(given))
    if inspect.isgenerator(given):
        return list(given)
    return asyncio.run(awaited(given)) if inspect.isawaitable(given) else given


CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = [
    (delete, (), 1),
    (delete, ("8",), 2),
    (delete_later, (), "acme"),
    (sweep, (3,), [0, 1, 2]),
    (sweep_later, (3,), [0, 1, 2]),
    (Janitor().delete, (), "session-7"),
    (Janitor.delete_as_class, (), "Janitor"),
    (Janitor.delete_static, (), None),
]


@pytest.mark.parametrize(("call", "arguments", "given"), CALLS)
def test_every_kind_of_function_does_its_work(
    rig: Rig,
    call: Callable[..., Any],
    arguments: tuple[Any, ...],
    given: Any,  # noqa: ANN401 - whatever it gives
) -> None:
    """With everything in order a marked function is what it was."""
    assert run(call, rig.confirmed(), *arguments) == given
    assert DESTROYED


@pytest.mark.parametrize(("call", "arguments", "_given"), CALLS)
@pytest.mark.parametrize("wrong", ["redis", "reason", "nothing", "switch", "gate"])
def test_no_kind_of_function_destroys_when_it_may_not(
    rig: Rig, call: Callable[..., Any], arguments: tuple[Any, ...], _given: object, wrong: str
) -> None:
    """A dependency, the reason, the switch, or no gate at all: the body does not begin."""
    reason: Any = rig.confirmed()
    installed = [] if wrong == "gate" else gate_module._INSTALLED  # noqa: SLF001 - there is no way to take a gate away
    if wrong == "redis":
        rig.board.states["redis"] = Health.UNKNOWN
    elif wrong == "reason":
        reason = Inferred(Inference.SILENCE, "api_socket")
    elif wrong == "nothing":
        reason = None
    elif wrong == "switch":
        rig.switch = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate_module, "_INSTALLED", installed)
        with pytest.raises(DestructiveBlocked):
            run(call, reason, *arguments)
    assert DESTROYED == []


def test_without_a_gate_every_call_is_refused() -> None:
    """A gate that was forgotten protects; the refusal says what to write."""
    rig = Rig()
    assert installed_gate() is None
    with pytest.raises(DestructiveBlocked, match=r"write gate\.install\(\)") as caught:
        delete(rig.confirmed())
    assert (caught.value.decision, caught.value.policy) == ("reject", "destructive")
    assert DESTROYED == []


def test_the_gate_is_found_when_it_is_called(rig: Rig) -> None:
    """A function is marked at import, before there is a gate; the one in force at the call counts."""
    other = Rig(redis=Health.UNHEALTHY)
    with other.gate.installed():
        assert installed_gate() is other.gate
        with pytest.raises(DestructiveBlocked):
            delete(rig.confirmed())
    assert installed_gate() is rig.gate
    delete(rig.confirmed())
    assert DESTROYED == ["session-7"]


def test_a_gate_stands_in_for_itself() -> None:
    """Blocks end in any order, and each takes only its own away."""
    one, other = Rig().gate, Rig().gate
    first, second, third = one.installed(), other.installed(), one.installed()
    for block in (first, second, third):
        block.__enter__()
    third.__exit__(None, None, None)
    assert installed_gate() is other
    first.__exit__(None, None, None)
    assert installed_gate() is other
    second.__exit__(None, None, None)
    assert installed_gate() is None


def test_nobody_replaces_the_gate_by_accident() -> None:
    """`install` is for the start of a process: the same gate again does nothing, another one is an error."""
    rig = Rig()
    rig.gate.install()
    rig.gate.install()
    assert installed_gate() is rig.gate
    with pytest.raises(OptionError, match="another gate"):
        Rig().gate.install()
    assert installed_gate() is rig.gate


def test_an_explicit_gate_is_the_one_that_is_asked() -> None:
    """Where a function names its gate, what is installed does not matter, and its inventory lists it."""
    rig, red = Rig(), Rig(redis=Health.UNHEALTHY)

    @destructive(requires=("redis",), operation="own", gate=rig.gate)
    def own(dead: Confirmed[str]) -> str:
        return dead.value

    with red.gate.installed():
        assert own(rig.confirmed()) == "session-7"
    assert [record.name for record in rig.gate.inventory()] == ["own"]
    assert "own" not in [record.name for record in operations()]


async def test_an_async_function_is_checked_at_its_first_step(rig: Rig) -> None:
    """What was in order when the coroutine was made may be otherwise when it starts to run."""
    pending = delete_later(rig.confirmed())
    rig.board.states["redis"] = Health.UNKNOWN
    with pytest.raises(DestructiveBlocked):
        await pending
    assert DESTROYED == []


def test_a_generator_is_checked_at_its_first_step_and_at_each_later_one(rig: Rig) -> None:
    """What its caller waited for in between counts; it is closed where it stands, after what it had done."""
    steps = sweep(rig.confirmed(), 5)
    rig.switch = True
    with pytest.raises(DestructiveBlocked):
        next(steps)
    rig.switch = False
    steps = sweep(rig.confirmed(), 5)
    assert [next(steps), next(steps)] == [0, 1]
    rig.board.states["redis"] = Health.UNHEALTHY
    with pytest.raises(DestructiveBlocked) as caught:
        next(steps)
    assert caught.value.done == 2
    assert DESTROYED == ["session-7/0/None", "session-7/1/None"]
    assert list(steps) == []


async def test_an_async_generator_is_checked_at_each_step(rig: Rig) -> None:
    """As a blocking one."""
    steps = sweep_later(rig.confirmed(), 5)
    assert [await anext(steps), await anext(steps)] == [0, 1]
    rig.switch = None
    with pytest.raises(DestructiveBlocked) as caught:
        await anext(steps)
    assert caught.value.done == 2
    assert DESTROYED == ["session-7/0/None", "session-7/1/None"]


def test_a_generator_is_driven_as_before(rig: Rig) -> None:
    """What is sent, thrown and returned goes through."""

    def outer() -> Generator[int, str | None, str]:
        return (yield from sweep(rig.confirmed(), 3))

    steps = outer()
    next(steps)
    steps.send("sent")
    steps.throw(KeyError())
    with pytest.raises(StopIteration) as ended:
        next(steps)
    assert ended.value.value == "swept"
    assert DESTROYED == ["session-7/0/None", "session-7/1/sent", "session-7/2/thrown"]


async def test_an_async_generator_is_driven_as_before(rig: Rig) -> None:
    """What is sent and thrown goes through, and closing closes."""
    steps = sweep_later(rig.confirmed(), 9)
    await anext(steps)
    await steps.asend("sent")
    await steps.athrow(KeyError())
    await steps.aclose()
    assert DESTROYED == ["session-7/0/None", "session-7/1/sent", "session-7/2/thrown"]
    with pytest.raises(StopAsyncIteration):
        await anext(steps)


def test_a_generator_that_is_held_back_runs_its_end_at_once(rig: Rig) -> None:
    """Its `finally` does not wait until nobody looks at the refusal any more; one that is closed runs it as well."""
    ends: list[str] = []

    @destructive(requires=("redis",), operation="ends", gate=rig.gate)
    def ending(dead: Confirmed[str]) -> Generator[str, None, None]:
        try:
            yield dead.value
            yield dead.value
        finally:
            ends.append("end")

    steps = ending(rig.confirmed())
    next(steps)
    rig.switch = True
    with pytest.raises(DestructiveBlocked) as caught:
        next(steps)
    assert ends == ["end"]
    assert caught.value.done == 1
    rig.switch = False
    with closing(ending(rig.confirmed())) as others:
        next(others)
    assert ends == ["end", "end"]


async def test_an_async_generator_that_is_held_back_runs_its_end_at_once(rig: Rig) -> None:
    """Its `finally` may wait, and is waited for."""
    ends: list[str] = []

    @destructive(requires=("redis",), operation="ends", gate=rig.gate)
    async def ending(dead: Confirmed[str]) -> AsyncGenerator[str]:
        try:
            yield dead.value
            yield dead.value
        finally:
            await turns()
            ends.append("end")

    steps = ending(rig.confirmed())
    await anext(steps)
    rig.switch = True
    with pytest.raises(DestructiveBlocked) as caught:
        await anext(steps)
    assert ends == ["end"]
    assert caught.value.done == 1


def test_errors_of_the_function_pass(rig: Rig) -> None:
    """The gate swallows nothing, and calls nothing twice."""

    @destructive(requires=("redis",), operation="failing", gate=rig.gate)
    def failing(dead: Confirmed[str]) -> None:
        DESTROYED.append(dead.value)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing(rig.confirmed())
    assert DESTROYED == ["session-7"]


def test_a_function_asks_again_after_its_own_wait(rig: Rig) -> None:
    """`check` is at hand inside: of functions and of methods."""

    @destructive(requires=REQUIRES, operation="patient", gate=rig.gate)
    def patient(dead: Confirmed[str]) -> None:
        rig.board.states["redis"] = Health.DEGRADED
        patient.check(dead)
        DESTROYED.append(dead.value)

    with pytest.raises(DestructiveBlocked, match="degraded"):
        patient(rig.confirmed())
    with pytest.raises(DestructiveBlocked):
        Janitor().delete.check(rig.confirmed())
    assert patient.operation == "patient"
    assert DESTROYED == []


def test_the_reason_may_be_given_by_name(rig: Rig) -> None:
    """What a type checker forbids is found at run time all the same."""
    call: Any = delete_later
    assert run(partial(call, dead=rig.confirmed(), tenant="globex")) == "globex"
    with pytest.raises(DestructiveBlocked, match="NoneType"):
        run(partial(call, tenant="globex"))
    assert DESTROYED == ["globex/session-7"]


def test_a_marked_function_stays_what_it_was() -> None:
    """Name, signature and kind are those of the function; guards and other decorators see no difference."""
    assert (delete.__name__, delete.__doc__) == ("delete", "Delete.")
    assert list(inspect.signature(delete).parameters) == ["dead", "more"]
    kinds = [kind_of(function) for function in (delete, delete_later, sweep, sweep_later)]
    assert kinds == [0, 1, 2, 3]


def test_what_a_blocking_function_returns_must_be_there(rig: Rig) -> None:
    """An awaitable or generator would run after the check: it is refused, and a coroutine never runs."""

    async def later(dead: Confirmed[str]) -> None:
        DESTROYED.append(dead.value)

    def items(dead: Confirmed[str]) -> Iterator[str]:
        DESTROYED.append(dead.value)
        yield dead.value

    async def async_items(dead: Confirmed[str]) -> AsyncGenerator[str]:
        DESTROYED.append(dead.value)
        yield dead.value

    def mapped(dead: Confirmed[str]) -> Iterator[None]:
        return map(DESTROYED.append, [dead.value])

    for number, function in enumerate((later, items, async_items, mapped)):

        def hidden(dead: Confirmed[str], function: Callable[..., Any] = function) -> Any:  # noqa: ANN401 - see above
            return function(dead)

        marked = destructive(requires=("redis",), operation=f"hidden.{number}", gate=rig.gate)(hidden)
        with pytest.raises(TypeError, match="runs later"):
            marked(rig.confirmed())
    assert DESTROYED == []


@pytest.mark.parametrize(
    "function",
    [lambda: None, lambda *, dead: None, lambda self: None, lambda **dead: None, lambda *dead: None],
    ids=["nothing", "by name only", "self alone", "any name", "any number"],
)
def test_a_function_without_a_place_for_its_reason_is_refused(function: Callable[..., Any]) -> None:
    """A destructive function that takes no reason cannot have one."""
    with pytest.raises(OptionError, match="no place for its reason"):
        destructive(requires=("redis",), gate=Rig().gate)(function)


@pytest.mark.parametrize("requires", [(), "redis", (7,)])
def test_requirements_are_checked_at_import(requires: Any) -> None:  # noqa: ANN401 - any value at all
    """A mistake shows when the module is imported, not in an outage."""

    def function(dead: Confirmed[str]) -> None:
        DESTROYED.append(dead.value)

    with pytest.raises(OptionError, match="require"):
        destructive(requires=requires, gate=Rig().gate)(function)


def test_objects_and_partials_can_be_marked(rig: Rig) -> None:
    """Whatever can be called and has a place for the reason."""

    class Deleter:
        def __call__(self, dead: Confirmed[str]) -> str:
            return dead.value

    def of_tenant(dead: Confirmed[str], tenant: str) -> str:
        return f"{tenant}/{dead.value}"

    mark = destructive(requires=("redis",), operation="callables", gate=rig.gate)
    assert mark(Deleter())(rig.confirmed()) == "session-7"
    assert mark(partial(of_tenant, tenant="acme"))(rig.confirmed()) == "acme/session-7"


def test_threads_never_destroy_while_a_dependency_does_not_vouch() -> None:
    """A board that flips under eight threads: at the moment of each check that passed, it vouched."""
    rig = Rig()
    lock = threading.RLock()
    wrong: list[str] = []
    counts = {"done": 0, "blocked": 0}
    reason = rig.confirmed()

    @destructive(requires=REQUIRES, operation="threads", gate=rig.gate)
    def flip_and_check(dead: Confirmed[str]) -> None:
        if set(rig.board.states.values()) != {Health.HEALTHY}:
            wrong.append(dead.value)

    def work(number: int) -> None:
        for turn in range(200):
            with lock:  # so that the moment of the check is that of the effect
                rig.board.states["redis"] = Health.HEALTHY if (turn + number) % 3 else Health.UNKNOWN
                try:
                    flip_and_check(reason)
                    counts["done"] += 1
                except DestructiveBlocked:
                    counts["blocked"] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (record,) = rig.gate.inventory()
    assert wrong == []
    assert (record.passed, record.blocked) == (counts["done"], counts["blocked"])
    assert record.passed + record.blocked == 1_600


def test_counts_of_threads_add_up() -> None:
    """Without any lock of the caller, no pass and no refusal is lost."""
    inventory = Inventory()
    rig = Rig()
    gate = DestructiveGate(Board(redis=Health.UNHEALTHY), inventory=inventory, clock=rig.clock)
    green = DestructiveGate(Board(), inventory=inventory, clock=rig.clock)
    reason = rig.confirmed()  # which does not grow old, however long the threads take

    def work() -> None:
        for turn in range(500):
            asked = green if turn % 2 else gate
            try:
                with asked.destructive("threads", requires=("redis",), because=reason):
                    pass
            except DestructiveBlocked:
                pass

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (record,) = inventory.records()
    assert (record.passed, record.blocked) == (1_500, 1_500)
