"""Which exceptions an option such as ``on=`` or ``ignore=`` means: a class, several classes, or a question.

Only the reading of the option lives here. What a match leads to is the policy's own business.
"""

from __future__ import annotations

from collections.abc import Callable

from switchgear.policies.checks import refused
from switchgear.policies.signatures import takes_one

ErrorFilter = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]
"""An exception class, a tuple of them, or a function of the error that answers whether it is meant."""


def require_filter(option: str, value: object, *, write: str | None = None) -> None:
    """Raise `OptionError` unless `value` can be an `ErrorFilter`. The line to write is made of `option` or given."""
    if isinstance(value, tuple):
        if value and all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in value):
            return
    elif isinstance(value, type):
        if issubclass(value, BaseException):
            return
    elif callable(value) and takes_one(value):
        return
    policy, _, name = option.rstrip(")").partition("(")
    raise refused(
        option,
        "needs exception classes or a function of the error",
        value,
        write or f"{policy}({name}=(ConnectionError,))",
    )


def matches(which: ErrorFilter | None, error: BaseException) -> bool:
    """Return whether `which` means `error`. None means nothing."""
    if which is None:
        return False
    if isinstance(which, (type, tuple)):
        return isinstance(error, which)
    return bool(which(error))


def names_exactly(which: ErrorFilter | None, error: BaseException) -> bool:
    """Return whether the very class of `error` is written in `which`: somebody asked for this one."""
    kinds = which if isinstance(which, tuple) else (which,)
    return type(error) in kinds
