"""Fault injection round a call: the innermost layer of a guard, so that every policy takes a fault for real."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable
from typing import Any

from switchgear.core.clock import Clock
from switchgear.core.deadline import CURRENT
from switchgear.core.errors import OptionError
from switchgear.core.mutexes import new_mutex
from switchgear.guard.callables import ASYNC, ASYNC_GENERATOR, BLOCKING, GENERATOR, kind_of
from switchgear.guard.terms import Terms
from switchgear.policies.faults import Fault, Faults, FaultsMachine

_AFTER_THE_BOUND_SECONDS = 1.0


class Injector:
    """The faults of one guard and its keys: the machine, its draws, and the switch."""

    __slots__ = ("_clock", "_lock", "_options", "_random", "_timeout", "machine")

    def __init__(self, options: Faults, clock: Clock, timeout: float) -> None:
        """Start switched off; `timeout` is the bound of an attempt in seconds, infinite when there is none."""
        self.machine = FaultsMachine(options)
        self._options = options
        self._clock = clock
        self._timeout = timeout
        self._lock = new_mutex()
        self._random = random.Random(options.seed)  # noqa: S311 - faults that can be repeated, no secrets

    def go_on_from(self, before: Injector) -> None:
        """Keep the switch and the counts of `before`, and its draws where the seed is the same."""
        with before._lock:
            self._lock, self.machine = before._lock, before.machine
            self.machine.reconfigure(self._options)
            if self._options.seed == before._options.seed:
                self._random = before._random

    def around(self, terms: Terms, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with faults, staying of its kind; the very function while they are switched off."""
        if not self.machine.on:
            return function
        return _WRAPPERS[kind_of(function)](self, terms, function)

    def choose(self, terms: Terms, function: Callable[..., Any]) -> tuple[Fault, ...]:
        """Return the faults for one call."""
        operation = terms.operation or str(getattr(function, "__qualname__", type(function).__qualname__))
        with self._lock:
            draws = [self._random.random() for _ in range(self.machine.draws)]
            return self.machine.choose(draws, terms.tenant, operation)

    def before(self, faults: tuple[Fault, ...]) -> None:
        """Do in this thread what comes before the call."""
        for fault in faults:
            if fault.kind == "latency":
                self._clock.sleep(fault.seconds or 0.0)
            elif fault.kind == "hang":
                self._clock.wait(threading.Event(), self._bound() + _AFTER_THE_BOUND_SECONDS)
                raise TimeoutError("a hang was injected, and nothing ended it in time")
            elif fault.kind == "error":
                raise fault.made_error()

    async def before_async(self, faults: tuple[Fault, ...]) -> None:
        """Do in this task what comes before the call."""
        for fault in faults:
            if fault.kind == "latency":
                await self._clock.sleep_async(fault.seconds or 0.0)
            elif fault.kind == "hang":
                await self._clock.sleep_async(self._bound() + _AFTER_THE_BOUND_SECONDS)
                raise TimeoutError("a hang was injected, and nothing ended it in time")
            elif fault.kind == "error":
                raise fault.made_error()

    def _bound(self) -> float:
        """Return the seconds after which something ends an attempt that hangs."""
        scope = CURRENT.get()
        left = self._timeout if scope is None else min(self._timeout, scope.remaining())
        if left == float("inf"):
            raise OptionError("a hang was injected where no timeout or deadline is in force; write Timeout(5.0)")
        return max(0.0, left)


def _after(faults: tuple[Fault, ...], result: object) -> object:
    """Return the result, altered by what comes after the call."""
    for fault in faults:
        if fault.kind == "wrong_result":
            result = fault.altered(result)
    return result


def _blocking(injector: Injector, terms: Terms, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def faulty(*args: Any, **kwargs: Any) -> object:
        faults = injector.choose(terms, function)
        injector.before(faults)
        return _after(faults, function(*args, **kwargs))

    return faulty


def _asynchronous(injector: Injector, terms: Terms, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def faulty(*args: Any, **kwargs: Any) -> object:
        faults = injector.choose(terms, function)
        await injector.before_async(faults)
        return _after(faults, await function(*args, **kwargs))

    return faulty


def _generator(injector: Injector, terms: Terms, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def faulty(*args: Any, **kwargs: Any) -> Any:
        injector.before(injector.choose(terms, function))
        return (yield from function(*args, **kwargs))

    return faulty


def _async_generator(injector: Injector, terms: Terms, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def faulty(*args: Any, **kwargs: Any) -> Any:
        await injector.before_async(injector.choose(terms, function))
        source = function(*args, **kwargs)
        move: Callable[[Any], Any] = source.asend
        argument: Any = None
        try:
            while True:
                try:
                    item = await move(argument)
                except StopAsyncIteration:
                    return
                try:
                    move, argument = source.asend, (yield item)
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - `athrow` hands it to the generator inside
                    move, argument = source.athrow, thrown
        finally:
            argument = None  # an error must not be kept alive by the frames that it passed
            await source.aclose()

    return faulty


_WRAPPERS = {
    BLOCKING: _blocking,
    ASYNC: _asynchronous,
    GENERATOR: _generator,
    ASYNC_GENERATOR: _async_generator,
}
