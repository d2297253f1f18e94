"""The page of the library: every public name with its signature and docstring."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import switchgear
from switchgear.assembly import Acting, IntentHandle, Switchgear
from switchgear.core.outcome import Outcome
from switchgear.guard import Event, Permit, Statistics
from switchgear.testing import VirtualClock
from tools.reference.entries import heading, members, prose, signature
from tools.reference.markdown import GENERATED, page

_HEAD = f"""# The library

{GENERATED}
Everything under *Guard* needs the standard library only. *Gear* needs the extra `gear`:
[install](../how-to/install.md). Dependency health and the destructive gate have
[a page of their own](health.md#the-library). All times are seconds as float unless a name says otherwise.

What each policy is for, and in which order they stand: [Policies](../policies/index.md).
"""
_SECTIONS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("What a guard returns, in `switchgear.guard`", (Permit, Statistics, Event)),
    ("Gear", (Switchgear, Acting, IntentHandle, Outcome)),
    ("Tests, in `switchgear.testing`", (VirtualClock,)),
)
_MADE_BY_US = (Permit, Switchgear, Acting, IntentHandle)
_NOT_LISTED = frozenset({"Switchgear"})
_POLICIES = "switchgear.policies"
_POLICY_PAGES = {
    "Breaker": "breaker",
    "Bulkhead": "bulkhead",
    "Fallback": "fallback",
    "Fault": "faults",
    "Faults": "faults",
    "Hedge": "hedge",
    "RateLimit": "rate-limit",
    "Retry": "retry",
    "RetryBudget": "retry-budget",
    "Shedding": "shedding",
    "Timeout": "timeout",
    "deadline": "deadline",
}


def library_page() -> str:
    """Return docs/reference/library.md."""
    lines = [_HEAD, "## Guard\n"]
    for name in switchgear.__all__:
        if name not in _NOT_LISTED:
            lines += _entry(name, getattr(switchgear, name))
    for title, parts in _SECTIONS:
        lines.append(f"## {title}\n")
        for part in parts:
            lines += _entry(part.__name__, part)
    return page(lines)


def _entry(name: str, thing: Any) -> Iterator[str]:  # noqa: ANN401 - anything can be a public name
    yield heading(name)
    if inspect.isfunction(thing) or _is_made_by_callers(thing):
        yield signature(name, thing)
    yield f"{prose(thing)}\n"
    if name in _POLICY_PAGES:
        yield f"More: [{_POLICY_PAGES[name]}](../policies/{_POLICY_PAGES[name]}.md).\n"
    if inspect.isclass(thing) and not _is_options(thing):
        yield from members(name, thing)


def _is_made_by_callers(thing: object) -> bool:
    """Return whether a signature helps: not for errors, which we raise, nor for enumerations and results."""
    if not inspect.isclass(thing) or issubclass(thing, (BaseException, str)) or thing in _MADE_BY_US:
        return False
    return _is_options(thing) or not dataclasses.is_dataclass(thing)


def _is_options(thing: type) -> bool:
    return dataclasses.is_dataclass(thing) and thing.__module__.startswith(_POLICIES)
