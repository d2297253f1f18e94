"""Carries replays out: looks at what one rests on, records its beginning, and lets callers wait for its end.

The decisions are in `replay_rules`; who may ask is decided in `control`. One replay of an intent at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Rejected, StoreError
from switchgear.execution.bounded import within
from switchgear.execution.gating import HOLDING, dispatch_request
from switchgear.execution.intent import Change, Intent, evolve
from switchgear.execution.kernel import Kernel
from switchgear.execution.parts import Parts
from switchgear.execution.recorder import INTENTS, NOTHING_ELSE, Also, StaleError, encoded
from switchgear.execution.refold import BROKEN, folded
from switchgear.execution.replay import Cause, Mode, ReplayRequest, Result, begun, completed, failed
from switchgear.execution.replay_proof import Proof, Prover
from switchgear.execution.replay_rules import Seen, reexecuted, reexecution, resumed
from switchgear.execution.transitions import FINAL, State
from switchgear.gates.gate import ApprovalNeeded
from switchgear.ledger.folding import StateHash, stream_entries
from switchgear.storage.abilities import Row

_TRIES_MAX = 5
_TRACE_BITS = 128
_UNPROVED = Proof(None)


class Changer(Protocol):
    """Records changes of an intent, if it still is as it was seen."""

    def __call__(self, seen: Intent, changes: tuple[Change, ...], also: Also, *, actor: str) -> Awaitable[Intent]:
        """Return the intent as it is then. Raises `StaleError` when it has changed since."""


@dataclass(frozen=True, slots=True)
class Found:
    """What follows the beginning of a replay, and what else goes into the same append."""

    changes: tuple[Change, ...]
    also: Also = NOTHING_ELSE


@dataclass(frozen=True, slots=True)
class Replayed:
    """An intent after its replay has begun; `detail` says in words why it failed, where it has already."""

    intent: Intent
    detail: str = ""


class Replays:
    """One per engine."""

    def __init__(self, parts: Parts, kernel: Kernel, *, change: Changer) -> None:
        """Ask the gates of `kernel`, and record by `change`."""
        self._parts = parts
        self._kernel = kernel
        self.clock = parts.clock
        self._change = change
        self._prover = Prover(parts.store)
        self._busy: set[tuple[str, str]] = set()
        self._waiting: dict[str, asyncio.Event] = {}
        parts.recorder.subscribe(self._note, plain=False)

    def trace(self) -> str:
        """Return a fresh trace id, in 32 hex digits (W3C Trace Context)."""
        return f"{self._parts.rng.getrandbits(_TRACE_BITS):032x}"

    async def replay(self, intent: Intent, request: ReplayRequest) -> Replayed:
        """Begin a replay of `intent`, and end it where its end is known at once.

        Raises `Conflict` while another replay of it is under way or when it keeps changing, `StoreError` when nothing
        could be recorded.
        """
        with self._alone(intent):
            for _ in range(_TRIES_MAX):
                _check_free(intent)
                found = await self._found(intent, request)
                changes = (*begun(intent, request), *found.changes)
                try:
                    after = await self._change(intent, changes, found.also, actor=request.by)
                except StaleError:
                    intent = await self._again(intent)
                    continue
                return Replayed(after, _detail(found.changes))
        raise Conflict("the intent keeps changing; look at it and try again", policy="replay", retry_after=1.0)

    async def wait(self, intent: Intent, seconds: float) -> Intent:
        """Return the intent once its replay has ended or waits for approval, at the latest after `seconds`."""
        now = await self._again(intent)
        if seconds <= 0 or _answered(now):
            return now
        told = self._waiting.setdefault(intent.id, asyncio.Event())
        try:
            await within(self._parts.clock, seconds, told.wait())
        finally:
            if self._waiting.get(intent.id) is told:
                del self._waiting[intent.id]
        return await self._again(intent)

    def _note(self, intent: Intent) -> None:
        if intent.id in self._waiting and _answered(intent):
            self._waiting.pop(intent.id).set()

    @contextmanager
    def _alone(self, intent: Intent) -> Iterator[None]:
        """Keep another replay of the intent out while this one makes up its mind."""
        place = (intent.tenant, intent.id)
        if place in self._busy:
            raise _busy(intent)
        self._busy.add(place)
        try:
            yield
        finally:
            self._busy.discard(place)

    async def _again(self, intent: Intent) -> Intent:
        return await self._parts.recorder.latest(intent.tenant, intent.id) or intent

    async def _found(self, intent: Intent, request: ReplayRequest) -> Found:
        match request.mode:
            case Mode.VERIFY:
                return Found((await self._verified(intent),))
            case Mode.RESUME:
                return Found(resumed(intent, self._seen(intent, intent)))
            case Mode.REEXECUTE:
                return await self._reexecuted(intent, request)

    # --- verify ---

    async def _verified(self, intent: Intent) -> Change:
        """Return the end of a replay that folds the events again, and compares with what is stored."""
        row = await self._parts.store.get(INTENTS, intent.tenant, intent.id)
        if row is None or row.version != intent.version:
            return failed(Cause.ERROR, Code.LEDGER_CORRUPT, "its row is not what the engine knows of it")
        try:
            again = await folded(stream_entries(self._parts.store, intent.tenant, intent.id))
        except BROKEN as error:
            if isinstance(error, StoreError) and error.code is not Code.LEDGER_CORRUPT:
                raise
            return failed(Cause.ERROR, Code.LEDGER_CORRUPT, f"it cannot be folded: {error}")
        return _compared(row, again)

    # --- re-execute ---

    async def _reexecuted(self, intent: Intent, request: ReplayRequest) -> Found:
        proof = await self._prover.proof(intent) if _ended(intent) else _UNPROVED
        seen = self._seen(intent, self._anew(intent, request, proof), proof)
        changes = reexecuted(intent, seen, by=request.by)
        runs = any(change.kind not in _ENDS for change in changes)
        return Found(changes, proof.also if runs else NOTHING_ELSE)

    def _anew(self, intent: Intent, request: ReplayRequest, proof: Proof) -> Intent:
        """Return the intent as its next generation would be, for the gates to look at."""
        known = self._parts.registry.get(intent.tool)
        if known is None or proof.kind is None:
            return intent
        now = self._parts.clock.time()
        return evolve(intent, reexecution(intent, known.tool, by=request.by, proof=proof.kind, now=now), now)

    # --- what all go by ---

    def _seen(self, intent: Intent, candidate: Intent, proof: Proof = _UNPROVED) -> Seen:
        known = self._parts.registry.get(intent.tool)
        return Seen(
            moment=self._parts.moment(),
            tool=None if known is None else known.tool,
            refusal=self._refusal(candidate),
            proof=proof.kind,
            hindrance=proof.hindrance,
        )

    def _refusal(self, candidate: Intent) -> Rejected | None:
        """Return what the gates say today; that a person must approve, or that it has to wait, is no refusal."""
        known = self._parts.registry.get(candidate.tool)
        if known is None:
            return None
        try:
            self._kernel.ask(dispatch_request(candidate, known.tool, self._parts.clock.time()))
        except ApprovalNeeded:
            return None
        except Rejected as refusal:
            return refusal if refusal.code in HOLDING or refusal.decision == "reject" else None
        return None


_ENDS = ("REPLAY_COMPLETED", "REPLAY_FAILED")


def _compared(row: Row, again: Intent | None) -> Change:
    if again is None:
        return failed(Cause.ERROR, Code.LEDGER_CORRUPT, "the beginning of its events is archived or missing")
    stored, made = _hash(row.key, row.value), _hash(row.key, encoded(again))
    if stored != made:
        return failed(Cause.ERROR, Code.LEDGER_CORRUPT, "it is not what its events say")
    return completed(Result.VERIFIED, state_hash=made)


def _hash(key: str, value: bytes) -> str:
    state = StateHash()
    state.add(key, value)
    return state.hexdigest()


def _ended(intent: Intent) -> bool:
    return intent.state in FINAL or intent.state is State.DEAD_LETTERED


def _answered(intent: Intent) -> bool:
    return not intent.replaying or intent.state is State.PENDING_APPROVAL


def _check_free(intent: Intent) -> None:
    if intent.replaying:
        raise _busy(intent)


def _busy(intent: Intent) -> Conflict:
    return Conflict("another replay of it is under way", policy="replay", state=str(intent.state), retry_after=1.0)


def _detail(changes: tuple[Change, ...]) -> str:
    return str((changes[-1].payload or {}).get("detail", "")) if changes else ""
