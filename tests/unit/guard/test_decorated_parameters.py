"""A decorated function is called as it was before: by the same names, with the same defaults, and as strictly."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from switchgear import Breaker, Bulkhead, Guard, RateLimit, Retry

GUARDS = {
    "nothing": lambda: Guard("nothing"),
    "retry": lambda: Guard("retry", retry=Retry(attempts=2, on=OSError, base=0.001)),
    "many": lambda: Guard("many", breaker=Breaker(failures=99), rate_limit=RateLimit(1e6), bulkhead=Bulkhead(9)),
}
MISSING = object()
CALLS: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...] = (
    ((), {}),
    ((1,), {}),
    ((1, 2), {}),
    ((1, 2, 3), {}),
    ((1, 2, 3, 4), {}),
    ((1,), {"second": 2}),
    ((1,), {"first": 2}),
    ((), {"first": 1, "second": 2}),
    ((), {"second": 2}),
    ((1,), {"third": 3}),
    ((1,), {"unknown": 5}),
    ((1, 2), {"second": 3}),
    ((), {"now": 4}),
    ((), {"args": 5, "now": 4}),
)


def none() -> object:
    """Take nothing."""
    return ()


def one(first: object) -> object:
    """Take one."""
    return first


def with_defaults(first: object, second: object = MISSING, third: object = ()) -> object:
    """Take one to three."""
    return first, second, third


def by_place(first: object, /, second: object = MISSING) -> object:
    """Take the first by its place only."""
    return first, second


def by_name(first: object, *, second: object = MISSING) -> object:
    """Take the second by its name only."""
    return first, second


def by_names(*, now: object, args: object = MISSING) -> object:
    """Take both by their names only."""
    return now, args


def packed(*first: object, **second: object) -> object:
    """Take anything."""
    return first, second


def named_alike(first: object, hold: object = 1, member: object = 2, plan: object = 3, now: object = 4) -> object:
    """Have parameters with the names of the driver's own variables."""
    return first, hold, member, plan, now


def many(  # noqa: PLR0913, PLR0917 - more than the driver takes by themselves
    first: object,
    second: int = 2,
    third: int = 3,
    d: int = 4,
    e: int = 5,
    f: int = 6,
    g: int = 7,
    h: int = 8,
    i: int = 9,
) -> object:
    """Take up to nine."""
    return first, second, third, d, e, f, g, h, i


def kept(first: object, second: int = 2) -> object:
    """Be kept by a closure, as parameters may be."""
    return [(first, each) for each in (second,) if first]


FUNCTIONS = (none, one, with_defaults, by_place, by_name, by_names, packed, named_alike, many, kept)


def ending(call: Callable[[], object]) -> object:
    """Return what a call ends with: a result, or the text of its error."""
    try:
        return call()
    except TypeError as error:
        return str(error)


async def ending_async(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """Return what a call ends with that is awaited."""
    try:
        return await call(*args, **kwargs)
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize("kind", GUARDS)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_decorated_function_takes_what_it_took_before(kind: str, function: Callable[..., object]) -> None:
    """Results are the same, and so are the errors of wrong calls, whatever its parameters are."""
    decorated: Any = GUARDS[kind]()(function)
    for args, kwargs in CALLS:
        assert ending(lambda: decorated(*args, **kwargs)) == ending(lambda: function(*args, **kwargs))  # noqa: B023 - called at once
    assert inspect.signature(decorated) == inspect.signature(function)


@pytest.mark.parametrize("kind", GUARDS)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
async def test_a_decorated_async_function_takes_what_it_took_before(kind: str, function: Callable[..., object]) -> None:
    """As above, for one that is awaited."""
    source = inspect.getsource(function)
    namespace: dict[str, Any] = {"MISSING": MISSING}
    exec(f"async {source}", namespace)  # noqa: S102 - the same function, to be awaited
    asynchronous = namespace[function.__name__]
    decorated: Any = GUARDS[kind]()(asynchronous)
    for args, kwargs in CALLS:
        assert await ending_async(decorated, args, kwargs) == await ending_async(asynchronous, args, kwargs)


def test_a_wrong_call_of_a_plain_function_is_no_call() -> None:
    """It never gets as far as the guard: no dependency is blamed for it, and nothing is counted."""
    guard = Guard("api", breaker=Breaker(failures=1))
    decorated: Any = guard(one)
    for _ in range(3):
        with pytest.raises(TypeError, match=r"one\(\) missing 1 required positional argument: 'first'"):
            decorated()
    assert (guard.state, guard.statistics().calls) == ("closed", 0)


def test_a_default_is_the_very_object_of_the_function() -> None:
    """Who marks what was not given by an object of its own finds that object."""
    assert Guard("api")(with_defaults)(1) == (1, MISSING, ())


def test_another_attempt_has_the_same_arguments() -> None:
    """So has a call that does not go straight, and one under other options."""
    guard = Guard("api", retry=Retry(attempts=2, on=OSError, base=0.001))
    seen: list[tuple[list[int], int]] = []

    @guard
    def fail_once(first: list[int], second: int = 2) -> int:
        seen.append((first, second))
        if len(seen) == 1:
            raise OSError
        return second

    given = [1]
    assert fail_once(given) == 2
    guard.reconfigure(retry=None, breaker=Breaker())
    assert fail_once(given, second=3) == 3
    assert seen == [([1], 2), ([1], 2), ([1], 3)]
    assert all(first is given for first, _ in seen)


class Client:
    """Has guarded methods."""

    guard = Guard("client", retry=Retry(on=OSError))

    def __init__(self, base: int) -> None:
        """Start from `base`."""
        self.base = base

    @guard
    def add(self, number: int, more: int = 0) -> int:
        """Add."""
        return self.base + number + more

    @classmethod
    @guard
    def named(cls, ending: str) -> str:
        """Name the class."""
        return cls.__name__ + ending

    @staticmethod
    @guard
    def double(number: int) -> int:
        """Double."""
        return 2 * number


def test_methods_keep_their_object() -> None:
    """The object comes first, as in any function."""
    client = Client(10)
    assert (client.add(1), client.add(number=1, more=2), Client.add(client, 5)) == (11, 13, 15)
    assert (client.named("!"), Client.double(4)) == ("Client!", 8)


def test_what_is_no_function_is_called_with_what_comes() -> None:
    """A partial, a bound method, a builtin and an object that can be called show no plain parameters."""
    guard: Any = Guard("api")
    assert guard(functools.partial(with_defaults, 1))(third=3) == (1, MISSING, 3)
    assert guard(Client(1).add)(2, more=3) == 6
    assert guard(max)(3, 4) == 4
