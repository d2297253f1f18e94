"""What one scope has set, as data, and the rules by which a switch is tripped and released. Pure.

A scope is the platform or one tenant. All its switches are one row, and each change of them one event in the chain of
the scope; so the row's version stands for all of them. Storing is the business of `keeper`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

import msgspec

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid, StoreError
from switchgear.core.scope import checked_name
from switchgear.ledger.events import Recorded
from switchgear.ledger.reasons import check_reason
from switchgear.ledger.values import read_value

SPACE = "kill_switch"
"""The space of the rows, one a scope."""
KEY = "switches"
"""The key of a scope's row."""
STREAM = "kill_switches"
"""The stream of the events, in the chain of the scope."""
TRIPPED = "kill_switch.tripped"
RELEASED = "kill_switch.released"

GLOBAL = "global"
"""The target that is everything."""
TARGET_KINDS = ("tenant", "connector", "tool")
SELF_PROBE = "switchgear.self-probe"
"""The tool that is always frozen: what the self-probe tries."""
TARGET_FORMS = "global, tenant:NAME, connector:NAME or tool:NAME"
"""What a target may be, in words."""
SINGLE_OPERATOR = "unless single_operator = true in [kill_switches] lets one person do both"
"""How one person alone may do what else takes two, in words."""
SWITCHES_MAX = 500
"""Most switches that one scope may have set."""


class Mode(StrEnum):
    """How much a switch stops."""

    STOP_NEW = "stop_new"
    """New submissions are refused; what was accepted goes on."""
    FREEZE = "freeze"
    """Nothing is dispatched either: what was accepted is held."""


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A switch that is on. `by` are all who tripped it since it was off; `at` is when it was, in epoch seconds."""

    target: str
    mode: Mode
    reason: str
    by: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Switches:
    """The switches of one scope that are on, by target."""

    on: Mapping[str, Switch]

    def with_(self, switch: Switch) -> Switches:
        """Return these and `switch`, in place of one of the same target."""
        return Switches({**self.on, switch.target: switch})

    def without(self, target: str) -> Switches:
        """Return these but for the one of `target`."""
        return Switches({name: switch for name, switch in self.on.items() if name != target})

    def differ_from(self, other: Switches) -> bool:
        """Return whether another set is on than in `other`. Reasons do not count: they may have been erased."""
        return {name: (s.mode, s.by, s.at) for name, s in self.on.items()} != {
            name: (s.mode, s.by, s.at) for name, s in other.on.items()
        }


NO_SWITCHES = Switches({})


@dataclass(frozen=True, slots=True)
class Step:
    """A decided change: the event to record, and the switches that are on after it."""

    kind: str
    facts: dict[str, Any]
    reason: str
    after: Switches


def checked_target(text: str) -> str:
    """Return `text` when it can be a target: ``global``, or ``tenant:``, ``connector:`` or ``tool:`` and a name.

    Raises `Invalid`.
    """
    if text == GLOBAL:
        return text
    kind, _, name = text.partition(":")
    if kind not in TARGET_KINDS:
        raise Invalid(f"a target is {TARGET_FORMS}{_meant(kind, name)}", policy="kill_switch")
    if checked_name(kind, name) == SELF_PROBE:
        raise Invalid(f"{SELF_PROBE} is always frozen; it proves that switches work", policy="kill_switch")
    return text


def _meant(kind: str, name: str) -> str:
    """Return a question for what was probably meant by a kind that there is not; empty when nothing is near."""
    near = next(iter(get_close_matches(kind.lower(), (GLOBAL, *TARGET_KINDS), n=1)), "")
    meant = near if near in ("", GLOBAL) else f"{near}:{name[:100] or 'NAME'}"
    return f"; did you mean {meant}?" if meant else ""


def checked_reason(text: str) -> str:
    """Return `text` when it can be a reason: 1 to 500 characters that say something. Raises `Invalid`."""
    check_reason(text, policy="kill_switch")
    return text


def touches(target: str, *, tenant: str, tool: str, requires: Iterable[str]) -> bool:
    """Return whether `target` covers an action. A connector covers every tool that requires it, first or not."""
    kind, _, name = target.partition(":")
    return target == GLOBAL or {"tenant": name == tenant, "tool": name == tool, "connector": name in requires}[kind]


def trip(now: Switches, target: str, mode: Mode, *, reason: str, by: str, at: float) -> Step | None:
    """Decide to set `target` to `mode`; None when it is so already.

    Raises `Conflict` when it is frozen and would be weakened, which only a release may do, and when the scope has its
    most switches set.
    """
    found = now.on.get(target)
    if found is not None and found.mode is mode:
        return None
    if found is not None and found.mode is Mode.FREEZE:
        raise Conflict(f"{target} is frozen; release it to weaken it", policy="kill_switch", state=str(found.mode))
    if found is None and len(now.on) >= SWITCHES_MAX:
        raise Conflict(f"{SWITCHES_MAX} switches are on; trip a wider one", policy="kill_switch")
    facts = {"target": target, "mode": str(mode), "before": len(now.on)}
    return Step(TRIPPED, facts, reason, _tripped(now, target, mode, reason, by, at))


def release(now: Switches, target: str, *, reason: str, by: str, single_operator: bool) -> Step:
    """Decide to release `target`.

    Raises `Denied` (NOT_FOUND) when it is not on, and (PERMISSION_DENIED) when `by` is among those who tripped it,
    unless `single_operator`.
    """
    found = now.on.get(target)
    if found is None:
        raise Denied(f"no switch is on for {target}", code=Code.NOT_FOUND, policy="kill_switch")
    if by in found.by and not single_operator:
        message = f"who tripped a kill switch cannot release it: another person must, {SINGLE_OPERATOR}"
        raise Denied(message, policy="kill_switch")
    facts = {"target": target, "mode": str(found.mode), "tripped_by": list(found.by), "before": len(now.on)}
    return Step(RELEASED, facts, reason, now.without(target))


def folded(events: Iterable[Recorded]) -> Switches | None:
    """Return what the events of one scope, in order, come to; None when there are none, or their beginning is archived.

    Each says how many switches were on before it, so a fold may begin wherever that is none. Raises `StoreError`
    (LEDGER_CORRUPT) for events that do not follow from each other.
    """
    switches: Switches | None = None
    for event in events:
        switches = applied(switches, event)
    return switches


def applied(switches: Switches | None, event: Recorded) -> Switches | None:
    """Return what `event` makes of the switches before it; None where those are not known and it is not the first.

    Raises `StoreError` (LEDGER_CORRUPT) for an event that does not follow.
    """
    before = event.facts.get("before")
    if switches is None and before != 0:
        return None
    known = NO_SWITCHES if switches is None else switches
    if before != len(known.on):
        raise _unfoldable(event)
    return _after(known, event)


def encoded(switches: Switches) -> bytes:
    """Return the value of a scope's row."""
    return _encode([switches.on[target] for target in sorted(switches.on)])


def decoded(value: bytes) -> Switches:
    """Return the switches that a row's value holds. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    return read_value(_switches, value, "a row of kill switches")


def _switches(value: bytes) -> Switches:
    return Switches({checked_target(switch.target): switch for switch in _decode(value)})


def _after(switches: Switches, event: Recorded) -> Switches:
    try:
        target = checked_target(event.facts["target"])
        if event.type == RELEASED:
            return switches.without(target)
        if event.type != TRIPPED:
            raise _unfoldable(event)
        reason = str((event.payload or {}).get("reason", ""))
        return _tripped(switches, target, Mode(event.facts["mode"]), reason, event.actor, event.at)
    except (LookupError, ValueError, AttributeError, Invalid) as error:
        raise _unfoldable(event) from error


def _tripped(now: Switches, target: str, mode: Mode, reason: str, by: str, at: float) -> Switches:
    found = now.on.get(target)
    if found is None:
        return now.with_(Switch(target, mode, reason, (by,), at))
    names = found.by if by in found.by else (*found.by, by)
    return now.with_(Switch(target, mode, reason, names, found.at))


def _unfoldable(event: Recorded) -> StoreError:
    return StoreError(f"entry {event.seq} of {event.tenant} does not fit kill switches", code=Code.LEDGER_CORRUPT)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Switch, ...]).decode
