"""What a function takes: read without calling it, and said when somebody gave it something else.

For options that are functions, and for constructors: whoever calls one wrongly deserves more than Python's own words.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_UNREAD: dict[str, Any] = {}
if sys.version_info >= (3, 14):
    from annotationlib import Format

    _UNREAD = {"annotation_format": Format.FORWARDREF}


def signature_of(function: Callable[..., object]) -> inspect.Signature:
    """Return the signature of `function`, whose annotations may name what is imported for type checkers alone.

    Raises `ValueError` or `TypeError` for what does not show one, such as some functions written in C.
    """
    return inspect.signature(function, **_UNREAD)


def takes_one(function: Callable[..., object]) -> bool:
    """Return whether `function` can be called with one argument, as far as it shows."""
    try:
        signature = signature_of(function)
    except (TypeError, ValueError):  # it does not show it
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True


def advising(example: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a method that people call wrongly: the `TypeError` then says what to write, and what there is."""

    def decorator(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def advised(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(*args, **kwargs)
            except TypeError as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:  # something of it ran
                    raise
                raise _advice(method, example, args, kwargs) or error from None

        return advised

    return decorator


def options(example: str) -> Callable[[type[T]], type[T]]:
    """Decorate a class of options, so that whoever gives it others is told what to write."""

    def decorator(decorated: type[T]) -> type[T]:
        made: Any = decorated
        made.__init__ = advising(example)(made.__init__)
        return decorated

    return decorator


def _advice(
    method: Callable[..., object], example: str, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> TypeError | None:
    name = method.__qualname__.removesuffix(".__init__")
    signature = signature_of(method)
    known = ", ".join([each for each in signature.parameters if each != "self"])
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return TypeError(f"{name}: {error}; write for example {example}; it takes {known}")
    return None
