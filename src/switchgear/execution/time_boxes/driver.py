"""Looks after time-boxes: reverts what is due, takes what a revert came to, and does what people ask for.

What a box needs is decided in `rules`, when it is due in `due`. Each box is looked at alone: one that fails never stops
the others. A person who is called finds the box in state ``needs_operator``.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import msgspec

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Overloaded, Rejected, StoreError
from switchgear.execution.arguments import validate
from switchgear.execution.bounded import woken
from switchgear.execution.contract import Tool
from switchgear.execution.family import REVERT, child
from switchgear.execution.intent import Intent
from switchgear.execution.lookups import lookup_of
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import Also, Birth, StaleError
from switchgear.execution.time_boxes import rules
from switchgear.execution.time_boxes.box import ENDED, BoxKind, BoxState, BoxStep, TimeBox
from switchgear.execution.time_boxes.desk import BoxDesk
from switchgear.execution.time_boxes.due import DueBook
from switchgear.execution.time_boxes.rules import Wants
from switchgear.execution.transitions import State
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.reasons import check_reason

_log = logging.getLogger("switchgear.time_boxes")

BOXES_MAX = 100_000
"""The most boxes that may last at once; beyond that no action with a time-box is accepted."""
_AT_ONCE = 64
_PRIORITY = "critical_plus"
_TRIES_MAX = 5
_TRY_AGAIN = 1.0
_LOOK_AGAIN = 60.0
_WALL_EVERY = 5.0
_BEGINNING = 10.0
_TOOL_MAY_COME = 5.0
_WARN_EVERY = 60.0


class TimeBoxes:
    """One per engine, beside the kernel."""

    def __init__(self, parts: Parts, encoder: EventEncoder) -> None:
        """Work with the parts of one engine."""
        self._parts = parts
        self._clock = parts.clock
        self._book = DueBook()
        self._wanted: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._began_at = parts.clock.monotonic()
        self._warn_at: dict[str, float] = {}
        self.desk = BoxDesk(parts.store, clock=parts.clock, ids=parts.ids, encoder=encoder, lease=parts.recorder.lease)

    @property
    def lasting(self) -> int:
        """How many boxes have not ended, as far as memory knows."""
        return len(self._book.kept)

    @property
    def overdue(self) -> int:
        """How many of them are past their end."""
        return self._book.overdue(self._clock.monotonic())

    def check_room(self) -> None:
        """Raise `Overloaded` (QUEUE_FULL) while as many boxes last as may."""
        if self.lasting >= BOXES_MAX:
            raise Overloaded("too many time-boxes are open", code=Code.QUEUE_FULL, policy="time_box", retry_after=60.0)

    def note(self, intent: Intent) -> None:
        """Take note of an intent that has durably changed, and be loud about a revert that is held."""
        if intent.time_box is not None:
            self._want(intent.tenant, intent.downstream_key)
        elif intent.purpose == REVERT:
            self._note_revert(intent)

    def _note_revert(self, intent: Intent) -> None:
        if intent.settled:
            self._want(intent.tenant, intent.about or "")
        elif intent.state is State.HELD:
            _log.warning("the revert %s of tenant %s is overdue and held: %s", intent.id, intent.tenant, intent.code)

    async def recover(self) -> None:
        """Read back every box that lasts, and begin with the overdue ones. Called once, before other work is queued."""
        async for rows in self.desk.lasting():
            for row in rows:
                self._want(row.tenant, row.key)
            await self._look_at_wanted()
        await self._look_at_due()

    async def run(self) -> None:
        """Look after boxes, for ever."""
        while True:
            self._wake.clear()
            await self.sweep()
            await self._sleep()

    async def sweep(self) -> None:
        """Go on with all boxes whose intents have changed, and with the first of those that are due."""
        wall = self._clock.time()  # before the other face: a standstill between the two is then no leap ahead
        if leapt := self._book.mind_the_wall(wall=wall, monotonic=self._clock.monotonic()):
            _log.warning("the wall clock leapt %.0f s ahead: time-boxes end that much sooner", leapt)
        await self._look_at_wanted()
        await self._look_at_due()

    async def get(self, tenant: str, box_id: str) -> TimeBox:
        """Return a box. Raises `Denied` (NOT_FOUND) when this tenant has none of that id."""
        box = await self.desk.get(tenant, box_id)
        if box is None:
            raise Denied(f"there is no time-box {box_id[:100]!r}", code=Code.NOT_FOUND, policy="tenant")
        return box

    def is_over(self, box: TimeBox) -> bool:
        """Return whether the end of a box that lasts has passed."""
        if box.state in ENDED:
            return False
        return self._book.is_due(box.id, self._clock.monotonic()) or box.reverts_at <= self._clock.time()

    async def revert_of(self, box: TimeBox) -> Intent | None:
        """Return the newest intent that reverts the action of `box`, None when none has begun."""
        return None if box.revert is None else await self._parts.recorder.latest(box.tenant, box.revert)

    async def action_of(self, box: TimeBox) -> Intent | None:
        """Return the intent that a box belongs to, None when it is not on record."""
        return await self._parts.recorder.latest(box.tenant, box.intent)

    async def revert(self, tenant: str, box_id: str, *, by: str, reason: str) -> TimeBox:
        """Begin the revert now, before its time or again after a person was called; nothing when it has begun.

        Raises `Denied` (NOT_FOUND), `Invalid` for a reason that is missing or longer than 500 characters, or
        arguments that do not fit the tool; `Conflict` when the action or an earlier revert is not settled or the box
        has ended; `Rejected` (TOOL_UNREGISTERED); `StoreError` when it is not known to be recorded.
        """
        check_reason(reason, policy="time_box")
        for _ in range(_TRIES_MAX):
            box = await self.get(tenant, box_id)
            if box.state is BoxState.REVERTING:
                return box
            intent = await self._intent(box)
            rules.check_revertible(box, intent, await self.revert_of(box))
            try:
                return await self._begin(box, intent, by=by, reason=reason)
            except StaleError:
                continue
        raise _keeps_changing()

    async def extend(self, tenant: str, box_id: str, seconds: float, *, by: str, reason: str) -> TimeBox:
        """Move the end of a box by `seconds`. Raises as `rules.extended` does, and further as `revert`."""
        check_reason(reason, policy="time_box")
        for _ in range(_TRIES_MAX):
            box = await self.get(tenant, box_id)
            step = rules.extended(box, seconds, by=by, reason=reason, now=self._clock.time())
            if (after := await self._recorded(box, step, actor=by)) is not None:
                return after
        raise _keeps_changing()

    async def close(self, tenant: str, box_id: str, *, by: str, reason: str) -> TimeBox:
        """End a box without a revert: the action stays. Raises as `rules.closed` does, and further as `revert`."""
        check_reason(reason, policy="time_box")
        for _ in range(_TRIES_MAX):
            box = await self.get(tenant, box_id)
            step = rules.closed(box, await self._intent(box), by=by, reason=reason)
            if (after := await self._recorded(box, step, actor=by)) is not None:
                return after
        raise _keeps_changing()

    def _want(self, tenant: str, box_id: str) -> None:
        self._wanted[box_id] = tenant
        self._wake.set()

    async def _look_at_wanted(self) -> None:
        wanted, self._wanted = self._wanted, {}
        await self._look_at([(tenant, box_id) for box_id, tenant in wanted.items()])

    async def _look_at_due(self) -> None:
        await self._look_at(self._book.due(self._clock.monotonic(), self._parts.rng.random()), taken=True)

    async def _look_at(self, boxes: list[tuple[str, str]], *, taken: bool = False) -> None:
        for start in range(0, len(boxes), _AT_ONCE):
            await asyncio.gather(*(self._alone(*one, taken=taken) for one in boxes[start : start + _AT_ONCE]))

    async def _sleep(self) -> None:
        moment = self._book.next_moment()
        if moment is not None:  # and so often that a leap of the wall clock is seen
            moment = min(moment, self._clock.monotonic() + _WALL_EVERY)
        await woken(self._clock, self._wake, moment)

    async def _alone(self, tenant: str, box_id: str, *, taken: bool) -> None:
        """Look at one box; `taken` says that it was due and its turn has come."""
        try:
            await self._look(tenant, box_id, taken=taken)
        except (StoreError, StaleError) as error:
            damaged = isinstance(error, StoreError) and error.code is Code.LEDGER_CORRUPT
            level = logging.ERROR if damaged else logging.INFO
            _log.log(level, "time-box %s of tenant %s is looked at again: %s", box_id, tenant, error)
            self._later(tenant, box_id, _LOOK_AGAIN if damaged else _TRY_AGAIN)
        except Exception:  # noqa: BLE001 - outermost driver: a defect in one box must not stop the others
            _log.exception("time-box %s of tenant %s cannot be looked after", box_id, tenant)
            self._later(tenant, box_id, _LOOK_AGAIN)

    def _later(self, tenant: str, box_id: str, seconds: float) -> None:
        """Look at a box again after `seconds`. One that could not even be read is taken for due."""
        wall, now = self._clock.time(), self._clock.monotonic()
        if box_id not in self._book.kept:
            self._book.put(tenant, box_id, wall, wall=wall, monotonic=now)
        self._book.again(box_id, now + seconds)

    async def _look(self, tenant: str, box_id: str, *, taken: bool) -> None:
        box = await self.desk.get(tenant, box_id)
        if box is None or box.state in ENDED:
            self._book.forget(box_id)
            return
        wall, now = self._clock.time(), self._clock.monotonic()
        self._book.put(tenant, box_id, box.reverts_at, wall=wall, monotonic=now)
        due = self._book.is_due(box_id, now)
        intent, revert = await self._intent(box), await self.revert_of(box)
        lookup = lookup_of(intent, self._parts.registry) is not None
        need = rules.needed(box, intent, revert, due=due, lookup=lookup)
        if isinstance(need, BoxStep):
            await self._take_step(box, need, intent if box.revert is None else revert)
        elif need is Wants.A_REVERT and taken:
            await self._revert_due(box, intent)
        elif due and need is Wants.NOTHING:
            self._later(tenant, box_id, _LOOK_AGAIN)  # its intents tell when they change; this is for what went unheard
        elif due or taken:
            self._book.in_turn(box_id)

    async def _take_step(self, box: TimeBox, step: BoxStep, given: Intent | None) -> None:
        """Record a step that was decided on `given`; None: on an intent that is not on record."""
        after = await self._recorded(box, step, actor=ACTOR, given=given)
        if after is not None and step.kind is BoxKind.NEEDS_OPERATOR:
            why = (step.payload or {}).get("message", "")
            _log.warning("time-box %s of tenant %s needs a person: %s", box.id, box.tenant, why)

    async def _revert_due(self, box: TimeBox, intent: Intent) -> None:
        """Begin the revert of a box whose time is over. What can never be sent is for a person."""
        try:
            await self._begin(box, intent, by=ACTOR)
        except Rejected as refused:
            if refused.code is Code.TOOL_UNREGISTERED:
                self._wait_for_tool(box, refused)
            else:
                await self._take_step(box, rules.called(refused.code, refused.message), intent)

    def _wait_for_tool(self, box: TimeBox, refused: Rejected) -> None:
        """Try again: soon while tools are still being registered, then now and then, with a warning each minute."""
        now = self._clock.monotonic()
        if now >= self._warn_at.get(box.undo, now):
            self._warn_at[box.undo] = now + _WARN_EVERY
            _log.warning("time-box %s of tenant %s, and maybe others, is overdue: %s", box.id, box.tenant, refused)
        beginning = now < self._began_at + _BEGINNING
        self._later(box.tenant, box.id, _TRY_AGAIN if beginning else _TOOL_MAY_COME)

    async def _begin(self, box: TimeBox, intent: Intent, *, by: str, reason: str = "") -> TimeBox:
        """Record that the revert begins, and its intent, in one append."""
        birth = self._birth(box, intent)
        facts = {"revert": birth.facts["id"], "by": by, "begun_early": not self.is_over(box)}
        step = BoxStep(BoxKind.REVERTING, facts, {"reason": reason} if reason else None)
        event, write, after = self.desk.written(box, step, tenant=box.tenant, actor=by, at=self._clock.time())
        try:
            recorder = self._parts.recorder
            await recorder.accept(recorder.draft(birth), also=Also(events=(event,), writes=(write,)))
        except StoreError:
            self._later(box.tenant, box.id, _TRY_AGAIN)  # it may be on record; not at once, while the ledger is away
            raise
        self._want(box.tenant, box.id)
        return after

    def _birth(self, box: TimeBox, intent: Intent) -> Birth:
        undo = self._undo(box)
        arguments = rules.revert_arguments(intent, undo)
        validate(undo, arguments)
        patient = replace(undo, attempts=max(undo.attempts, rules.ATTEMPTS_MIN))
        born = child(self._parts, intent, patient, arguments, purpose=REVERT)
        return msgspec.structs.replace(born, facts={**born.facts, "priority": _PRIORITY})

    def _undo(self, box: TimeBox) -> Tool:
        known = self._parts.registry.get(box.undo)
        if known is None:
            message = f"the tool {box.undo}, which reverts {box.tool}, is not registered here"
            raise Rejected(message, code=Code.TOOL_UNREGISTERED, policy="time_box")
        return known.tool

    async def _recorded(
        self, box: TimeBox, step: BoxStep, *, actor: str, given: Intent | None = None
    ) -> TimeBox | None:
        try:
            after = await self.desk.record(box, step, actor=actor, given=given)
        except StoreError:
            self._later(box.tenant, box.id, _TRY_AGAIN)  # it may be on record; not at once, while the ledger is away
            raise
        if after is None and given is not None:
            self._later(box.tenant, box.id, _TRY_AGAIN)  # memory is about to hear of what has changed
        else:
            self._want(box.tenant, box.id)
        return after

    async def _intent(self, box: TimeBox) -> Intent:
        intent = await self.action_of(box)
        if intent is None:
            raise StoreError(f"the intent of time-box {box.id} is not on record", code=Code.LEDGER_CORRUPT)
        return intent


def _keeps_changing() -> Conflict:
    return Conflict("the time-box keeps changing; look at it and try again", policy="time_box", retry_after=1.0)
