"""What kind of callable was given: one that blocks, one that returns an awaitable, or a generator function.

Partials and objects with an asynchronous ``__call__`` are recognised, and generator functions that `types.coroutine`
marks as awaitable.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, GeneratorType, MethodType
from typing import Any, Final, Literal, NoReturn

_ASYNC = inspect.CO_COROUTINE
_GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_PLAIN_MAX = 500

PLAIN: set[type] = {bool, bytes, dict, float, int, list, str, tuple, type(None)}
"""Types of results that are known not to be awaitable."""


Kind = Literal[0, 1, 2, 3]
BLOCKING: Final = 0
ASYNC: Final = 1
GENERATOR: Final = 2
ASYNC_GENERATOR: Final = 3


def kind_of(function: Callable[..., object]) -> Kind:
    """Return what calling `function` gives: its result, an awaitable, a generator or an async generator.

    Raises `TypeError` for what cannot be called.
    """
    kind = function.__class__
    if kind is FunctionType or kind is MethodType:
        flags = function.__code__.co_flags
        if flags & _ASYNC:
            return ASYNC
        if not flags & _GENERATOR and not function.__dict__:
            return BLOCKING
    elif kind is BuiltinFunctionType:
        return BLOCKING
    return _inspect(function)


def require_undecorated(function: object) -> None:
    """Raise `TypeError` for what a decorator should not be given, with what to write: some calls would go unguarded."""
    for kind in (staticmethod, classmethod, property, functools.cached_property):
        if isinstance(function, kind):
            name = kind.__name__
            raise TypeError(f"@{name} has to stand above the guard, which decorates functions; write @{name} first")
    if isinstance(function, type):
        name = function.__name__
        raise TypeError(
            f"a guard decorates functions, and {name} is a class: only the making of its objects would be guarded; "
            f"decorate its methods, or write guard.call({name})"
        )


def is_awaitable(result: object) -> bool:
    """Return whether `result` can be awaited. Types that cannot are remembered in `PLAIN`, up to 500 of them."""
    kind = result.__class__
    if hasattr(kind, "__await__") or inspect.isawaitable(result):
        return True
    if len(PLAIN) < _PLAIN_MAX and kind is not GeneratorType:  # some generators can be awaited
        PLAIN.add(kind)
    return False


def refuse_awaitable(function: Callable[..., object], result: object) -> NoReturn:
    """Raise `TypeError`: a blocking callable returned an awaitable, which then nobody would have guarded."""
    if inspect.iscoroutine(result):
        result.close()
    raise TypeError(
        f"{function!r} is not an async function, yet it returned an awaitable, which runs outside the guard; "
        "give the guard the async function itself, or wrap it in one"
    )


def _inspect(function: Any) -> Kind:
    while isinstance(function, functools.partial):
        function = function.func
    if not callable(function):
        called = inspect.isawaitable(function)
        advice = "; write guard.call(function, argument) instead of guard.call(function(argument))" if called else ""
        raise TypeError(f"the guard needs something to call, not {function!r}{advice}")
    for candidate in (function, type(function).__call__):
        if inspect.isgeneratorfunction(candidate):
            return ASYNC if _is_marked(candidate) else GENERATOR
        if inspect.isasyncgenfunction(candidate):
            return ASYNC_GENERATOR
        if inspect.iscoroutinefunction(candidate):
            return ASYNC
    return BLOCKING


def _is_marked(function: Any) -> bool:
    """Return whether what a generator function returns can be awaited: it was marked by `types.coroutine`."""
    while isinstance(function, functools.partial):
        function = function.func
    return bool(function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE)
