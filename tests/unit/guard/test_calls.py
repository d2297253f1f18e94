"""How a call goes through the guard, blocking and asynchronous: callables, verdicts, statistics, decorators."""

import asyncio
import functools
import inspect
import types
from collections.abc import Generator
from typing import Any, assert_type
from unittest.mock import AsyncMock

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    Code,
    DeadlineExceeded,
    Guard,
    RateLimit,
    Rejected,
    Retry,
    Timeout,
    circuit_breaker,
)
from switchgear.core.errors import OptionError
from switchgear.guard.guard import KeyBy
from switchgear.testing import VirtualClock
from tests.turns import turns


async def double(value: int) -> int:
    """Return twice the value, later."""
    await turns()
    return 2 * value


class Doubler:
    """An object with an asynchronous call."""

    async def __call__(self, value: int) -> int:
        """Return twice the value."""
        return await double(value)

    async def method(self, value: int) -> int:
        """Return twice the value."""
        return await double(value)

    def blocking(self, value: int) -> int:
        """Return twice the value at once."""
        return 2 * value


@types.coroutine
def double_by_generator(value: int) -> Generator[None, None, int]:
    """Return twice the value, later, as coroutines were written before there was `async def`."""
    yield
    return 2 * value


EVERYTHING = Guard(
    "everything",
    timeout=Timeout(5.0),
    retry=Retry(on=OSError),
    deadline=20.0,
    breaker=Breaker(failure_rate=0.5),
    rate_limit=RateLimit(1e6),
    bulkhead=Bulkhead(8, queue=8),
)


@pytest.mark.parametrize("guard", [Guard("nothing"), EVERYTHING], ids=lambda guard: guard.name)
@pytest.mark.parametrize(
    "function",
    [
        double,
        functools.partial(double),
        Doubler(),
        Doubler().method,
        functools.partial(Doubler()),
        AsyncMock(return_value=6),
        double_by_generator,
        functools.partial(double_by_generator),
    ],
    ids=["function", "partial", "object", "method", "partial object", "mock", "types.coroutine", "partial of that"],
)
async def test_every_kind_of_async_callable_gives_an_awaitable(guard: Guard, function: object) -> None:
    """Functions, methods, partials and objects with async `__call__` are recognised as asynchronous."""
    assert callable(function)
    assert await guard.call(function, 3) == 6


@pytest.mark.parametrize("guard", [Guard("nothing"), EVERYTHING], ids=lambda guard: guard.name)
def test_every_kind_of_blocking_callable_gives_its_result(guard: Guard) -> None:
    """Functions, builtins, classes, partials and methods are called at once."""
    assert guard.call(lambda value: 2 * value, 3) == 6
    assert guard.call(int, "7") == 7
    assert guard.call(max, 3, 4) == 4
    assert guard.call(functools.partial(pow, 2), 5) == 32
    assert guard.call(Doubler().blocking, value=3) == 6


def test_a_blocking_callable_that_returns_an_awaitable_is_a_type_error() -> None:
    """Such a call would run outside the guard; it is refused, says nothing of the dependency, and is closed."""
    guard = Guard("api", breaker=Breaker(failures=1))
    for _ in range(2):
        with pytest.raises(TypeError, match="give the guard the async function itself"):
            _ = guard.call(lambda: double(3))
    assert (guard.state, guard.statistics().ignored) == ("closed", 2)


def test_results_of_any_type_pass() -> None:
    """A result that cannot be awaited passes, whatever its type, the first time and later."""

    class Result:
        pass

    guard = Guard("api")
    assert [type(guard.call(Result)) for _ in range(2)] == [Result, Result]
    assert list(guard.call(lambda: (number for number in range(3)))) == [0, 1, 2]


def test_what_cannot_be_called_is_refused() -> None:
    """The guard says so itself, before anything is counted."""
    guard = Guard("api")
    with pytest.raises(TypeError, match="something to call"):
        guard.call(5)  # type: ignore[arg-type]  # the mistake that is tested
    assert guard.statistics().calls == 0


@pytest.mark.parametrize(
    ("options", "error", "counted"),
    [
        ({}, ValueError(), "failures"),
        ({"on": OSError}, ConnectionError(), "failures"),
        ({"on": (OSError,)}, ValueError(), "successes"),
        ({"ignore": (ValueError,)}, ValueError(), "ignored"),
        ({"on": lambda error: "busy" in str(error)}, ValueError("busy"), "failures"),
        ({"on": lambda error: "busy" in str(error)}, ValueError("no"), "successes"),
        ({}, KeyboardInterrupt(), "ignored"),
        ({}, DeadlineExceeded(sent=True), "failures"),
    ],
)
def test_errors_are_classified(options: dict[str, Any], error: BaseException, counted: str) -> None:
    """By default every Exception is a failure; `on` and `ignore` narrow it; the error itself passes unchanged."""
    guard = Guard("api", breaker=Breaker(**options))

    def call() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        guard.call(call)
    assert caught.value is error
    assert getattr(guard.statistics(), counted) == 1


@pytest.mark.parametrize("error", [CircuitOpen(), DeadlineExceeded(sent=False)])
async def test_a_call_that_never_left_is_refunded(error: Exception) -> None:
    """A refusal further inside counts nowhere: no verdict, and the rate limit gets its cost back."""
    guard = Guard("outer", breaker=Breaker(failures=1), rate_limit=RateLimit(1), clock=VirtualClock())

    async def call() -> None:
        raise error

    for _ in range(3):
        with pytest.raises(type(error)):
            await guard.call(call)
    statistics = guard.statistics()
    assert (statistics.calls, statistics.failures, statistics.in_flight, guard.state) == (0, 0, 0, "closed")


def test_statistics_add_up() -> None:
    """Calls are successes, failures, ignored and in flight; refusals are counted by code."""
    guard = Guard("api", breaker=Breaker(failures=2, cooldown=10.0, jitter=0.0), clock=VirtualClock())
    guard.call(int)
    running = guard.permit_nowait()
    for _ in range(2):
        guard.permit_nowait().fail()
    for _ in range(3):
        with pytest.raises(CircuitOpen):
            guard.call(int)
    running.ignore()
    statistics = guard.statistics()
    assert (statistics.calls, statistics.successes, statistics.failures, statistics.ignored) == (4, 1, 2, 1)
    assert statistics.refused == {Code.CIRCUIT_OPEN: 3}
    assert statistics.rejected == statistics.circuit_breaker_blocked == 3
    assert (statistics.circuit_breaker_opened, statistics.circuit_breaker_closed) == (1, 0)
    assert (statistics.state, statistics.retry_after) == ("open", 10.0)


def test_law_8_a_refusal_carries_the_facts() -> None:
    """Law 8: code, policy, dependency, state, retry_after and decision are in every refusal."""
    guard = Guard("api", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0), clock=VirtualClock())
    guard.key("acme").permit_nowait().fail()
    with pytest.raises(CircuitOpen) as caught:
        guard.key("acme").call(int)
    assert caught.value.facts() == {
        "policy": "breaker",
        "dependency": "api[acme]",
        "state": "open",
        "retry_after": 10.0,
        "decision": "defer",
    }


def test_decorated_functions_stay_what_they_are() -> None:
    """A decorator keeps name, kind and methods, and shows its guard."""
    guard = Guard("api")

    class Client:
        @guard
        def blocking(self, value: int) -> int:
            """Double."""
            return 2 * value

        @guard
        async def later(self, value: int) -> int:
            return 2 * value

    assert Client().blocking(3) == 6
    assert asyncio.run(Client().later(3)) == 6
    assert Client.blocking.__doc__ == "Double."
    assert not inspect.iscoroutinefunction(Client.blocking)
    assert inspect.iscoroutinefunction(Client.later)
    assert getattr(Client.later, "guard") is guard  # noqa: B009 - not in the type of a plain function


@pytest.mark.parametrize("key_by", ["tenant", lambda tenant, **_: tenant])
def test_decorate_sends_each_call_to_its_key(key_by: KeyBy) -> None:
    """`key_by` names a parameter or reads the arguments; each key has a state of its own."""
    guard = Guard("api", rate_limit=RateLimit(1), clock=VirtualClock())

    @guard.decorate(key_by=key_by)
    def call(tenant: str, *, amount: int = 1) -> int:
        return amount

    assert [call("a"), call("b", amount=2), call(tenant="c")] == [1, 2, 1]
    with pytest.raises(Rejected):
        call("a")


def test_decorate_refuses_a_parameter_that_is_not_there() -> None:
    """A misspelt key is found at decoration, not at the first call."""
    with pytest.raises(OptionError, match="key_by='tennant'"):
        Guard("api").decorate(key_by="tennant")(lambda tenant: tenant)


async def test_circuit_breaker_in_one_line() -> None:
    """`circuit_breaker` opens after its threshold of expected errors, for exactly `timeout` seconds."""
    clock = VirtualClock()

    @circuit_breaker(
        name="external_api",
        failure_threshold=2,
        timeout=60.0,
        expected_exception=ConnectionError,
        half_open_max_calls=1,
        clock=clock,
    )
    async def call(error: Exception | None = None) -> str:
        if error is not None:
            raise error
        return "fine"

    for error in (ValueError(), ConnectionError(), ValueError(), ConnectionError(), ConnectionError()):
        with pytest.raises(type(error)):
            await call(error)
    with pytest.raises(CircuitOpen) as caught:
        await call()
    assert caught.value.retry_after == 60.0
    clock.advance(60.0)
    assert await call() == "fine"
    assert call.guard.state == "closed"


@pytest.mark.parametrize(
    ("misplaced", "message"),
    [(len, r"write @circuit_breaker\(\)"), (5, r"by name, not 5; write .*failure_threshold=5")],
)
def test_a_circuit_breaker_without_parentheses_says_what_to_write(misplaced: Any, message: str) -> None:  # noqa: ANN401 - what no type allows
    """The most frequent slip with a decorator is answered with the right words, not with a count of arguments."""
    with pytest.raises(TypeError, match=message):
        circuit_breaker(misplaced)


async def test_a_decorated_function_keeps_its_type_and_has_its_guard() -> None:
    """Type checkers see parameters, result and `guard`, for functions and methods, blocking and async."""
    guard = Guard("api")

    class Client:
        """Has guarded methods."""

        @guard
        async def fetch(self, path: str) -> str:
            """Be called on an object."""
            return path

        @circuit_breaker()
        def fetch_blocking(self, path: str) -> str:
            """Be called on an object, in this thread."""
            return path

    @guard.decorate(key_by="tenant")
    def of(tenant: str, *, limit: int = 1) -> int:
        return limit

    client = Client()
    assert_type(await client.fetch("/a"), str)
    assert_type(client.fetch_blocking("/a"), str)
    assert_type(of("acme", limit=2), int)
    assert_type(client.fetch.guard, Guard)
    assert client.fetch.guard is of.guard is guard
    assert client.fetch_blocking.guard.state == "closed"
    assert (of.__name__, client.fetch.__name__) == ("of", "fetch")


def test_circuit_breakers_of_one_name_are_independent() -> None:
    """A name is a label: only functions decorated by the same decorator share a breaker."""
    first, second = circuit_breaker(name="api", failure_threshold=1), circuit_breaker(name="api", failure_threshold=1)

    def fail() -> None:
        raise ConnectionError

    def work() -> int:
        return 0

    broken, shared, other = first(fail), first(work), second(work)
    with pytest.raises(ConnectionError):
        broken()
    with pytest.raises(CircuitOpen):
        shared()
    assert other() == 0


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"timeout": 5.0},
        {"retry": 3},
        {"breaker": "on"},
        {"rate_limit": 10},
        {"bulkhead": 10},
        {"deadline": 0},
        {"keys_max": 0},
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any]) -> None:
    """The message names the option and what to write."""
    with pytest.raises(OptionError, match="Guard"):
        Guard(**{"name": "api", **options})


def broken_question(_error: BaseException) -> bool:
    """Raise instead of answering."""
    raise ZeroDivisionError


@pytest.mark.parametrize("option", ["on", "ignore"])
async def test_a_raising_question_counts_as_failure_and_leaks_nothing(option: str) -> None:
    """`on=` or `ignore=` that raises: the attempt has failed, place and probe come back, and its error goes out."""
    clock = VirtualClock()
    options: dict[str, Any] = {option: broken_question}
    guard = Guard(
        "api", breaker=Breaker(failures=1, cooldown=1.0, jitter=0.0, **options), bulkhead=Bulkhead(1), clock=clock
    )

    def raise_() -> None:
        raise ConnectionError

    async def fail() -> None:
        raise_()

    async def fail_blocking() -> None:
        guard.call(raise_)

    async def fail_body() -> None:
        async with guard.permit():
            raise ConnectionError

    for number, call in enumerate((lambda: guard.call(fail), fail_blocking, fail_body), 1):
        with pytest.raises(ZeroDivisionError) as caught:
            await call()
        assert isinstance(caught.value.__context__, ConnectionError)
        statistics = guard.statistics()
        assert (statistics.failures, statistics.in_flight, guard.state) == (number, 0, "open")
        clock.advance(60.0)
    with pytest.raises(ZeroDivisionError):
        guard.permit_nowait().fail(ConnectionError(), slow=True)
    assert (guard.statistics().failures, guard.statistics().in_flight) == (4, 0)


def test_a_raising_question_of_retry_leaks_nothing() -> None:
    """`Retry(on=)` that raises: the attempt is settled already, and its error goes out."""
    guard = Guard("api", retry=Retry(on=broken_question), bulkhead=Bulkhead(1))

    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ZeroDivisionError):
        guard.call(fail)
    assert (guard.statistics().failures, guard.statistics().in_flight) == (1, 0)
