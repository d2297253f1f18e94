"""Gives a driver the parameters of the function that it calls, so that nothing is packed and unpacked on the way.

CPython knows parameters and variables of a function by their place. So a driver is compiled once for each `Shape`, with
names that stand for any, and each function's own names are put in afterwards. They may be those of variables of the
driver. What a driver does is not known here: see `switchgear.guard.specialise`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType
from typing import Any, NamedTuple

_PACKED = CO_VARARGS | CO_VARKEYWORDS
_COUNT_MAX = 8
"""A function with more is rare, and takes as long to be handed all of them as to be called with a tuple."""


class Shape(NamedTuple):
    """How many parameters may be given by their place, and how many by their name alone."""

    by_place: int
    by_name: int

    @property
    def placed(self) -> list[str]:
        """What the first ones are called until they get their names."""
        return [f"parameter_{at}" for at in range(self.by_place)]

    @property
    def named(self) -> list[str]:
        """What the others are called."""
        return [f"parameter_{at}" for at in range(self.by_place, sum(self))]

    def __str__(self) -> str:
        """Write them as a function does."""
        return ", ".join([*self.placed, "*", *self.named] if self.by_name else self.placed)


def shape_of(function: Callable[..., Any]) -> Shape | None:
    """Return the shape of `function`, or None when it takes what comes, or too much, or does not show what it takes."""
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    shape = Shape(code.co_argcount, code.co_kwonlyargcount)
    return None if code.co_flags & _PACKED or sum(shape) > _COUNT_MAX else shape


def take_parameters(driver: Any, function: Any, shape: Shape) -> None:
    """Give `driver`, compiled for this `shape`, the names, kinds and defaults of the parameters of `function`."""
    own, code = function.__code__, driver.__code__
    count = sum(shape)
    names = dict(zip((*shape.placed, *shape.named), own.co_varnames[:count], strict=True))
    driver.__code__ = code.replace(
        co_varnames=own.co_varnames[:count] + code.co_varnames[count:],
        co_consts=tuple(_renamed(constant, names) for constant in code.co_consts),
        co_posonlyargcount=own.co_posonlyargcount,
    )
    driver.__defaults__ = function.__defaults__
    driver.__kwdefaults__ = function.__kwdefaults__


def _renamed(constant: Any, names: Mapping[str, str]) -> Any:
    """Return a constant of the code with the right names in it: by these a driver hands some parameters over."""
    if isinstance(constant, tuple):
        return tuple(_renamed(each, names) for each in constant)
    return names.get(constant, constant) if isinstance(constant, str) else constant
