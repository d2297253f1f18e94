"""What every surface shows of an intent: plain values that fit into JSON. One place, so all of them say the same.

Times are seconds since the epoch. None means unknown or not applicable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from switchgear.control.belongings import (
    ALONE,
    Belongings,
    CausationView,
    NewestReplayView,
    SagaStepView,
    causation_view,
    newest_replay_view,
)
from switchgear.control.obstacles import ObstacleView
from switchgear.control.resolutions import ResolutionView, resolution_view
from switchgear.control.time_box_views import TimeBoxView
from switchgear.core.codes import Code
from switchgear.core.outcome import Outcome
from switchgear.execution.intent import Approval, Hindrance, Intent
from switchgear.execution.owning import owned
from switchgear.execution.transitions import State
from switchgear.gates.destructive.force import Force

PausedFor = Callable[[str, str], str | None]
"""Says for which code the dependency of a tool is paused now, for all or for one tenant; None when it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """The approval that an intent needs: `quorum` people under `rule` by `expires_at`; `digest` is what they grant.

    `used` says that an attempt has left under it.
    """

    rule: str
    quorum: int
    digest: str
    expires_at: float
    granted_by: list[str]
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HindranceView:
    """What refused an intent for now, `since` when in seconds since the epoch.

    `retry_after` is seconds from then; None when nobody knows.
    """

    policy: str
    dependency: str
    state: str
    retry_after: float | None
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceView:
    """A person's word that it may leave once although the dependencies in `overrode` do not vouch.

    `until` is in seconds since the epoch. `used` says that an attempt has left under it.
    """

    by: str
    until: float
    overrode: list[str]
    used: bool


class IntentView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An intent as its tenant may see it."""

    id: str
    tool: str
    account: str
    actor: str
    state: str
    effect: str
    key: str | None
    arguments: dict[str, Any]
    attempts: int
    attempts_max: int
    created_at: float
    updated_at: float
    deadline_at: float
    not_before: float | None
    value: Any
    code: str | None
    message: str
    waiting_for: str | None
    """Why it does not run now: a code such as CIRCUIT_OPEN, TOOL_UNREGISTERED; None when nothing holds it."""
    hindrance: HindranceView | None
    """What stood in its way when it was held or deferred, as it is on record; None when nothing did."""
    obstacle: ObstacleView | None
    """What stands in its way now, while it is held; None when it is not, and when it goes on any moment."""
    force: ForceView | None
    """Who lets it leave although a dependency does not vouch; None when nobody does."""
    cancel_requested: bool
    final: bool
    ended: str | None
    """What a dead letter had come to: failed or abandoned. None for all others."""
    doubt_since: float | None
    lookups: int
    """How many lookups there were to find out whether it happened."""
    lookup: str | None
    """The intent that is finding out now whether it happened; None when none is."""
    resolution: ResolutionView | None
    """What became of the newest doubt about it, or is said so by a first person of two; None when nothing is known."""
    approval: ApprovalView | None
    """What approval it needs or has; None when it needs none."""
    priority: str
    destructive: bool
    resource: str | None
    revert_after: float | None
    """How many seconds after it leaves it was to be reverted; None means never."""
    time_box: TimeBoxView | None
    """Its time-box since it left: until when, and what reverts it. None before it leaves, and when it has none."""
    saga: SagaStepView | None
    """The step of a saga that it does or undoes; None when it does none."""
    unreadable: list[str]
    """What it belongs to and is damaged, so that it cannot be shown: "time_box", "saga". Empty when nothing is."""
    parent: str | None
    """The intent or saga that it serves, and in `purpose` as what."""
    purpose: str | None
    """What it is for: lookup, revert, step or compensate. None where somebody submitted it for its own sake."""
    causation: CausationView | None
    """What caused it, or its newest generation; None for the first execution of what somebody has submitted."""
    generation: int
    """Counts executions that a person asked for anew, from 1."""
    replay: NewestReplayView | None
    """Its newest replay; None when there was none."""
    trace: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Intents, newest first. `next_cursor` continues the list; None at its end.

    `unreadable` are the ids of those on this page that are damaged, so that they cannot be shown.
    """

    items: list[IntentView]
    next_cursor: str | None
    unreadable: list[str]


def intent_view(
    intent: Intent,
    paused_for: PausedFor,
    *,
    obstacle: ObstacleView | None = None,
    belongings: Belongings = ALONE,
    replayed: bool = False,
) -> IntentView:
    """Return an intent as its tenant may see it. `paused_for` is asked when the intent itself does not say.

    `obstacle` is what holds it now, `belongings` what it belongs to: `showing` knows both.
    """
    return IntentView(
        id=intent.id,
        tool=intent.tool,
        account=intent.account,
        actor=intent.actor,
        state=str(intent.state),
        effect=str(intent.effect),
        key=intent.key,
        arguments=owned(intent.arguments),
        attempts=intent.attempt,
        attempts_max=intent.attempts_max,
        created_at=intent.created_at,
        updated_at=intent.updated_at,
        deadline_at=intent.deadline_at,
        not_before=intent.not_before if intent.state is State.READY else None,
        value=intent.value,
        code=intent.code,
        message=intent.message,
        waiting_for=_waiting_for(intent, paused_for),
        hindrance=_hindrance_view(intent.hindrance),
        obstacle=obstacle,
        force=_force_view(intent.force),
        cancel_requested=intent.cancel_requested,
        final=intent.final,
        ended=None if intent.ended is None else str(intent.ended),
        doubt_since=intent.doubt_since,
        lookups=intent.lookups,
        lookup=intent.lookup,
        resolution=resolution_view(intent),
        approval=_approval_view(intent.approval),
        priority=intent.priority or "critical",
        destructive=intent.destructive,
        resource=intent.resource,
        revert_after=intent.time_box,
        time_box=belongings.time_box,
        saga=belongings.saga,
        unreadable=list(belongings.unreadable),
        parent=intent.parent,
        purpose=intent.purpose,
        causation=causation_view(intent),
        generation=intent.generation,
        replay=newest_replay_view(intent.replay),
        trace=intent.trace,
        replayed=replayed,
    )


def outcome_of(seen: Intent | IntentView, attempts: int, *, replayed: bool) -> Outcome:
    """Return how an intent stood when it was seen; that of a dead letter is what it had come to."""
    code = Code(seen.code) if seen.code else None
    return Outcome(str(seen.ended or seen.state), seen.value, code, seen.message, attempts, replayed)


def _waiting_for(intent: Intent, paused_for: PausedFor) -> str | None:
    if intent.state is not State.READY or intent.waiting_for is not None:
        return intent.waiting_for
    return paused_for(intent.tool, intent.tenant)


def _approval_view(approval: Approval | None) -> ApprovalView | None:
    if approval is None:
        return None
    return ApprovalView(
        rule=approval.rule,
        quorum=approval.quorum,
        digest=approval.digest,
        expires_at=approval.expires_at,
        granted_by=[grant.by for grant in approval.granted],
        used=approval.used,
    )


def _hindrance_view(found: Hindrance | None) -> HindranceView | None:
    if found is None:
        return None
    return HindranceView(
        policy=found.policy,
        dependency=found.dependency,
        state=found.state,
        retry_after=found.retry_after,
        since=found.since,
    )


def _force_view(force: Force | None) -> ForceView | None:
    if force is None:
        return None
    overrode = [one.dependency for one in force.overrode]
    return ForceView(by=force.by, until=force.until, overrode=overrode, used=force.used)
