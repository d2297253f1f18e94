"""Every way to make a guarded call of one and the same piece of work, for tests of what all of them must have alike.

The work takes one argument: whether it fails. A way takes a guard, and returns how to make a call with whatever
arguments; what is awaited or iterated over is brought to its end.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, ParamSpec

from switchgear import Guard

Call = Callable[..., object]
Way = Callable[[Guard], Call]
P = ParamSpec("P")


def work(fails: bool) -> int:  # noqa: FBT001 - the one thing that a call says
    """Give something, or fail."""
    if fails:
        raise OSError("reset")
    return 1


async def work_async(fails: bool) -> int:  # noqa: FBT001 - as above
    """Give something, or fail."""
    return work(fails)


def packed(fails: bool, *more: object) -> int:  # noqa: FBT001 - as above
    """Take whatever comes after."""
    return work(fails) + len(more)


async def packed_async(fails: bool, *more: object) -> int:  # noqa: FBT001 - as above
    """Take whatever comes after."""
    return work(fails) + len(more)


def keyed(fails: bool, key: str = "a") -> int:  # noqa: FBT001 - as above
    """Name the key."""
    return work(fails) + len(key)


def many(  # noqa: PLR0913, PLR0917 - more than the driver takes by themselves
    fails: bool,  # noqa: FBT001 - as above
    b: int = 2,
    c: int = 3,
    d: int = 4,
    e: int = 5,
    f: int = 6,
    g: int = 7,
    h: int = 8,
    i: int = 9,
) -> int:
    """Take up to nine."""
    return work(fails) + b + c + d + e + f + g + h + i


def generator(fails: bool) -> Iterator[int]:  # noqa: FBT001 - as above
    """Give two things, or fail in between."""
    yield 1
    yield work(fails)


async def generator_async(fails: bool) -> AsyncIterator[int]:  # noqa: FBT001 - as above
    """Give two things, or fail in between."""
    yield 1
    yield work(fails)


class Working:
    """Works when it is made, called, or asked to."""

    def __init__(self, fails: bool) -> None:  # noqa: FBT001 - as above
        """Work."""
        work(fails)

    def method(self, fails: bool) -> int:  # noqa: FBT001 - as above
        """Work."""
        return work(fails)

    def __call__(self, fails: bool) -> int:  # noqa: FBT001 - as above
        """Work."""
        return work(fails)

    async def method_async(self, fails: bool) -> int:  # noqa: FBT001 - as above
        """Work."""
        return work(fails)


class CallableAsync:
    """Works when it is called and awaited."""

    async def __call__(self, fails: bool) -> int:  # noqa: FBT001 - as above
        """Work."""
        return work(fails)


def decorated_method(guard: Guard) -> Call:
    """Return a method that is decorated, bound to its object."""

    class Client:
        @guard
        def ask(self, fails: bool) -> int:  # noqa: FBT001 - as above
            return work(fails)

    return Client().ask


def calling(function: Callable[..., Any]) -> Way:
    """Return the way to call `function` by the guard's own method."""
    return lambda guard: through(guard, function)


def through(guard: Guard, function: Callable[..., Any]) -> Call:
    """Return how to call `function` by the method of a guard, with arguments that no type checker looks at."""
    return lambda *args, **kwargs: guard.call(function, *args, **kwargs)


def awaited(way: Way) -> Way:
    """Return the way in which what `way` gives is awaited."""

    async def end(found: Coroutine[Any, Any, object]) -> object:
        return await found

    return lambda guard: lambda *args, **kwargs: asyncio.run(end(way(guard)(*args, **kwargs)))  # type: ignore[arg-type] # it is


def listed(way: Way) -> Way:
    """Return the way in which what `way` gives is iterated over."""
    return lambda guard: lambda *args, **kwargs: list(way(guard)(*args, **kwargs))  # type: ignore[call-overload] # it can


def listed_async(way: Way) -> Way:
    """Return the way in which what `way` gives is iterated over by a task."""

    async def listing(found: AsyncIterator[object]) -> list[object]:
        return [each async for each in found]

    return lambda guard: lambda *args, **kwargs: asyncio.run(listing(way(guard)(*args, **kwargs)))  # type: ignore[arg-type] # it is


BLOCKING_WAYS: dict[str, Way] = {
    "decorated": lambda guard: guard(work),
    "decorated, more comes": lambda guard: guard(packed),
    "decorated, many": lambda guard: guard(many),
    "decorated, by key": lambda guard: guard.decorate(key_by=lambda *_args, **_kwargs: "a")(work),
    "decorated, by the name of the key": lambda guard: guard.decorate(key_by="key")(keyed),
    "decorated method": decorated_method,
    "decorated partial": lambda guard: guard(functools.partial(work)),
    "called": calling(work),
    "called with terms": lambda guard: through(guard.using(cost=2.0), work),
    "called within a deadline": lambda guard: through(guard.using(deadline=9.0), work),
    "called by key": lambda guard: through(guard.key("a"), work),
    "method": calling(Working(fails=False).method),
    "object": calling(Working(fails=False)),
    "class": calling(Working),
    "partial": calling(functools.partial(work)),
    "cached": calling(functools.lru_cache(work)),
    "guarded elsewhere": lambda guard: through(guard, Guard("inner")(packed)),
    "outcome": lambda guard: lambda *args, **kwargs: guard.outcome(work, *args, **kwargs).unwrap(),
}
ASYNC_WAYS: dict[str, Way] = {
    "async, decorated": awaited(lambda guard: guard(work_async)),
    "async, decorated, more comes": awaited(lambda guard: guard(packed_async)),
    "async, by key": awaited(lambda guard: guard.decorate(key_by=lambda *_args, **_kwargs: "a")(work_async)),
    "async, called": awaited(calling(work_async)),
    "async, called within a deadline": awaited(lambda guard: through(guard.using(deadline=9), work_async)),
    "async method": awaited(calling(Working(fails=False).method_async)),
    "async object": awaited(calling(CallableAsync())),
    "async partial": awaited(calling(functools.partial(work_async))),
}
GENERATOR_WAYS: dict[str, Way] = {
    "generator": listed(calling(generator)),
    "generator, decorated": listed(lambda guard: guard(generator)),
    "generator, by key": listed(lambda guard: through(guard.key("a"), generator)),
    "async generator": listed_async(calling(generator_async)),
    "async generator, decorated": listed_async(lambda guard: guard(generator_async)),
}
WAYS = BLOCKING_WAYS | ASYNC_WAYS | GENERATOR_WAYS
