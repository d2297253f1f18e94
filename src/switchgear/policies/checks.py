"""Checks that policies run on their options at birth. Each failure names the option and what to write instead."""

from __future__ import annotations

import math
from typing import TypeGuard

from switchgear.core.errors import OptionError


def require_seconds(option: str, value: object, *, zero: bool = False, example: float = 1.0) -> None:
    """Raise `OptionError` unless `value` is a finite number above 0 (or at least 0 when `zero`)."""
    if not _is_number(value) or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        bound = "at least 0" if zero else "above 0"
        raise OptionError(f"{option} needs seconds {bound}, not {value!r}; write for example {_named(option, example)}")


def require_number(
    option: str, value: object, *, least: float = -math.inf, above: float = -math.inf, example: float
) -> None:
    """Raise `OptionError` unless `value` is a finite number of at least `least` and greater than `above`."""
    if not _is_number(value) or not math.isfinite(value) or value < least or value <= above:
        bound = f"above {above:g}" if above > least else f"of at least {least:g}"
        raise OptionError(
            f"{option} needs a number {bound}, not {value!r}; write for example {_named(option, example)}"
        )


def require_count(option: str, value: object, *, least: int = 1, example: int = 5) -> None:
    """Raise `OptionError` unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(
            f"{option} needs a whole number of at least {least}, not {value!r}; "
            f"write for example {_named(option, example)}"
        )


def require_share(option: str, value: object, *, example: float = 0.5) -> None:
    """Raise `OptionError` unless `value` is a share: above 0 and at most 1."""
    if not _is_number(value) or not 0 < value <= 1:
        raise OptionError(
            f"{option} needs a share above 0 and at most 1, not {value!r}; write for example {_named(option, example)}"
        )


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether `value` is a number that a float can hold, infinity and NaN among them."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _named(option: str, example: float) -> str:
    """Turn ``Breaker(cooldown)`` and 60.0 into ``Breaker(cooldown=60.0)``."""
    policy, _, name = option.rstrip(")").partition("(")
    return f"{policy}({name}={example!r})" if name else f"{policy}={example!r}"
