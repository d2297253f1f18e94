"""Checks that policies run on their options at birth, and the mark of an option that was not given.

Each failure names the option, shows what was given, says what is allowed, and ends with a line of code to write. That
line works as it stands: tests run every one of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from enum import Enum
from typing import Final, TypeGuard

from switchgear.core.errors import OptionError


class _Missing(Enum):
    MISSING = "MISSING"


MISSING: Final = _Missing.MISSING
"""Stands for an option that was not given, where None is one that can be."""


def require_seconds(
    option: str, value: object, *, zero: bool = False, example: float = 1.0, write: str | None = None
) -> None:
    """Raise `OptionError` unless `value` is a finite number above 0 (or at least 0 when `zero`).

    The line to write is made of `option` and `example`, here and below, unless `write` says it.
    """
    if not _is_number(value) or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        bound = ("at least 0" if zero else "above 0") + _finite(value)
        raise refused(option, f"needs seconds {bound}", value, write or _line(option, example))


def require_number(
    option: str,
    value: object,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    example: float = 1.0,
    write: str | None = None,
) -> None:
    """Raise `OptionError` unless `value` is a finite number of at least `least` and greater than `above`."""
    if not _is_number(value) or not math.isfinite(value) or value < least or value <= above:
        bound = (f"above {above:g}" if above > least else f"of at least {least:g}") + _finite(value)
        raise refused(option, f"needs a number {bound}", value, write or _line(option, example))


def require_count(
    option: str, value: object, *, least: int = 1, most: int | None = None, example: int = 5, write: str | None = None
) -> None:
    """Raise `OptionError` unless `value` is a whole number of at least `least`, and at most `most`."""
    whole = value if isinstance(value, int) and not isinstance(value, bool) else None
    if whole is None or whole < least or (most is not None and whole > most):
        bound = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise refused(option, f"needs a whole number {bound}", value, write or _line(option, example))


def require_share(option: str, value: object, *, example: float = 0.5, write: str | None = None) -> None:
    """Raise `OptionError` unless `value` is a share: above 0 and at most 1."""
    if not _is_number(value) or not 0 < value <= 1:
        raise refused(option, "needs a share above 0 and at most 1", value, write or _line(option, example))


def require_word(option: str, value: object, words: Collection[str], *, write: str) -> None:
    """Raise `OptionError` unless `value` is one of `words`."""
    if value not in tuple(words):  # what cannot be hashed can be compared
        known = ", ".join(f'"{word}"' for word in words)
        raise refused(option, f"is one of {known}", value, write)


def refused(option: str, wants: str, value: object, write: str) -> OptionError:
    """Return the error for an option that `wants` something else than `value`, with a line to `write` instead."""
    return OptionError(f"{option} {wants}, not {value!r}; write for example {write}")


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether `value` is a number that a float can hold, infinity and NaN among them."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _finite(value: object) -> str:
    """Return what a bound has to say as well to somebody who gave infinity, NaN, or more than a float holds."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return " and finite" if is_number and not (_is_number(value) and math.isfinite(value)) else ""


def _line(option: str, example: float) -> str:
    """Turn ``Breaker(cooldown)`` and 60.0 into ``Breaker(cooldown=60.0)``."""
    policy, _, name = option.rstrip(")").partition("(")
    return f"{policy}({name}={example!r})" if name else f"{policy}={example!r}"
