"""Use cases about replays: verify, resume or execute anew one action, or many of them one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from switchgear.control.intent_views import IntentView
from switchgear.control.paging import check_cursor, check_limit
from switchgear.control.permissions import Permissions
from switchgear.control.showing import shown_whole
from switchgear.core.errors import Conflict, Invalid, Rejected, StoreError
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.replay import Mode, ReplayRequest
from switchgear.execution.replays import Replayed
from switchgear.execution.transitions import DOUBTFUL, State
from switchgear.storage.abilities import Row, Store

MODES = tuple(str(mode) for mode in Mode)
"""What a replay can do: verify, resume, re-execute."""
RATE_MAX = 1_000.0
"""The most replays a second of a bulk."""
BULK_SECONDS_MAX = 50.0
"""Seconds after which one request for many replays stops, and says where to go on."""
WAIT_MAX = 60.0
"""The longest wait for the end of one replay, in seconds."""
_LOOKED_AT_MAX = 200
_STATES = tuple(str(state) for state in State if state is not State.PROPOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayView:
    """A replay. One of `result` and `cause` says how it ended; both are None while it is under way.

    `result` is `verified`, `already_executed`, `executed` or `nothing_to_do`; `cause` is `gate`, `in_doubt`,
    `changed_contract`, `interrupted` or `error`. `refusal` is the code of what stood in its way, `detail` the words.
    """

    mode: str
    requested_by: str
    requested_at: float
    trace: str
    result: str | None
    cause: str | None
    refusal: str | None
    detail: str
    intent: IntentView

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.result is not None or self.cause is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayItem:
    """One of many replays. `error` is the code of what refused to begin it; then there was no replay."""

    id: str
    result: str | None = None
    cause: str | None = None
    refusal: str | None = None
    detail: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkReplay:
    """What one request for many replays did. `next_cursor` goes on with older ones; None when there are none.

    `stopped` says why it ended early: `in_doubt` at the first action that came to be in doubt, `time` when it was up,
    `unfiltered` when everything was to be executed anew, so that nothing was begun; None when it did not.
    """

    items: list[ReplayItem]
    stopped: str | None
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFilter:
    """Which actions are replayed, newest first: by state, by tool, and accepted since (seconds since the epoch).

    At most `limit` (1 to 200) are replayed, at most `rate` a second. Raises `Invalid`.
    """

    state: str | None = None
    tool: str | None = None
    since: float | None = None
    cursor: str | None = None
    limit: int = 50
    rate: float = 10.0

    def __post_init__(self) -> None:
        """Check the bounds."""
        if self.state is not None and self.state not in _STATES:
            raise Invalid(f"there is no state {self.state[:50]!r}; states are {', '.join(_STATES)}")
        if not 0 < self.rate <= RATE_MAX:
            raise Invalid(f"rate is replays a second, above 0 and at most {RATE_MAX:g}, not {self.rate:g}")
        check_limit(self.limit)
        check_cursor(self.cursor)

    @property
    def everything(self) -> bool:
        """Whether nothing was said about which."""
        return self.state is None and self.tool is None and self.since is None

    def fits(self, row: Row) -> bool:
        """Return whether an action is one of these. One that cannot be read is: its replay says so."""
        try:
            return self.tool in (None, intent_of(row).tool)
        except StoreError:
            return True


class Replays:
    """What can be done again, or looked at again, of the caller's tenant."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("intents:replay",))

    def __init__(self, engine: Engine, store: Store) -> None:
        """Ask `engine`; read pages from its `store`."""
        self._engine = engine
        self._store = store
        self._clock = engine.replays.clock
        self._under_way: set[str] = set()

    async def replay(
        self,
        principal: Principal,
        intent_id: str,
        *,
        mode: str,
        reason: str,
        trace: str | None = None,
        wait: float = 0.0,
    ) -> ReplayView:
        """Replay one action, and wait up to `wait` seconds (0 to 60) for the end.

        Whatever comes of it is in the answer and on record. Raises `Invalid` for a mode or reason that cannot be,
        `Denied` (NOT_FOUND), `Conflict` while another replay of it is under way, `StoreError` when nothing is recorded.
        """
        principal.require("intents:replay")
        if not 0 <= wait <= WAIT_MAX:
            raise Invalid(f"wait is seconds from 0 to {WAIT_MAX:g}")
        request = self._request(principal, mode, reason, trace)
        intent = await self._engine.intent(principal.tenant, intent_id)
        replayed = await self._engine.replays.replay(intent, request)
        after = await self._engine.replays.wait(replayed.intent, wait)
        return await self._view(principal, Replayed(after, replayed.detail))

    async def replay_all(
        self, principal: Principal, chosen: ReplayFilter, *, mode: str, reason: str, trace: str | None = None
    ) -> BulkReplay:
        """Replay the actions that are `chosen`, newest first, each alone and after the end of the one before.

        Stops at the first that comes to be in doubt, and after 50 seconds; begins nothing when everything there is
        was to be executed anew. Raises `Invalid`, and `Conflict` while another bulk replay of the tenant is under way.
        """
        principal.require("intents:replay")
        request = self._request(principal, mode, reason, trace)
        if request.mode is Mode.REEXECUTE and chosen.everything:
            return BulkReplay(items=[], stopped="unfiltered", next_cursor=None)
        if principal.tenant in self._under_way:
            raise Conflict("another bulk replay is under way", policy="replay", retry_after=5.0)
        self._under_way.add(principal.tenant)
        try:
            return await self._bulk(principal.tenant, chosen, request)
        finally:
            self._under_way.discard(principal.tenant)

    async def _bulk(self, tenant: str, chosen: ReplayFilter, request: ReplayRequest) -> BulkReplay:
        ends_at = self._clock.monotonic() + BULK_SECONDS_MAX
        rows = await self._store.page(
            INTENTS, tenant, facet=chosen.state, before=chosen.cursor, limit=_LOOKED_AT_MAX + 1
        )
        items: list[ReplayItem] = []
        last = chosen.cursor
        for row in rows[:_LOOKED_AT_MAX]:
            left = ends_at - self._clock.monotonic()
            if len(items) >= chosen.limit or left <= 0:
                stopped = None if left > 0 else "time"
                return BulkReplay(items=items, stopped=stopped, next_cursor=last)
            last = row.key
            if chosen.since is not None and _older(row, chosen.since):
                return BulkReplay(items=items, stopped=None, next_cursor=None)
            if not chosen.fits(row):
                continue
            stopped = await self._paced(row, request, left, chosen.rate, items)
            if stopped is not None:
                return BulkReplay(items=items, stopped=stopped, next_cursor=last)
        return BulkReplay(items=items, stopped=None, next_cursor=last if len(rows) > _LOOKED_AT_MAX else None)

    async def _paced(
        self, row: Row, request: ReplayRequest, seconds: float, rate: float, items: list[ReplayItem]
    ) -> str | None:
        """Replay one of many, add it to `items`, and take as long as the rate wants. Return why to stop here."""
        due = self._clock.monotonic() + 1.0 / rate
        item, stopped = await self._one(row, request, seconds)
        items.append(item)
        if stopped is None:
            await self._clock.sleep_async(max(0.0, due - self._clock.monotonic()))
        return stopped

    async def _one(self, row: Row, request: ReplayRequest, seconds: float) -> tuple[ReplayItem, str | None]:
        try:
            before = await self._engine.intent(row.tenant, row.key)
            replayed = await self._engine.replays.replay(before, request)
            after = await self._engine.replays.wait(replayed.intent, seconds)
        except (Rejected, StoreError) as error:
            return ReplayItem(id=row.key, error=str(error.code), detail=error.message), None
        return _item(after, replayed.detail), _reason_to_stop(before, after)

    def _request(self, principal: Principal, mode: str, reason: str, trace: str | None) -> ReplayRequest:
        if mode not in MODES:
            raise Invalid(f"there is no mode {mode[:50]!r}; modes are {', '.join(MODES)}")
        own = trace or self._engine.replays.trace()
        return ReplayRequest(mode=Mode(mode), reason=reason, by=principal.actor, trace=own)

    async def _view(self, principal: Principal, replayed: Replayed) -> ReplayView:
        intent = replayed.intent
        assert intent.replay is not None, "it has just been replayed"
        return ReplayView(
            mode=intent.replay.mode,
            requested_by=intent.replay.by,
            requested_at=intent.replay.at,
            trace=intent.replay.trace,
            result=intent.replay.result,
            cause=intent.replay.cause,
            refusal=intent.replay.refusal,
            detail=replayed.detail,
            intent=await shown_whole(self._engine, principal, intent),
        )


def _item(after: Intent, detail: str) -> ReplayItem:
    assert after.replay is not None, "it has just been replayed"
    ended = after.replay
    why = detail or (after.message if ended.cause is not None else "")
    return ReplayItem(id=after.id, result=ended.result, cause=ended.cause, refusal=ended.refusal, detail=why)


def _reason_to_stop(before: Intent, after: Intent) -> str | None:
    """Return `in_doubt` when the replay has brought an action in doubt, `time` when it had to be left under way."""
    if after.state in DOUBTFUL and (before.state not in DOUBTFUL or after.attempt != before.attempt):
        return "in_doubt"
    return "time" if after.replaying and after.state is not State.PENDING_APPROVAL else None


def _older(row: Row, since: float) -> bool:
    """Return whether an action was accepted before `since`; one that cannot be read is told of when it is replayed."""
    try:
        return intent_of(row).created_at < since
    except StoreError:
        return False
