"""Switchgear controls, protects and isolates every call to something that you do not own.

The names here are the guard, which needs nothing but the standard library. `Switchgear`, the gear, comes with
``pip install "switchgear[gear]"``.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from switchgear.core.codes import Code
from switchgear.core.deadline import deadline
from switchgear.core.errors import (
    CircuitOpen,
    Conflict,
    DeadlineExceeded,
    Denied,
    DestructiveBlocked,
    InDoubt,
    Invalid,
    NotApplied,
    OptionError,
    Overloaded,
    QueueFull,
    RateLimited,
    Rejected,
    RetryExhausted,
    StoreError,
    SwitchgearError,
)
from switchgear.guard.fallbacks import CallOutcome
from switchgear.guard.guard import Guard, circuit_breaker
from switchgear.guard.limiter import RateLimiter
from switchgear.guard.presets import Presets, preset
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.fallback import Fallback
from switchgear.policies.faults import Fault, Faults
from switchgear.policies.hedge import Hedge
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry
from switchgear.policies.retry_budget import RetryBudget
from switchgear.policies.shedding import Shedding
from switchgear.policies.timeout import Timeout

if TYPE_CHECKING:
    from switchgear.assembly import Switchgear as Switchgear

# `Switchgear` is not in here: a star import must work without the gear's packages.
__all__ = [
    "Breaker",
    "Bulkhead",
    "CallOutcome",
    "CircuitOpen",
    "Code",
    "Conflict",
    "DeadlineExceeded",
    "Denied",
    "DestructiveBlocked",
    "Fallback",
    "Fault",
    "Faults",
    "Guard",
    "Hedge",
    "InDoubt",
    "Invalid",
    "NotApplied",
    "OptionError",
    "Overloaded",
    "Presets",
    "QueueFull",
    "RateLimit",
    "RateLimited",
    "RateLimiter",
    "Rejected",
    "Retry",
    "RetryBudget",
    "RetryExhausted",
    "Shedding",
    "StoreError",
    "SwitchgearError",
    "Timeout",
    "circuit_breaker",
    "deadline",
    "preset",
]

try:
    __version__ = version("switchgear")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module attribute may be
    """Offer `Switchgear` without making the guard depend on the gear's packages."""
    if name != "Switchgear":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from switchgear.assembly import Switchgear  # noqa: PLC0415 - the gear is optional
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "switchgear":
            raise
        raise ModuleNotFoundError(
            f'the gear needs {error.name!r}; install it with: pip install "switchgear[gear]"', name=error.name
        ) from error
    return Switchgear
