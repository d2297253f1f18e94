"""Writes decisions down: changes of an intent become events and a row in one conditional append.

Every append names the version it rests on, so a decision made on old knowledge is refused as `StaleError`. A lost
acknowledgement is settled here: the same append is sent again, and a conflict is read back by append id.

Every action passes here at least twice. So whether there is anything rare (a restored store, several engines, a replay,
reserved units) is looked at before the call that deals with it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, Protocol

import msgspec
from msgspec.structs import replace

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError, SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.execution.clock_watch import ClockWatch
from switchgear.execution.intent import Change, Intent, accepted, evolve
from switchgear.execution.key_records import KEYS, KeyRecord, bound, encoded_key, key_name, key_of
from switchgear.execution.leases.lease import ALONE, Lease
from switchgear.execution.replay import replay_end
from switchgear.execution.reservation import settlement
from switchgear.execution.transitions import LIVE, Kind, State
from switchgear.gates.restoring.gate import pending
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.values import read_value
from switchgear.storage.abilities import (
    Append,
    Appended,
    Committed,
    Conflicted,
    Count,
    Event,
    Exceeded,
    Expect,
    Row,
    Store,
    Unknown,
    Write,
)

INTENTS = "intent"
_ACCEPTED = Kind.ACCEPTED
_RESENDS_MAX = 3

_thawing: ContextVar[bool] = ContextVar("switchgear_thawing", default=False)
"""Whether whoever records now settles what rests in a restored store."""

_encode = msgspec.json.Encoder().encode
_decode_intent = msgspec.json.Decoder(Intent).decode


class Birth(msgspec.Struct, frozen=True, gc=False):
    """A child intent to be accepted in the append that its parent's change is written in."""

    facts: dict[str, Any]
    payload: dict[str, Any]


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An intent that is not on record yet: ready, as it would be accepted `at` seconds since the epoch."""

    born: Birth
    intent: Intent
    at: float


class Also(msgspec.Struct, frozen=True, gc=False):
    """What else goes into one append with the changes of an intent, all or nothing.

    `expects` and `counts` are what gates relied on, `events` and `writes` belong to what has a life of its own,
    `births` are intents that serve this one.
    """

    expects: tuple[Expect, ...] = ()
    counts: tuple[Count, ...] = ()
    events: tuple[Event, ...] = ()
    writes: tuple[Write, ...] = ()
    births: tuple[Birth, ...] = ()


NOTHING_ELSE = Also()


class CountWatcher(Protocol):
    """Is told what became of counts, right after. It must neither raise nor wait."""

    def counted(self, tenant: str, counts: Sequence[Count], seq: int) -> None:
        """Learn that these counts of a tenant are durable, in the append that ends at `seq` of its chain."""

    def exceeded(self, exceeded: Exceeded) -> None:
        """Learn that a counter refused, and where it stands."""

    def lost(self, tenant: str) -> None:
        """Learn that counts of a tenant, or some before them, were sent, and may or may not be durable."""


class Companion(Protocol):
    """Has a life of its own that changes of an intent with a time-box are part of: it goes into the same append."""

    async def beside(self, after: Intent, changes: Sequence[Change], also: Also) -> Also:
        """Return `also` with what belongs to `changes`, after which the intent is `after`. May raise `StoreError`."""


class StaleError(Exception):
    """The decision rested on an older version. An intent has been read again by now: decide again."""

    def __init__(self, conflict: Conflicted) -> None:
        """Keep what stood in the way."""
        super().__init__(f"{conflict.space} {conflict.key} is at {conflict.found}, not {conflict.expected}")
        self.conflict = conflict


class ExceededError(Exception):
    """A counter would have gone beyond its limit, so nothing was written."""

    def __init__(self, exceeded: Exceeded) -> None:
        """Keep which one."""
        super().__init__(f"{exceeded.key} is at {exceeded.found} of {exceeded.limit}, and {exceeded.amount} more")
        self.exceeded = exceeded


def intent_of(row: Row) -> Intent:
    """Return the intent that a row holds. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    return read_value(_decode_intent, row.value, "the row of {}", row.key)


def encoded(intent: Intent) -> bytes:
    """Return the row value of an intent."""
    return _encode(intent)


class Recorder:
    """Appends changes of intents and keeps the live ones at hand. One per engine."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        ids: IdSource,
        owner: str,
        encoder: EventEncoder,
        lease: Lease | None = None,
    ) -> None:
        """`owner` names this engine in every dispatch, `encoder` makes the events, `lease` is its right to write."""
        self._store = store
        self._encoder = encoder
        self.watch = ClockWatch(clock)
        """Reads the wall clock for all that is recorded, and tells how far that can be trusted."""
        self._ids = ids
        self.owner = owner
        self.lease = lease or Lease(owner, ALONE, clock)
        self.live: dict[str, Intent] = {}
        self.rests_before: float | None = None
        """What was accepted before this moment (seconds since the epoch) is not touched; None: nothing rests."""
        self._listeners: Mapping[State, list[Callable[[Intent], None]]] = {state: [] for state in State}
        self._listeners_of_plain: Mapping[State, list[Callable[[Intent], None]]] = {state: [] for state in State}
        self._watchers: list[CountWatcher] = []
        self._companions: list[Companion] = []
        self._losses: list[Callable[[str], None]] = []
        self._under_way: dict[str, int] = {}
        self._newest: dict[str, int] = {}

    def subscribe(
        self, listener: Callable[[Intent], None], states: Iterable[State] = State, *, plain: bool = True
    ) -> None:
        """Call `listener` with every intent that has durably changed, and is in one of `states` by that.

        Plain ones, which most are, serve no other intent, have no time-box and were never replayed: not `plain` leaves
        them out. It must not raise.
        """
        for state in states:
            self._listeners[state].append(listener)
            if plain:
                self._listeners_of_plain[state].append(listener)

    def tell_losses(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of every live intent that another engine goes on with. It must not raise."""
        self._losses.append(listener)

    def watch_counts(self, watcher: CountWatcher) -> None:
        """Tell `watcher` of everything that is counted from now on."""
        self._watchers.append(watcher)

    def accompany(self, companion: Companion) -> None:
        """Ask `companion` what belongs into each append of changes of an intent with a time-box; births are none."""
        self._companions.append(companion)

    @contextmanager
    def thawing(self) -> Iterator[None]:
        """Let the caller record changes of what rests, while the block runs. Nobody is told: recovery comes after."""
        token = _thawing.set(True)
        try:
            yield
        finally:
            _thawing.reset(token)

    def draft(self, born: Birth, at: float | None = None) -> Draft:
        """Return the intent that `born` would be, were it accepted `at` seconds since the epoch (None: now).

        It names this engine where there are several.
        """
        if self.lease.shared:
            born = Birth(self.lease.named(born.facts), born.payload)
        moment = self.watch.time() if at is None else at
        return Draft(born, accepted(born.facts, born.payload, moment), moment)

    def accept(
        self,
        draft: Draft,
        changes: Sequence[Change] = (),
        *,
        actor: str = "",
        key_row: str | None = None,
        key_version: int = 0,
        also: Also = NOTHING_ELSE,
    ) -> Coroutine[Any, Any, Intent]:
        """Return what records a new intent with `changes` by `actor`, and binds its key, at `key_version` (0: free).

        `key_row` is the `key_name` of that, where it is known. Awaited, it raises `StaleError` when the key is bound
        already, `ExceededError` when a counter is at its limit, `StoreError` when nothing could be recorded.
        """
        if draft.intent.purpose is not None:
            self._check_awake()
        intent, events, writes = self._born(draft, changes, actor, key_row, key_version)
        return self._durable(self._append_of(intent.tenant, events, writes, also), intent)

    async def record(
        self,
        intent: Intent,
        changes: Sequence[Change],
        *,
        actor: str,
        also: Also = NOTHING_ELSE,
        at: float | None = None,
    ) -> Intent:
        """Record `changes` of `intent`, at least one, in order and together, and return it as it stands then.

        They happen `at` seconds since the epoch, as `watch` has just read it; None: it is read now.
        Raises `StaleError` when it has changed meanwhile, or something that `also` expects; `ExceededError` when a
        counter of `also` is at its limit; `StoreError` when nothing could be recorded; `Rejected` (RESTORE_PENDING)
        for what rests in a restored store.
        """
        if self.rests_before is not None and self._rests(intent):
            self._check_awake()
        assert changes, f"nothing to record of {intent.id}: a version without an event could not be folded again"
        if self.lease.shared:
            changes = self.lease.taken_over(intent, changes)
        now = self.watch.time() if at is None else at
        after, version = intent, intent.version + 1
        counts: tuple[Count, ...] = ()
        for change in changes:
            if after.reserved:
                counts += settlement(change.kind, change.facts, after.reserved)
            after = evolve(after, change, now, version)
        if after.replay is not None and (end := replay_end(intent, after)) is not None:
            changes, after = (*changes, end), evolve(after, end, now)
        if intent.time_box is not None:
            for companion in self._companions:
                also = await companion.beside(after, changes, also)
        events = self._events(intent, changes, now, actor)
        writes = [Write(INTENTS, intent.id, intent.version, _encode(after), after.state)]
        children = self._all_born(also.births, now, events, writes) if also.births else ()
        return await self._durable(self._append_of(after.tenant, events, writes, also, counts), after, children)

    async def bear(self, tenant: str, stream: str, also: Also) -> None:
        """Record what changes no intent: events of `stream`, rows, and the intents that are born with them.

        Raises as `record` does.
        """
        self._check_awake()
        events, writes = list(also.events), list(also.writes)
        children = self._all_born(also.births, self.watch.time(), events, writes)
        await self._commit(self._append_of(tenant, events, writes, replace(also, events=(), writes=())), stream)
        for child in children:
            self._keep(child)

    def at_hand(self, tenant: str, intent_id: str) -> Intent | None:
        """Return a live intent of this tenant that no other engine may have changed; None when it must be asked for."""
        known = self.live.get(intent_id)
        return known if known is not None and known.tenant == tenant and not self.lease.shared else None

    async def latest(self, tenant: str, intent_id: str) -> Intent | None:
        """Return an intent as last recorded, or None when this tenant has none of that id."""
        known = self.live.get(intent_id)
        if known is not None and (not self.lease.shared or await self.still_ours(known)):
            return known if known.tenant == tenant else None
        return await self.reload(tenant, intent_id)

    async def still_ours(self, known: Intent) -> bool:
        """Return whether this engine goes on with a live intent; let go of it when another one does by now."""
        if not self.lease.shared:
            return True
        row = await self._store.get(INTENTS, known.tenant, known.id)
        if row is None or not self.lease.foreign(intent_of(row)):
            return True
        self._let_go(known.id)
        return False

    async def reload(self, tenant: str, intent_id: str) -> Intent | None:
        """Return an intent as the store has it. A change that had not been acknowledged is announced now."""
        self._follow(intent_id)
        try:
            row = await self._store.get(INTENTS, tenant, intent_id)
            return None if row is None else self._learn(intent_of(row))
        finally:
            self._follow_no_more(intent_id)

    def _learn(self, read: Intent) -> Intent:
        """Return the newer of an intent as it was `read` and as it is known."""
        known = self.live.get(read.id)
        if known is not None and known.version > read.version:
            return known
        if self._rests(read):
            return read
        unheard_of = read.state in LIVE if known is None else known.version < read.version
        return self._keep(read, announce=unheard_of)

    async def settled_fate(self, tenant: str, intent_id: str) -> Intent | None:
        """Return an intent whose acceptance was never acknowledged, or None: it is not on record and never will be.

        The writer takes appends in order, so an empty one that commits proves that all before it are settled.
        """
        await self.fence(tenant)
        return await self.reload(tenant, intent_id)

    async def fence(self, tenant: str) -> None:
        """Return once all is settled that was handed in before: it is on record by then, or it never will be.

        Raises `StoreError` when the ledger does not acknowledge.
        """
        await self._commit(Append(self._ids.next("apd"), tenant, ()), "")

    async def bound_key(self, tenant: str, name: str) -> tuple[KeyRecord, int] | None:
        """Return what a key is bound to and the version of that record, or None when it is free."""
        row = await self._store.get(KEYS, tenant, name)
        return (key_of(row), row.version) if row is not None else None

    def _born(
        self, draft: Draft, changes: Sequence[Change], actor: str, key_row: str | None, key_version: int
    ) -> tuple[Intent, list[Event], list[Write]]:
        """Return a new intent after `changes`, the events of its birth, and the rows of it and its key."""
        born, now = draft.born, draft.at
        intent = draft.intent if changes else replace(draft.intent, version=1)
        for change in changes:
            intent = evolve(intent, change, now, 1)
        birth = Change(_ACCEPTED, born.facts, born.payload, intent.actor)
        events = self._events(intent, (birth, *changes), now, actor)
        writes = [Write(INTENTS, intent.id, 0, _encode(intent), intent.state)]
        if intent.key is not None:
            name = key_row or key_name(intent.account, intent.tool, intent.key)
            writes.append(Write(KEYS, name, key_version, encoded_key(bound(born.facts))))
        return intent, events, writes

    def _all_born(self, births: Sequence[Birth], now: float, events: list[Event], writes: list[Write]) -> list[Intent]:
        """Return the intents of `births`, and add what is recorded of them to `events` and `writes`."""
        children = []
        for birth in births:
            child, born, rows = self._born(self.draft(birth, now), (), "", None, 0)
            children.append(child)
            events += born
            writes += rows
        return children

    def _rests(self, intent: Intent) -> bool:
        """Return whether an intent is of the past of a store that was restored, and not settled yet."""
        if self.rests_before is None or intent.id in self.live:
            return False
        return intent.created_at < self.rests_before

    def _check_awake(self) -> None:
        if self.rests_before is not None and not _thawing.get():
            raise pending()

    def _follow(self, intent_id: str) -> None:
        """Remember the newest version of an intent while answers about it are under way: they may overtake each other.

        What comes late is older than what is known by then, and must not take its place. `_follow_no_more` ends it.
        """
        others = self._under_way.get(intent_id, 0)
        self._under_way[intent_id] = others + 1
        if others:
            self._newest.setdefault(intent_id, 0)

    def _follow_no_more(self, intent_id: str) -> None:
        left = self._under_way.pop(intent_id) - 1
        if left:
            self._under_way[intent_id] = left
        elif self._newest:
            self._newest.pop(intent_id, None)

    def _keep(self, intent: Intent, *, announce: bool = True) -> Intent:
        if self.rests_before is not None and self._rests(intent):
            return intent
        if self._newest and self._is_overtaken(intent):
            return intent
        if self.lease.shared and self.lease.foreign(intent):
            self._let_go(intent.id)
            return intent
        state = intent.state
        if state in LIVE:
            self.live[intent.id] = intent
        else:
            self.live.pop(intent.id, None)
        if announce:
            plain = intent.purpose is None and intent.time_box is None and intent.replay is None
            for listener in (self._listeners_of_plain if plain else self._listeners)[state]:
                listener(intent)
        return intent

    def _is_overtaken(self, intent: Intent) -> bool:
        """Return whether a newer version of an intent is known by now; if not, this one is the newest."""
        newest = self._newest.get(intent.id)
        if newest is None:
            return False
        self._newest[intent.id] = max(newest, intent.version)
        return newest > intent.version

    def _let_go(self, intent_id: str) -> None:
        if self.live.pop(intent_id, None) is not None:
            for listener in self._losses:
                listener(intent_id)

    def _events(self, intent: Intent, changes: Sequence[Change], now: float, actor: str) -> list[Event]:
        trace = intent.trace if intent.replay is None else intent.trace_now
        return self._encoder.events(
            changes,
            stream=intent.id,
            at=now,
            actor=actor,
            account=intent.account,
            trace=trace,
            correlation=intent.correlation,
            causation=intent.causation,
        )

    def _append_of(
        self,
        tenant: str,
        events: Sequence[Event],
        writes: Sequence[Write],
        also: Also,
        counts: tuple[Count, ...] = (),
    ) -> Append:
        """Return what is to become durable together."""
        return Append(
            self._ids.next("apd"),
            tenant,
            tuple(events) + also.events,
            tuple(writes) + also.writes,
            also.expects + self.lease.expects,
            also.counts + counts,
        )

    async def _durable(self, append: Append, intent: Intent, children: Sequence[Intent] = ()) -> Intent:
        """Return `intent` once `append` is durable and all who listen know of it, and of the `children` born with it.

        Raises what stood in its way, or that its fate is not known.
        """
        under_way, name = self._under_way, intent.id  # alone, as nearly always, it is followed without a call
        if name in under_way:
            self._follow(name)
        else:
            under_way[name] = 1
        try:
            outcome = await self._store.append(append)
            if append.counts or outcome.__class__ is not Committed:
                await self._look_into(outcome, append, name)
            for child in children:
                self._keep(child)
            return self._keep(intent)
        finally:
            if self._newest or under_way[name] > 1:
                self._follow_no_more(name)
            else:
                del under_way[name]

    async def _commit(self, append: Append, stream: str) -> None:
        """Return once `append` is durable; raise what stood in its way, or that its fate is not known."""
        await self._look_into(await self._store.append(append), append, stream)

    async def _look_into(self, outcome: Appended, append: Append, stream: str) -> None:
        """Return if `append` is durable after all; raise what stood in its way, or that its fate is not known.

        Whoever counts is told of its counts. What has none and is committed need not be looked into.
        """
        if isinstance(outcome, Unknown):
            outcome = await self._sent_again(append, stream, outcome)
        if append.counts:
            self._tell(append, outcome)
        if not isinstance(outcome, Committed):
            await self._raise(outcome)

    async def _raise(self, outcome: Conflicted | Exceeded | Unknown) -> NoReturn:
        """Raise what an append came to that is not durable. What it conflicts with is read again first."""
        if isinstance(outcome, Unknown):
            raise StoreError(f"the ledger did not acknowledge: {outcome.reason}", code=Code.TIMEOUT_JOURNAL_APPEND)
        if isinstance(outcome, Exceeded):
            raise ExceededError(outcome)
        self.lease.check(outcome)
        if outcome.space == INTENTS:
            await self.reload(outcome.tenant, outcome.key)
        raise StaleError(outcome)

    def _tell(self, append: Append, outcome: Appended) -> None:
        for watcher in self._watchers:
            match outcome:
                case Committed(seq_last=seq):
                    watcher.counted(append.tenant, append.counts, seq)
                case Exceeded():
                    watcher.exceeded(outcome)
                case Unknown():
                    watcher.lost(append.tenant)
                case Conflicted(space=space) if space == INTENTS:
                    watcher.lost(append.tenant)  # what is in the way may be a try that was cancelled at the ledger

    async def _sent_again(self, append: Append, stream: str, unknown: Unknown) -> Appended:
        """Send an append of which nothing is known again until its fate is, at most three times in all.

        The writer takes appends in order, so once a repeat is answered the first one is settled: a repeat that
        commits proves that the first did not, and one that conflicts is looked up by its id.
        """
        outcome: Appended = unknown
        for _ in range(_RESENDS_MAX - 1):
            if not isinstance(outcome, Unknown):
                break
            outcome = await self._resend(append, stream, outcome)
        return outcome

    async def _resend(self, append: Append, stream: str, unknown: Unknown) -> Appended:
        try:
            outcome = await self._store.append(append)
            if isinstance(outcome, Conflicted | Exceeded):
                return await self._store.appended(append.tenant, stream, append.id) or outcome
        except SwitchgearError:
            return unknown  # this one was not written; the one before may have been
        return outcome
