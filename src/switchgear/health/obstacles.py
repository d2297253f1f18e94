"""What can stand in the way of a destructive operation, and the one wording of each for people.

Nothing here looks for an obstacle: the gate does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from switchgear.core.codes import Code, Decision
from switchgear.core.errors import DestructiveBlocked, shown_seconds
from switchgear.health.findings import Confirmed, Inferred
from switchgear.health.standing import Standing


class Kind(StrEnum):
    """What stands in the way, in the order in which the gate looks."""

    NO_GATE = "no_gate"
    UNMARKED = "unmarked"
    SWITCH_ACTIVE = "switch_active"
    SWITCH_UNREADABLE = "switch_unreadable"
    STANDING_UNREADABLE = "standing_unreadable"
    NOT_VOUCHED = "not_vouched"
    NO_REASON = "no_reason"
    INFERRED = "inferred"
    OTHER_CLOCK = "other_clock"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Row:
    """How an obstacle is told: code, policy, and words for people with places for its facts.

    `decision` is ``"defer"`` where the same call may be let through later.
    """

    code: Code
    policy: str
    decision: Decision
    words: str


def switch_on(target: str = "", mode: str = "") -> str:
    """Return the words for a kill switch that is on: of which target, and how much it stops, where that is known."""
    return f"the kill switch{f' of {target}' if target else ''} is on{f': {mode}' if mode else ''}"


def switch_unreadable(why: str = "") -> str:
    """Return the words for a kill switch of which nobody can tell whether it is on."""
    return f"the kill switch cannot be read{f' ({why})' if why else ''}, so nothing is started"


TABLE: dict[Kind, Row] = {
    Kind.NO_GATE: Row(
        Code.DESTRUCTIVE_BLOCKED,
        "destructive",
        "reject",
        "no gate is installed in this process; write gate.install() where it starts",
    ),
    Kind.UNMARKED: Row(
        Code.DESTRUCTIVE_BLOCKED,
        "destructive",
        "reject",
        "its tool is not marked as destructive; write gear.tool(..., destructive=True)",
    ),
    Kind.SWITCH_ACTIVE: Row(Code.KILL_SWITCH_ACTIVE, "kill_switch", "reject", switch_on()),
    Kind.SWITCH_UNREADABLE: Row(Code.KILL_SWITCH_UNREADABLE, "kill_switch", "defer", switch_unreadable("{detail}")),
    Kind.STANDING_UNREADABLE: Row(
        Code.DESTRUCTIVE_BLOCKED, "destructive", "defer", "where {dependency} stands cannot be read: {detail}"
    ),
    Kind.NOT_VOUCHED: Row(
        Code.DESTRUCTIVE_BLOCKED, "destructive", "defer", "{dependency} does not vouch for it, being {state} {detail}"
    ),
    Kind.NO_REASON: Row(
        Code.DESTRUCTIVE_BLOCKED,
        "destructive",
        "reject",
        "its reason is {detail}, not a reply that a witness has confirmed",
    ),
    Kind.INFERRED: Row(
        Code.DESTRUCTIVE_BLOCKED,
        "destructive",
        "reject",
        "its reason is only inferred from what {dependency} did not say ({detail}), and absence is not evidence",
    ),
    Kind.OTHER_CLOCK: Row(
        Code.DESTRUCTIVE_BLOCKED,
        "destructive",
        "reject",
        "its reason from {dependency} was confirmed on another clock than that of the gate, so its age is not known",
    ),
    Kind.STALE: Row(
        Code.DESTRUCTIVE_BLOCKED,
        "destructive",
        "reject",
        "its reason from {dependency} is stale: {detail}; ask again",
    ),
}
"""One row an obstacle."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that stands in the way now. `cause` is the error behind it, where there was one."""

    kind: Kind
    dependency: str = ""
    state: str = ""
    retry_after: float | None = None
    detail: str = ""
    cause: Exception | None = None

    def refusal(self, operation: str, done: int) -> DestructiveBlocked:
        """Return the error that holds `operation` back after `done` of its items."""
        row = TABLE[self.kind]
        words = row.words.format(dependency=self.dependency, state=self.state, detail=self.detail)
        so_far = f"went no further ({done} done)" if done else "was not begun"
        error = DestructiveBlocked(
            f"{operation} {so_far}: {words.rstrip(' .')}.",
            code=row.code,
            policy=row.policy,
            dependency=self.dependency,
            state=self.state,
            retry_after=self.retry_after,
            decision=row.decision,
            operation=operation,
            done=done,
        )
        error.__cause__ = self.cause
        return error


def not_vouched(name: str, standing: Standing) -> Obstacle:
    """Return the obstacle of a dependency that does not vouch."""
    flapping = " and flapping" if standing.flapping else ""
    why = f" ({standing.reason.rstrip('.')})" if standing.reason else ""
    return Obstacle(
        Kind.NOT_VOUCHED,
        name,
        str(standing.state),
        standing.retry_after,
        detail=f"for {shown_seconds(round(standing.state_age, 3))} s{flapping}{why}",
    )


def no_reason(reason: object) -> Obstacle:
    """Return the obstacle of a reason that is no `Confirmed`."""
    if isinstance(reason, Inferred):
        detail = f"{reason.why}: {reason.error}" if reason.error else str(reason.why)
        return Obstacle(Kind.INFERRED, reason.source, str(reason.why), detail=detail)
    return Obstacle(Kind.NO_REASON, state="missing", detail=f"a {type(reason).__name__}")


def stale(reason: Confirmed[object], age: float, age_max: float) -> Obstacle:
    """Return the obstacle of a reason that is too old."""
    return Obstacle(
        Kind.STALE,
        reason.source,
        "stale",
        detail=f"confirmed {shown_seconds(age)} s ago, and {shown_seconds(age_max)} s is the most",
    )


def unreadable(kind: Kind, error: Exception, name: str = "") -> Obstacle:
    """Return the obstacle of something that raised `error` when it was read."""
    state = "unreadable" if kind is Kind.SWITCH_UNREADABLE else "unknown"
    return Obstacle(kind, name, state, detail=type(error).__name__, cause=error)
