"""What every surface shows of a time-box: plain values that fit into JSON. One place, so all of them say the same.

Until when it lasts, what its action has captured, what reverts it and how that goes, and who ended or extended it, when
and why. Times are seconds since the epoch. None means unknown or not applicable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from switchgear.control.damage import unless_damaged
from switchgear.control.ledger_views import UNREADABLE, EventView, event_view
from switchgear.execution.engine import Engine
from switchgear.execution.intent import Intent
from switchgear.execution.parts import ACTOR
from switchgear.execution.time_boxes.box import BoxKind, BoxState, TimeBox
from switchgear.execution.time_boxes.rules import captured

_KINDS = {BoxKind.EXTENDED: "extended", BoxKind.REVERTING: "revert_begun", BoxKind.CLOSED: "closed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxChangeView:
    """What somebody did to a time-box, why and when: `kind` is "extended", "revert_begun" or "closed".

    An extension moved its end by `seconds` to `reverts_at`; both are None for the other two, and `seconds` is where the
    entry before it is damaged.
    """

    kind: str
    by: str
    at: float
    reason: str | None
    seconds: float | None
    reverts_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBoxView:
    """How long an action lasts. Times are seconds since the epoch, `extensions` is how often its end was moved.

    The action is the intent `intent`, done with `tool`; `undo` is the tool that reverts it, and `revert` the newest
    intent that does, None before it begins. `overdue` says that the end has passed and the action still holds.
    `begun_by` is who began the revert, the engine once the time was over; `begun_early` says that it was before that.
    """

    id: str
    intent: str
    tool: str
    undo: str
    account: str
    state: str
    seconds: float
    opened_at: float
    reverts_at: float
    overdue: bool
    extensions: int
    changes: list[BoxChangeView]
    """What somebody did to it, the oldest first: extended it, had it reverted, closed it."""
    captured: dict[str, Any] | None
    """What the action has captured for its revert: what was there before (`prior`), and what it left (`now`).

    None when it has captured nothing, and for who may not read intents.
    """
    revert: str | None
    revert_state: str | None
    """In which state the revert is; None before it begins."""
    revert_attempts: int
    """How often the revert was tried."""
    revert_code: str | None
    """What the revert met last: a code such as CHANGED_MEANWHILE; None when nothing went wrong."""
    revert_message: str
    begun_by: str | None
    begun_early: bool
    waiting_for: str | None
    """Why the revert does not run now: a code such as KILL_SWITCH_ACTIVE; None when nothing holds it."""
    code: str | None
    """Why a person was called, or why it is void."""
    message: str
    unreadable: list[str]
    """What is damaged, so that it cannot be shown: "intent", "revert", "events". Empty when nothing is."""
    updated_at: float


async def time_box_view(engine: Engine, box: TimeBox, *, values: bool = True) -> TimeBoxView:
    """Return a time-box as its tenant may see it; `values` says whether what its action has captured may be shown."""
    boxes = engine.time_boxes
    intent, no_intent = await unless_damaged(boxes.action_of(box), "intent") if values else (None, ())
    revert, no_revert = await unless_damaged(boxes.revert_of(box), "revert")
    changes, no_events = await _changes(engine, box)
    return TimeBoxView(
        id=box.id,
        intent=box.intent,
        tool=box.tool,
        undo=box.undo,
        account=box.account,
        state=str(box.state),
        seconds=box.seconds,
        opened_at=box.opened_at,
        reverts_at=box.reverts_at,
        overdue=boxes.is_over(box),
        extensions=box.extensions,
        changes=changes,
        captured=None if intent is None else _captured(box, intent),
        revert=box.revert,
        revert_state=None if revert is None else str(revert.state),
        revert_attempts=0 if revert is None else revert.attempt,
        revert_code=None if revert is None else revert.code,
        revert_message="" if revert is None else revert.message,
        begun_by=box.begun_by,
        begun_early=box.begun_early,
        waiting_for=_waiting_for(engine, box, revert),
        code=box.code,
        message=box.message,
        unreadable=[*no_intent, *no_revert, *no_events],
        updated_at=box.updated_at,
    )


def _waiting_for(engine: Engine, box: TimeBox, revert: Intent | None) -> str | None:
    if revert is None or revert.settled:
        return None
    return revert.waiting_for or engine.lane_paused_for(box.undo)


def _captured(box: TimeBox, intent: Intent) -> dict[str, Any] | None:
    """Return what the execution that the box belongs to has captured; another generation's value is not its."""
    return (captured(intent) or None) if intent.downstream_key == box.id else None


@dataclass(slots=True)
class _History:
    """What somebody did to a box since it was opened. `seconds` is how long it lasts then, None behind damage."""

    changes: list[BoxChangeView] = field(default_factory=list)
    seconds: float | None = None
    damaged: bool = False

    def read(self, event: EventView) -> None:
        """Take the next event of the box."""
        if event.type == UNREADABLE:
            self.damaged, self.seconds = True, None
            return
        if event.type == BoxKind.OPENED:  # an earlier attempt had a box of this name, which was void
            self.changes.clear()
        elif event.type in _KINDS and event.actor != ACTOR:
            self.changes.append(_change(event, self.seconds))
        self.seconds = event.facts.get("seconds", self.seconds)


async def _changes(engine: Engine, box: TimeBox) -> tuple[list[BoxChangeView], tuple[str, ...]]:
    """Return what somebody did to a box, and "events" where some of them are damaged. An untouched box has none."""
    if not _touched(box):
        return [], ()
    found, lost = await unless_damaged(_history(engine, box), "events")
    if found is None:
        return [], lost
    return found.changes, ("events",) if found.damaged else ()


async def _history(engine: Engine, box: TimeBox) -> _History:
    found = _History()
    async for entry in engine.time_boxes.desk.entries(box):
        found.read(event_view(entry))
    return found


def _touched(box: TimeBox) -> bool:
    """Return whether somebody may have done something to a box. Earlier releases do not say who began a revert."""
    begun = box.revert is not None and box.begun_by != ACTOR
    return bool(box.extensions) or begun or box.state is BoxState.CLOSED


def _change(event: EventView, seconds: float | None) -> BoxChangeView:
    """Return what an event says that somebody did to a box which lasted `seconds` until then; None is unknown."""
    extended = event.type == BoxKind.EXTENDED
    said = event.payload if isinstance(event.payload, Mapping) else {}
    return BoxChangeView(
        kind=_KINDS[BoxKind(event.type)],
        by=event.actor,
        at=event.at,
        reason=said.get("reason"),
        seconds=event.facts["seconds"] - seconds if extended and seconds is not None else None,
        reverts_at=event.facts["reverts_at"] if extended else None,
    )
