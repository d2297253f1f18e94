"""Takes a request in: finds its tool, checks it, binds its key, records it. A refusal leaves no trace but a count.

Order: stopping, tool, key, arguments, repeat of a known key, a place in the queue, gates, the ledger. Only then is
it acknowledged, and a refusal on the way charges nothing. A key that was not met lately is taken to be free, since
most are: the ledger refuses one that is bound, and before anything else refuses it, it is looked up. So a repeat after
a long time costs its tenant's limit like a new request, and is answered like any repeat.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from switchgear.core.canonical import canonical_json
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid, Overloaded, Rejected, StoreError, SwitchgearError
from switchgear.core.scope import Scope, checked_name
from switchgear.execution.arguments import validate
from switchgear.execution.bounded import within
from switchgear.execution.consent import approval_request
from switchgear.execution.contract import Tool
from switchgear.execution.departing import Departure, Departures
from switchgear.execution.gating import admission_request, also_of
from switchgear.execution.intent import Change, Intent
from switchgear.execution.key_records import KEYS, KeyRecord, key_name
from switchgear.execution.owning import owned
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import Birth, Draft, ExceededError, StaleError
from switchgear.execution.refusals import Refusals
from switchgear.execution.registry import Registered
from switchgear.execution.schedule import checked_priority, checked_start
from switchgear.execution.time_boxes.rules import checked_time_box
from switchgear.gates.gate import ApprovalNeeded, Conditions, Gate, GateRequest, check_all

KEY_CHARACTERS_MAX = 255
ARGUMENTS_BYTES_MAX = 1_048_576
"""The longest arguments, as canonical JSON: with them and the longest value an intent still fits its store."""
ACCEPT_WAIT = 5.0
"""Seconds that a repeat waits for the first request with its key to be accepted."""
KEYS_REMEMBERED_MAX = 4_096
"""So many keys that were met last are looked up before anything else is asked."""
_REBINDS_MAX = 3
_REASKS_MAX = 5


class Submission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request to act. `lifetime` is how many seconds it may stay open; None means the tool's own.

    `time_box` is after how many seconds it is reverted; None means never.
    `not_before` is seconds since the epoch before which it does not leave, or `delay` seconds from now; its deadline
    must be later. `priority` is a class of
    `switchgear.policies.places.Priority`.
    """

    scope: Scope
    tool: str
    arguments: Mapping[str, Any]
    key: str | None = None
    lifetime: float | None = None
    not_before: float | None = None
    delay: float | None = None
    priority: str | None = None
    time_box: float | None = None
    trace: str = ""
    correlation: str = ""


class Asked(msgspec.Struct, frozen=True):
    """A submission whose tool is registered and whose arguments fit: nobody else can change these any more.

    `digest` is that of them, `key_row` the name of the row of its key; None without a key.
    """

    submission: Submission
    registered: Registered
    arguments: dict[str, Any]
    digest: str
    key_row: str | None


class Entry(msgspec.Struct, frozen=True):
    """An intent that the gates let in, on `conditions`, and that has its place: with its `changes` it can be recorded.

    With a `departure` one of them is that it leaves.
    """

    draft: Draft
    conditions: Conditions
    changes: tuple[Change, ...]
    departure: Departure | None


class Admitted(msgspec.Struct, frozen=True):
    """The intent that answers a submission. `replayed` says that an earlier request had made it.

    With a `departure` it is on record as dispatched already, and is to be carried on.
    """

    intent: Intent
    replayed: bool = False
    departure: Departure | None = None


@dataclass(frozen=True, slots=True)
class FreeKey:
    """A key that may be bound: the version of its row (0: it has none), and what it was bound to before."""

    version: int
    before: KeyRecord | None = None


NEVER_BOUND = FreeKey(0)


class Admission:
    """The door of an engine. `stopping` shuts it, and `close` for good."""

    def __init__(
        self,
        parts: Parts,
        *,
        gates: Sequence[Gate],
        refusals: Refusals,
        check_room_for_boxes: Callable[[], None],
        departures: Departures,
    ) -> None:
        """Work with the parts of one engine. `check_room_for_boxes` raises while no time-box more may be opened."""
        self._check_room_for_boxes = check_room_for_boxes
        self._departures = departures
        self._parts = parts
        self._recorder = parts.recorder
        self._registry = parts.registry
        self._queue = parts.queue
        self._clock = parts.clock
        self._ids = parts.ids
        self._gates = gates
        self._refusals = refusals
        self._accepting: dict[tuple[str, str], asyncio.Event | None] = {}  # an event once somebody waits
        self.lately = Lately()
        self.stopping = False
        self._closed = False
        self.unacknowledged: dict[str, str] = {}
        """Intents, with their tenant, of which a change may be on record although its maker was told otherwise."""

    async def submit(self, submission: Submission) -> Admitted:
        """Accept `submission` durably, or find the intent that its key is bound to.

        Raises a `Rejected` that says why it was refused, or `StoreError` when it could not be recorded.
        """
        try:
            if self.stopping:
                self.check_open()
            try:
                registered = self._registry.get(submission.tool)
            except TypeError:  # it cannot be hashed, so it is no text
                registered = None
            if registered is None:
                raise _unknown(submission.tool)
            tool, key = registered.tool, submission.key
            if key is None or not is_key(key):
                _check_keyless(tool, key)
            arguments = _owned_arguments(submission.arguments)
            digest = _checked_arguments(tool, arguments)
            if submission.time_box is not None:
                checked_time_box(tool, submission.time_box, self._registry)
            if submission.priority is not None:
                checked_priority(submission.priority)
            if key is None:
                return await self._accept(Asked(submission, registered, arguments, digest, None), NEVER_BOUND)
            name = key_name(submission.scope.account, tool.name, key)
            return await self._admit_keyed(Asked(submission, registered, arguments, digest, name), name)
        except Rejected as refusal:
            self._refusals.count(submission.scope.tenant, self._counted_tool(submission.tool), refusal.code)
            raise

    async def find(self, scope: Scope, tool: str, key: str) -> Intent | None:
        """Return the intent that a key is bound to; None when it is bound to none, and nothing under way will bind it.

        A request with this key that is just being accepted is waited for, and one whose acceptance was never
        acknowledged is settled first. Raises `Invalid` for what is no name of a tool, `Conflict`
        (IDEMPOTENCY_IN_PROGRESS) when the wait takes too long, `StoreError` when nobody can tell.
        """
        checked_name("tool", tool)
        if not is_key(key):
            return None
        name = key_name(scope.account, tool, key)
        await self._turn_at((scope.tenant, name))
        bound = await self._bound(scope.tenant, name)
        free = bound is None or _forgotten(bound[0], *self._parts.watch.read())
        if free and scope.tenant in self.unacknowledged.values():
            await self._recorder.fence(scope.tenant)
            bound = await self._bound(scope.tenant, name)
        return None if bound is None else bound[0]

    def close(self) -> None:
        """Take nothing any more: all that is behind this door has ended."""
        self.stopping = self._closed = True

    def check_open(self) -> None:
        """Raise `Overloaded` (SHUTTING_DOWN) once it takes nothing; without `retry_after` once it never will again.

        So it is when it is closed, and when another engine has taken its place: then it says which, and since when.
        """
        if self._closed:
            words = "this gear is closed: open another, and send it there with the same key"
            raise Overloaded(words, code=Code.SHUTTING_DOWN, policy="lifecycle", state="closed")
        if self.stopping and self._recorder.lease.ousted:
            words = f"{self._recorder.lease.lost}, and this engine writes no more: restart it, or ask the other one"
            raise Overloaded(words, code=Code.SHUTTING_DOWN, policy="lifecycle", state="lost")
        if self.stopping:
            raise Overloaded(code=Code.SHUTTING_DOWN, policy="lifecycle", state="stopping", retry_after=1.0)

    def ask(self, request: GateRequest) -> Conditions:
        """Ask every gate at the door; the first refusal is raised."""
        return check_all(self._gates, request)

    async def _admit_keyed(self, asked: Asked, name: str) -> Admitted:
        slot = (asked.submission.scope.tenant, name)
        if slot in self._accepting:
            await self._turn_at(slot)
        self._accepting[slot] = None
        try:
            if not self.lately.is_new(slot):
                return await self._bind(asked, name)
            try:  # it is free until the ledger says otherwise
                return await self._accept(asked, NEVER_BOUND)
            except StaleError:
                return await self._bind(asked, name)
            except (Rejected, StoreError) as refusal:
                return await self._repeat_of(asked, name, refusal)
        finally:
            if (waited_for := self._accepting.pop(slot)) is not None:
                waited_for.set()

    async def _turn_at(self, slot: tuple[str, str]) -> None:
        """Wait until nobody holds a key any more, for `ACCEPT_WAIT` at most, however many are ahead."""
        ends = self._clock.monotonic() + ACCEPT_WAIT
        while slot in self._accepting:
            first = self._accepting[slot] = self._accepting[slot] or asyncio.Event()
            if not await within(self._clock, ends - self._clock.monotonic(), first.wait()):
                raise Conflict(code=Code.IDEMPOTENCY_IN_PROGRESS, policy="idempotency", retry_after=1.0)

    async def _repeat_of(self, asked: Asked, name: str, refusal: SwitchgearError) -> Admitted:
        """Answer a repeat, whatever has refused it; raise the `refusal` of what is none.

        So it is while nothing can be written; but what may just have been written is not called a repeat.
        """
        found = await self._found(asked, name)
        if not isinstance(found, Intent) or found.id in self.unacknowledged:
            raise refusal
        return Admitted(found, replayed=True)

    async def _bind(self, asked: Asked, name: str) -> Admitted:
        for _ in range(_REBINDS_MAX):
            found = await self._found(asked, name)
            if isinstance(found, Intent):
                return Admitted(found, replayed=True)
            try:
                return await self._accept(asked, found)
            except StaleError:
                continue
        raise Conflict(code=Code.IDEMPOTENCY_IN_PROGRESS, policy="idempotency", retry_after=1.0)

    async def _found(self, asked: Asked, name: str) -> Intent | FreeKey:
        """Return the intent that the key is bound to, or how it is free to be bound.

        Raises `Conflict` (IDEMPOTENCY_CONFLICT) when it is bound to another payload, and as `_bound` does.
        """
        bound = await self._bound(asked.submission.scope.tenant, name)
        if bound is None:
            return NEVER_BOUND
        intent, record, version = bound
        if _forgotten(intent, *self._parts.watch.read()):
            return FreeKey(version, record)
        return _same_request(intent, record, asked)

    async def _bound(self, tenant: str, name: str) -> tuple[Intent, KeyRecord, int] | None:
        """Return what a key was bound to last, the record of that and its version; None when it never was.

        Raises `StoreError` (LEDGER_CORRUPT) when that intent is gone: then nobody can tell, and the key is not free.
        """
        bound = await self._recorder.bound_key(tenant, name)
        if bound is None:
            return None
        record, version = bound
        intent = await self._recorder.latest(tenant, record.intent_id)
        if intent is None:
            raise StoreError(f"the key is bound to {record.intent_id}, which is gone", code=Code.LEDGER_CORRUPT)
        return intent, record, version

    async def _accept(self, asked: Asked, key: FreeKey) -> Admitted:
        """Record a new intent. When what the gates relied on has changed meanwhile, they are asked again."""
        if asked.submission.time_box is not None:
            self._check_room_for_boxes()
        at_once = True
        for _ in range(_REASKS_MAX):
            entry = self._entry(asked, key, at_once=at_once)
            try:
                intent = await self._recorder.accept(
                    entry.draft,
                    entry.changes,
                    actor=ACTOR,
                    key_row=asked.key_row,
                    key_version=key.version,
                    also=also_of(entry.conditions),
                )
                return Admitted(intent, departure=entry.departure)
            except StaleError as error:
                self._give_back(entry, error)
                if error.conflict.space == KEYS:
                    raise
                await self._parts.refresh(error.conflict)
            except ExceededError as error:
                self._give_back(entry, error)
                if not at_once:
                    raise Rejected(str(error), code=Code.BUDGET_EXCEEDED, policy="budget") from None
                at_once = False  # what it lacks for leaving may come while it waits
            except BaseException as error:
                self._give_back(entry, error)
                raise
        raise Overloaded("what the gates rely on keeps changing", policy="gates", retry_after=1.0)

    def _entry(self, asked: Asked, key: FreeKey, *, at_once: bool) -> Entry:
        """Make an intent that has a place and that the gates let in; if `at_once`, one that leaves when it may.

        Raises a `Rejected` that says why not.
        """
        tenant = asked.submission.scope.tenant
        intent_id = self._ids.next("int")
        self._queue.reserve(intent_id, tenant)
        try:
            now = self._recorder.watch.time()
            facts = _facts(intent_id, asked, now)
            if key.before is not None:
                facts |= key.before.facts_of_next(asked.digest)
            draft = self._recorder.draft(Birth(facts, {"arguments": asked.arguments}), now)
            request = admission_request(draft.intent, asked.registered.tool, now)
            try:
                conditions = check_all(self._gates, request)
            except ApprovalNeeded as needed:  # let in, and waits for that
                change = approval_request(request, needed, self._ids.next("apr"))
                return Entry(draft, needed.conditions, (change,), None)
            if at_once:
                departure = self._departures.departure(draft.intent, asked.registered, request, conditions)
                if departure is not None:
                    return Entry(draft, departure.conditions, (departure.change,), departure)
            return Entry(draft, conditions, (), None)
        except BaseException:
            self._queue.release(intent_id)
            raise

    def _give_back(self, entry: Entry, error: BaseException) -> None:
        """Give back what an intent holds that was not recorded.

        What may be on record keeps its place until that is known, as does what a defect struck after it was recorded.
        """
        intent = entry.draft.intent
        untold = isinstance(error, StoreError) and error.code is Code.TIMEOUT_JOURNAL_APPEND
        if entry.departure is not None:
            unsure = untold or not isinstance(error, (StaleError, ExceededError, StoreError))
            self._departures.call_off(entry.departure, unsure=unsure)
        if untold or intent.id in self._recorder.live:
            self.unacknowledged[intent.id] = intent.tenant
        else:
            self._queue.release(intent.id)

    def _counted_tool(self, name: object) -> str:
        return name if isinstance(name, str) and self._registry.get(name) is not None else "(unknown)"


class Lately:
    """The keys that were met last, by tenant and name: a request with one of them is likely to be a repeat."""

    def __init__(self, keys_max: int = KEYS_REMEMBERED_MAX) -> None:
        """Remember nothing yet, and at most `keys_max`."""
        self._keys_max = keys_max
        self._met: OrderedDict[tuple[str, str], None] = OrderedDict()  # its first is found at once, unlike a dict's

    def __len__(self) -> int:
        """How many it remembers."""
        return len(self._met)

    def is_new(self, slot: tuple[str, str]) -> bool:
        """Return whether a key is not among them, and remember it from now on."""
        if slot in self._met:
            return False
        if len(self._met) >= self._keys_max:
            self._met.popitem(last=False)
        self._met[slot] = None
        return True


def _facts(intent_id: str, asked: Asked, now: float) -> dict[str, object]:
    """Return what is recorded of a submission that is accepted `now`."""
    submission, tool = asked.submission, asked.registered.tool
    scope = submission.scope
    lifetime = tool.lifetime if submission.lifetime is None else submission.lifetime
    facts: dict[str, object] = {
        "id": intent_id,
        "tenant": scope.tenant,
        "account": scope.account,
        "actor": scope.actor,
        "tool": tool.name,
        "effect": str(tool.effect),
        "contract": tool.contract,
        "digest": asked.digest,
        "key": submission.key,
        "attempts_max": tool.attempts,
        "key_retention": tool.key_retention,
        "deadline_at": now + lifetime,
        "cost": tool.cost,
        "trace": submission.trace,
        "correlation": submission.correlation or intent_id,
    }
    _add_what_is_rare(facts, asked, now, lifetime)
    return facts


def _add_what_is_rare(facts: dict[str, object], asked: Asked, now: float, lifetime: float) -> None:
    """Add what is said of few intents only, where it is said of this one."""
    submission, tool = asked.submission, asked.registered.tool
    if submission.priority is not None:
        facts["priority"] = submission.priority
    if tool.destructive:
        facts["destructive"] = True
    start = checked_start(submission.not_before, submission.delay, now, lifetime)
    if start is not None:
        facts |= {"not_before": start, "wait": max(0.0, start - now)}
    if tool.resource is not None:
        facts["resource"] = tool.resource_of(asked.arguments)
    if submission.time_box is not None:
        facts |= {"time_box": submission.time_box, "undo": tool.revert}


def _unknown(tool: object) -> Rejected:
    if not isinstance(tool, str):
        words = f'a tool is named by its text, such as "crm.update", not by a value of type {type(tool).__name__}'
        return Invalid(words, policy="registry")
    return Denied(f"there is no tool {tool[:100]!r}", code=Code.NOT_FOUND, policy="registry")


def _check_keyless(tool: Tool, key: str | None) -> None:
    """Raise `Invalid` for what is no key, and for none where the tool needs one."""
    if key is not None:
        raise Invalid(f"an idempotency key has 1 to {KEY_CHARACTERS_MAX} printable characters", policy="idempotency")
    if tool.needs_key:
        raise Invalid(code=Code.IDEMPOTENCY_KEY_REQUIRED, policy="idempotency")


def is_key(key: object) -> bool:
    """Return whether something can be accepted with this key."""
    return isinstance(key, str) and 1 <= len(key) <= KEY_CHARACTERS_MAX and key.isprintable()


def _owned_arguments(arguments: object) -> dict[str, Any]:
    """Return a copy that its caller cannot change any more."""
    if not isinstance(arguments, (dict, Mapping)):  # `dict` first: a protocol is asked slowly
        raise Invalid(f"arguments are an object, not {type(arguments).__name__}", policy="arguments")
    try:
        return owned(arguments)
    except RecursionError:
        raise Invalid("the arguments are nested too deep", policy="arguments") from None


def _checked_arguments(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """Return the digest of arguments that fit the tool, and that leave room for an outcome beside them."""
    canonical = canonical_json(arguments)
    if len(canonical) > ARGUMENTS_BYTES_MAX:
        raise Invalid(
            f"the arguments take {len(canonical)} bytes as JSON, and {ARGUMENTS_BYTES_MAX} is the most",
            code=Code.PAYLOAD_TOO_LARGE,
            policy="arguments",
        )
    validate(tool, arguments)
    return hashlib.sha256(canonical).hexdigest()


def _forgotten(intent: Intent, now: float, unsure: float) -> bool:
    """Return whether the key of an intent is free again: its record is final, and surely past its retention.

    `unsure` is by how many seconds fewer may have passed than the wall clock says. A replay of a final intent is an
    event of it too: retention begins anew with that, so it only ever becomes longer.
    """
    return intent.closed and now - unsure >= intent.updated_at + intent.key_retention


def _same_request(intent: Intent, record: KeyRecord, asked: Asked) -> Intent:
    if record.digest != asked.digest or intent.time_box != asked.submission.time_box:
        raise Conflict(code=Code.IDEMPOTENCY_CONFLICT, policy="idempotency", state=str(intent.state))
    return intent
