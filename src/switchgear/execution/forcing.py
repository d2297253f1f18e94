"""A person's word that a held destructive action may leave once although a dependency does not vouch: pure decisions.

Whether a dependency vouches is the gate's to say; who may ask at all is decided in `control`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.execution.contract import Tool
from switchgear.execution.intent import Change, Intent
from switchgear.execution.resolving import AGENT
from switchgear.execution.transitions import Kind, State
from switchgear.gates.kill_switches.switches import SINGLE_OPERATOR
from switchgear.health.obstacles import Obstacle

POLICY = "destructive"
REASON_CHARACTERS_MAX = 500
"""The longest reason that is kept."""
SECONDS_MAX = 3_600.0
"""The longest that a force is good for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forcing:
    """What a person says: who, why, for how many seconds from now (`at`, seconds since the epoch).

    `asked_by` are those who asked for the intent; they may not force it, unless `single_operator`. Raises `Invalid`
    for a reason that is not 1 to 500 printable characters, and for seconds that are not above 0 and at most 3,600.
    """

    by: str
    reason: str
    seconds: float
    asked_by: frozenset[str]
    at: float
    single_operator: bool = False

    def __post_init__(self) -> None:
        """Check what can be kept."""
        text = self.reason
        if not text.strip() or len(text) > REASON_CHARACTERS_MAX or not text.isprintable():
            raise Invalid(f"a reason has 1 to {REASON_CHARACTERS_MAX} printable characters; it goes on record")
        if not (isfinite(self.seconds) and 0 < self.seconds <= SECONDS_MAX):
            raise Invalid(f"a force is good for more than 0 and at most {SECONDS_MAX:.0f} seconds")


def check_person(forcing: Forcing) -> None:
    """Raise `Denied` for an agent, and for whoever asked for the intent."""
    if forcing.by.startswith(AGENT):
        raise Denied("an agent cannot force what is destructive; a person can", policy=POLICY)
    if forcing.by in forcing.asked_by and not forcing.single_operator:
        message = f"who asked for a destructive action cannot force it: another person must, {SINGLE_OPERATOR}"
        raise Denied(message, policy=POLICY)


def forced(intent: Intent, forcing: Forcing, tool: Tool | None, obstacles: Sequence[Obstacle]) -> tuple[Change, ...]:
    """Return what to record of `forcing`: `obstacles` is what stands in the way now, and what it overrides.

    Raises `Denied` as `check_person`; `Conflict` when the intent is not held for that, when nothing stands in its way
    any more, and when its tool is not what it was accepted for.
    """
    check_person(forcing)
    if intent.state is not State.HELD or intent.code != Code.DESTRUCTIVE_BLOCKED:
        message = f"an intent that is {intent.state} ({intent.code or 'no code'}) is not held by the destructive gate"
        raise Conflict(message, policy=POLICY, state=str(intent.state))
    if tool is None or tool.contract != intent.contract:
        message = "its tool is not here as it was when this was accepted, so nobody can say what would be forced"
        raise Conflict(message, code=Code.TOOL_CHANGED, policy=POLICY, state=str(intent.state))
    if not obstacles:
        message = "every dependency vouches for it by now: it goes on by itself"
        raise Conflict(message, policy=POLICY, state=str(intent.state), retry_after=1.0)
    facts = {
        "by": forcing.by,
        "until": forcing.at + forcing.seconds,
        "contract": tool.contract,
        "overrode": [{"dependency": one.dependency, "state": one.state} for one in obstacles],
    }
    return (Change(Kind.FORCED, facts, {"reason": forcing.reason}),)
