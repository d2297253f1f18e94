"""What a lookup of an action in doubt is for, and what its end means for that action: pure decisions.

A lookup is a read-only intent that serves the one in doubt. It asks with the same arguments, and is told the
idempotency key that the remote got. When it runs is decided in `doubts`; what a person finds out, in `resolving`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.execution import decide
from switchgear.execution.contract import Tool
from switchgear.execution.decide import Backoff, Moment
from switchgear.execution.intent import Change, Intent
from switchgear.execution.registry import Registry
from switchgear.execution.resolving import Says
from switchgear.execution.transitions import Kind, State

_WAIT_BASE = 5.0
_WAIT_FACTOR = 3.0
_WAIT_MAX = 300.0
_JITTER = 0.2
_SAYS_NOTHING: tuple[Any, ...] = (False, "", [], {})


class Found(Enum):
    """What a lookup has found out about the action that it looks up."""

    APPLIED = auto()
    NOT_APPLIED = auto()
    NOTHING = auto()


def check_lookup(registry: Registry, tool: Tool) -> None:
    """Raise `OptionError` unless the lookup that `tool` names, if any, is a read-only tool that is registered."""
    if tool.lookup is None:
        return
    known = registry.get(tool.lookup)
    if known is None:
        raise OptionError(
            f"tool {tool.name!r}: there is no tool {tool.lookup!r} to look it up with; "
            f"register that one first, or write lookup=function"
        )
    if known.tool.effect.writes:
        raise OptionError(
            f'tool {tool.name!r}: its lookup {tool.lookup!r} may change something; write effect="read_only" there'
        )


def lookup_of(intent: Intent, registry: Registry) -> Tool | None:
    """Return the read-only tool that can find out whether `intent` happened; None when nothing here can."""
    known = registry.get(intent.tool)
    if known is None or known.tool.lookup is None or not intent.effect.writes:
        return None
    lookup = registry.get(known.tool.lookup)
    return lookup.tool if lookup is not None and lookup.tool.effect is Effect.READ_ONLY else None


def wait_before(lookups: int, settle_delay: float, draw: float) -> float:
    """Return the seconds to wait before the next lookup: at least `settle_delay`, longer after each, jittered upwards.

    `lookups` is how many there were, `draw` a random number in [0, 1).
    """
    grown = 0.0 if lookups == 0 else min(_WAIT_MAX, _WAIT_BASE * _WAIT_FACTOR ** min(lookups, 16))
    return max(settle_delay, grown) * (1.0 + _JITTER * draw)


def begun(intent: Intent, lookup_id: str) -> Change:
    """Return the record that the lookup `lookup_id` is finding out what became of `intent`."""
    facts = {"lookup": lookup_id, "lookups": intent.lookups + 1, "code": intent.code}
    return Change(Kind.RECONCILING, facts, {"message": intent.message} if intent.message else None)


def found_by(lookup: Intent) -> Found:
    """Return what a settled lookup has found out.

    None is "not there", and so is a definite NOT_FOUND. Anything else is a yes, but for what is merely empty: an
    answer without content is no evidence.
    """
    if lookup.state is State.FAILED and lookup.code == Code.NOT_FOUND:
        return Found.NOT_APPLIED
    if lookup.state is not State.SUCCEEDED:
        return Found.NOTHING
    if lookup.value is None:
        return Found.NOT_APPLIED
    return Found.NOTHING if _says_nothing(lookup.value) else Found.APPLIED


def concluded(
    intent: Intent, lookup: Intent, backoff: Backoff, moment: Moment, *, lookups_max: int
) -> tuple[Change, ...]:
    """Return what to record of `intent`, which is reconciling, now that its lookup is settled."""
    facts = {"found_by": lookup.id}
    match found_by(lookup):
        case Found.APPLIED:
            return (Change(Kind.SUCCEEDED, {"verdict": str(Says.APPLIED), **facts}, {"value": lookup.value}),)
        case Found.NOT_APPLIED:
            return decide.after_not_applied(intent, backoff, moment, {"verdict": str(Says.NOT_APPLIED), **facts})
        case Found.NOTHING:
            return _in_vain(intent, lookup, lookups_max)


def escalated(intent: Intent, why: str) -> Change:
    """Return the record that no rule settles `intent`, so that a person must."""
    facts = {"code": intent.code or str(Code.IN_DOUBT)}
    return Change(Kind.NEEDS_OPERATOR, facts, {"message": f"{why}; {intent.message}" if intent.message else why})


def _in_vain(intent: Intent, lookup: Intent, lookups_max: int) -> tuple[Change, ...]:
    why = f"lookup {intent.lookups} could not tell: {lookup.message or lookup.code or 'its answer has no content'}"
    facts = {"code": intent.code, "lookup_code": lookup.code, "found_by": lookup.id}
    doubt = Change(Kind.IN_DOUBT, facts, {"message": why})
    if intent.lookups < lookups_max:
        return (doubt,)
    code = intent.code or str(Code.IN_DOUBT)
    return (doubt, Change(Kind.NEEDS_OPERATOR, {"code": code}, {"message": f"no lookup is left; {why}"}))


def _says_nothing(value: object) -> bool:
    """Return whether a value is there but empty. Compared with its type, since 0 equals False."""
    return any(type(value) is type(empty) and value == empty for empty in _SAYS_NOTHING)
