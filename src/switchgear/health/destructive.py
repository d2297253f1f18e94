"""`@destructive`: a function that destroys something, which asks the gate before its body runs.

Functions and generator functions, blocking and async, stay of their kind. What may not live here: what the gate asks.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.errors import OptionError
from switchgear.guard.callables import ASYNC, ASYNC_GENERATOR, BLOCKING, GENERATOR, kind_of
from switchgear.health.findings import Confirmed
from switchgear.health.gate import DestructiveGate, installed_gate
from switchgear.health.inventory import PROCESS, Operation
from switchgear.health.obstacles import Kind, Obstacle
from switchgear.health.results import refuse_lazy
from switchgear.policies.signatures import signature_of

Owner = TypeVar("Owner")
P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Rest = ParamSpec("Rest")
T = TypeVar("T")

Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]


class Destructive(Protocol[P, R_co]):
    """A function marked destructive: called and awaited as before. Methods stay methods."""

    __name__: str
    __qualname__: str

    @property
    def operation(self) -> str:
        """Its name in the inventory."""

    def check(self, reason: Confirmed[Any], /) -> None:
        """Ask the gate again from inside the function: after a wait, right before what cannot be undone.

        Raises `DestructiveBlocked`.
        """

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function, if the gate lets it."""

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Destructive[P, R_co]: ...
    @overload
    def __get__(
        self: Destructive[Concatenate[Any, Rest], R_co], instance: object, owner: type | None = None, /
    ) -> Destructive[Rest, R_co]: ...
    def __get__(self, instance: object, owner: type | None = None, /) -> Destructive[..., R_co]:
        """Bind a method to its object, as any function does."""


class Marking(Protocol):
    """What `destructive` returns: a decorator of functions.

    Their first parameter is a `Confirmed`; that of methods after ``self`` or ``cls``.
    """

    @overload
    def __call__(
        self, function: Callable[Concatenate[Confirmed[T], P], R], /
    ) -> Destructive[Concatenate[Confirmed[T], P], R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Owner, Confirmed[T], P], R], /
    ) -> Destructive[Concatenate[Owner, Confirmed[T], P], R]: ...
    def __call__(self, function: Callable[..., R], /) -> Destructive[..., R]:
        """Mark `function` as destructive."""


def destructive(
    *, requires: Sequence[str], operation: str | None = None, gate: DestructiveGate | None = None
) -> Marking:
    """Mark a function as destructive: ``@destructive(requires=("redis", "api_socket"))``.

    requires   the dependencies that have to vouch for it, at least one.
    operation  its name in the inventory; default: module and qualified name of the function.
    gate       the gate to ask; default: the one that is installed in the process when it is called. While there is
               none, every call is refused.

    The function takes the reason first, as a `Confirmed`. The gate is asked before its body runs: of an async function
    at its first step, not when the coroutine is made; of a generator at its first step and again at each later one,
    since its caller may have waited in between. Inside, ask again after a wait: ``function.check(reason)``.

    A call raises `DestructiveBlocked` when it is held back. A generator that is held back at a later step is closed.
    Marking raises `OptionError` for requirements that cannot work, and for a function without a place for the reason;
    a blocking function that returns an awaitable or a generator is a `TypeError` at its call.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        return _marked(function, Door(function, requires, operation, gate))

    return cast("Marking", mark)


class Door:
    """Asks the gate for one function: finds the gate, and the reason among the arguments."""

    __slots__ = ("_gate", "_name", "_place", "operation")

    def __init__(
        self, function: Callable[..., Any], requires: Sequence[str], name: str | None, gate: DestructiveGate | None
    ) -> None:
        """List the operation."""
        self._place, self._name = _place_of_reason(function)
        self._gate = gate
        module = getattr(function, "__module__", None) or ""
        qualname = getattr(function, "__qualname__", type(function).__qualname__)
        register = PROCESS.register if gate is None else gate.register
        self.operation: Operation = register(name or f"{module}.{qualname}", requires, f"{module}:{qualname}")

    def enter(self, args: Arguments, kwargs: Keywords) -> object:
        """Ask before the body begins. Return the reason."""
        place = self._place
        reason: object = args[place] if len(args) > place else kwargs.get(self._name)
        self.check(reason)
        self.operation.passed += 1
        return reason

    def check(self, reason: object, done: int = 0) -> None:
        """Ask now, after `done` steps."""
        gate = self._gate or installed_gate()
        if gate is None:
            raise self.operation.refused(Obstacle(Kind.NO_GATE, state="missing"), done, SYSTEM_CLOCK.time())
        gate.check(self.operation, reason, done=done)


def _place_of_reason(function: Callable[..., Any]) -> tuple[int, str]:
    """Return where among the positional arguments the reason is, and the name of its parameter."""
    parameters = list(signature_of(function).parameters.values())
    place = 1 if parameters and parameters[0].name in ("self", "cls") else 0
    for parameter in parameters[place : place + 1]:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return place, parameter.name
    raise OptionError(
        f"{function!r} has no place for its reason; write for example: def delete(dead: Confirmed[Session]) -> None"
    )


def _marked(function: Callable[..., Any], door: Door) -> Callable[..., Any]:
    """Return `function` behind `door`, staying of its kind."""

    def call(*args: Any, **kwargs: Any) -> object:
        door.enter(args, kwargs)
        result = function(*args, **kwargs)
        refuse_lazy(function, result)
        return result

    async def call_async(*args: Any, **kwargs: Any) -> object:
        door.enter(args, kwargs)
        return await function(*args, **kwargs)

    makers: dict[int, Callable[..., Any]] = {
        BLOCKING: call,
        ASYNC: call_async,
        GENERATOR: _generator(function, door),
        ASYNC_GENERATOR: _async_generator(function, door),
    }
    marked = functools.update_wrapper(makers[kind_of(function)], function)
    vars(marked).update(operation=door.operation.name, check=door.check)
    return marked


def _generator(function: Callable[..., Any], door: Door) -> Callable[..., Any]:
    """Return a generator function that asks before each step."""

    def generate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        reason = door.enter(args, kwargs)
        source = function(*args, **kwargs)
        step, given, done = source.send, None, 0
        try:
            while True:
                try:
                    item = step(given)
                except StopIteration as end:
                    return end.value
                try:
                    step, given = source.send, (yield item)
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the generator's own `throw` hands it on
                    step, given = source.throw, thrown
                done += 1
                door.check(reason, done)
        finally:
            step = given = None  # an error must not be kept alive by the frames that it passed
            source.close()

    return generate


def _async_generator(function: Callable[..., Any], door: Door) -> Callable[..., Any]:
    """Return an async generator function that asks before each step."""

    async def generate(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        reason = door.enter(args, kwargs)
        source = function(*args, **kwargs)
        step, given, done = source.asend, None, 0
        try:
            while True:
                try:
                    item = await step(given)
                except StopAsyncIteration:
                    return
                try:
                    step, given = source.asend, (yield item)
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the generator's own `athrow` hands it on
                    step, given = source.athrow, thrown
                done += 1
                door.check(reason, done)
        finally:
            step = given = None  # an error must not be kept alive by the frames that it passed
            await source.aclose()

    return generate
