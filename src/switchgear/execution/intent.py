"""The intent: its record, and the fold that makes it of its events.

`evolve` applies one change to an intent and refuses what the table in `transitions` does not allow. Nothing here
decides which change comes next (see `decide`) and nothing is stored here (see `recorder`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from switchgear.core.effects import Effect
from switchgear.execution.reservation import settles
from switchgear.execution.transitions import DOUBTFUL, FINAL, SETTLED, TRANSITIONS, WAITING, Kind, State
from switchgear.gates.destructive.force import Force, Overridden


class Grant(msgspec.Struct, frozen=True):
    """One person's yes: who, through which channel (rest, cli, python), when in seconds since the epoch."""

    by: str
    channel: str
    at: float


class Approval(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an intent needs before it may leave: `quorum` grants under `rule` before `expires_at`.

    `digest` binds them to exactly this request; what changes any of it makes them stale. `used` says that a dispatch
    has consumed them: further attempts of the same generation go on under it, nothing else ever does.
    """

    rule: str
    quorum: int
    digest: str
    nonce: str
    expires_at: float
    granted: tuple[Grant, ...] = ()
    used: bool = False

    @property
    def complete(self) -> bool:
        """Whether enough have said yes."""
        return len(self.granted) >= self.quorum


class Word(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one person said of an intent in doubt, at `at` in seconds since the epoch; `value` is what it would keep.

    `evidence` is None where it was erased.
    """

    verdict: str
    by: str
    at: float
    evidence: str | None = None
    value: Any = None


class Resolution(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of the newest doubt about an intent; until it has `ended`, what the person who spoke last says of it.

    It was said by the person `by` with `evidence` (None: erased, or recorded by an earlier release), or found out by
    the intent `lookup`. `others` is what other persons have said before, the newest word of each: the same, or, while
    it has not ended, something else. `value` is what the last word would keep. `since`, `code` and `message` say
    since when and why it was in doubt, once it has ended.
    """

    verdict: str
    by: str | None
    at: float
    evidence: str | None = None
    value: Any = None
    others: tuple[Word, ...] = ()
    ended: bool = False
    lookup: str | None = None
    since: float | None = None
    code: str | None = None
    message: str = ""

    @property
    def words(self) -> tuple[Word, ...]:
        """What persons have said, the oldest first and the newest word of each; none where a lookup found out."""
        last = () if self.by is None else (Word(self.verdict, self.by, self.at, self.evidence, self.value),)
        return (*self.others, *last)


SECOND_PERSON = "second_person"
"""What the first word about a doubt awaits: that another person says the same."""
AGREEMENT = "agreement"
"""What a word awaits that contradicts another person's: that two say the same."""


class Hindrance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What refused an intent for now, in the facts of every refusal, `since` when in seconds since the epoch.

    `retry_after` is seconds from then, None when nobody knows.
    """

    policy: str
    dependency: str
    state: str
    since: float
    retry_after: float | None = None


class Replay(msgspec.Struct, frozen=True, omit_defaults=True):
    """The newest replay of an intent: who asked, in which mode, when, and its trace.

    Once it has ended it has either a `result` or a `cause`; `refusal` is the code of what stood in its way.
    """

    mode: str
    by: str
    at: float
    trace: str = ""
    result: str | None = None
    cause: str | None = None
    refusal: str | None = None

    @property
    def under_way(self) -> bool:
        """Whether it has not ended yet."""
        return self.result is None and self.cause is None


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An action on record. Times are seconds since the epoch; `version` is the row's version, and its epoch.

    `attempt` counts dispatches; `interruptions` those that ended with the process and not with an answer. `doubtful`
    says that the fate of some attempt is not known, and stays until a success or a person settles it. `generation`
    counts executions that a person asked for anew, each with a downstream key of its own. `parent` and `purpose` say
    which intent this one serves, and as what; `about` is the downstream key of what it looks up or undoes. `wait` is
    how many seconds away `not_before` was when it was set. `time_box` is how many seconds it holds before the tool
    `undo` reverts it; None means for good. `restored` says that it went into doubt since the store came from a backup,
    and has forgotten what happened afterwards. `ended` is what a dead letter had come to. No `priority`
    means critical. `hindrance` is what holds or defers it. `force` is a person's word that overrides it once.
    `resolution` is what became of the newest doubt of this generation, or what is said so and does not count yet.
    """

    id: str
    tenant: str
    account: str
    actor: str
    tool: str
    effect: Effect
    contract: str
    arguments: dict[str, Any]
    digest: str
    key: str | None
    attempts_max: int
    key_retention: float
    created_at: float
    updated_at: float
    deadline_at: float
    trace: str = ""
    correlation: str = ""
    causation: str = ""
    state: State = State.PROPOSED
    version: int = 0
    attempt: int = 0
    interruptions: int = 0
    generation: int = 1
    owner: str = ""
    priority: str | None = None
    parent: str | None = None
    purpose: str | None = None
    about: str | None = None
    resource: str | None = None
    resource_version: int = 0
    destructive: bool = False
    cost: int = 1
    reserved: dict[str, int] = {}
    first_sent_at: float | None = None
    not_before: float | None = None
    wait: float | None = None
    waiting_for: str | None = None
    code: str | None = None
    message: str = ""
    hindrance: Hindrance | None = None
    force: Force | None = None
    value: Any = None
    approval: Approval | None = None
    resolution: Resolution | None = None
    lookup: str | None = None
    lookups: int = 0
    doubt_since: float | None = None
    time_box: float | None = None
    undo: str | None = None
    cancel_requested: bool = False
    doubtful: bool = False
    restored: bool = False
    ended: State | None = None
    replay: Replay | None = None

    @property
    def replaying(self) -> bool:
        """Whether a replay of it has begun and not ended yet."""
        return self.replay is not None and self.replay.under_way

    @property
    def trace_now(self) -> str:
        """The trace that its next event belongs to: a replay has one of its own."""
        return self.replay.trace if self.replay is not None and self.replaying else self.trace

    @property
    def unresolved(self) -> bool:
        """Whether an earlier attempt may have been applied: no later refusal, expiry or cancel can settle that."""
        return self.doubtful and self.effect.writes

    @property
    def final(self) -> bool:
        """Whether nothing changes any more by itself; a person may still requeue a dead letter."""
        return self.state in FINAL or self.state is State.DEAD_LETTERED

    @property
    def closed(self) -> bool:
        """Whether its record is final for good, so that its key may be free again after its retention."""
        return self.state in FINAL

    @property
    def settled(self) -> bool:
        """Whether a submitter need not wait on: final, or in doubt."""
        return self.state in SETTLED

    @property
    def downstream_key(self) -> str:
        """The idempotency key that the remote gets: the same for every attempt of one generation."""
        return self.id if self.generation == 1 else f"{self.id}.{self.generation}"


class Change(msgspec.Struct, frozen=True, gc=False):
    """One event to be: machine facts, and payload with user data. A fact or payload named like a field sets it.

    `actor` is who did it, where that is not who did all that is recorded with it.
    """

    kind: Kind
    facts: dict[str, Any] = {}
    payload: dict[str, Any] | None = None
    actor: str = ""


class IllegalTransitionError(Exception):
    """A defect: the table does not allow this event in this state."""


_CLEARED: Mapping[str, Any] = {
    "not_before": None,
    "wait": None,
    "waiting_for": None,
    "code": None,
    "message": "",
    "hindrance": None,
}
_NESTED = frozenset(
    {
        "approval",
        "resolution",
        "replay",
        "ended",
        "state",
        "version",
        "id",
        "tenant",
        "hindrance",
        "force",
    }
)
_ACCEPTED: Mapping[str, Any] = {"state": TRANSITIONS[Kind.ACCEPTED][1]}
_FIELDS = frozenset(Intent.__struct_fields__) - _NESTED


def evolve(intent: Intent, change: Change, at: float, version: int | None = None) -> Intent:
    """Return `intent` after `change`, which happened `at` seconds since the epoch, at `version` (None: as it is).

    What is recorded of a closed one, such as a replay, never moves `updated_at` back: the retention of its key is
    counted from there, and a wall clock that was set back must not shorten it. Raises `IllegalTransitionError` when
    the table does not allow it.
    """
    kind, facts, payload = change.kind, change.facts, change.payload
    allowed, step, fold = _STEPS[kind]
    state = intent.state
    if state not in allowed:
        raise IllegalTransitionError(f"{kind} is not allowed in {state} ({intent.id})")
    fields = step.copy()
    for told in (facts, payload) if payload else (facts,):
        for name, value in told.items():
            if name in _FIELDS:
                fields[name] = value
    if fold is not None:
        fields |= fold(intent, facts, at)
    if "verdict" in facts:
        fields |= _verdict(intent, change, at)
    if intent.reserved and settles(kind, facts):
        fields["reserved"] = {}
    if version is not None:
        fields["version"] = version
    fields["updated_at"] = max(at, intent.updated_at) if state in FINAL else at
    return replace(intent, **fields)


def birth(facts: Mapping[str, Any], payload: Mapping[str, Any], at: float) -> Intent:
    """Return the proposed intent that an `accepted` event describes."""
    return msgspec.convert({**facts, **payload, "created_at": at, "updated_at": at}, Intent)


def accepted(facts: Mapping[str, Any], payload: Mapping[str, Any], at: float) -> Intent:
    """Return the ready intent that an `accepted` event makes: `birth`, and what `evolve` makes of that, at once."""
    return msgspec.convert({**facts, **payload, **_ACCEPTED, "created_at": at, "updated_at": at}, Intent)


def words_beside(intent: Intent, by: str | None) -> tuple[Word, ...]:
    """Return what others than `by` say of a doubt that lasts: the newest word of each, and no two the same verdict."""
    said = intent.resolution
    return () if said is None or said.ended else tuple(word for word in said.words if word.by != by)


Facts = Mapping[str, Any]
Fold = Callable[[Intent, Facts, float], dict[str, Any]]


def _requested(intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    """Return the wait for approval; what is not to leave before its time still is not, once it is approved."""
    return {**_scheduled(intent, facts, at), "approval": msgspec.convert(dict(facts["approval"]), Approval)}


def _given(intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    assert intent.approval is not None  # the table: only what was asked for is given
    granted = (*intent.approval.granted, Grant(facts["by"], facts["channel"], at))
    return {"approval": replace(intent.approval, granted=granted)}


def _withdrawn(intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    if intent.approval is None:
        return {}
    granted = tuple(grant for grant in intent.approval.granted if grant.by != facts["by"])
    return {**_scheduled(intent, facts, at), "approval": replace(intent.approval, granted=granted)}


def _scheduled(intent: Intent, _facts: Facts, _at: float) -> dict[str, Any]:
    """Return the schedule of an intent that has not left yet: neither acceptance nor approval ends it."""
    return {"not_before": intent.not_before, "wait": intent.wait}


def _sent(intent: Intent, facts: Facts, _at: float) -> dict[str, Any]:
    """Return the use of an approval and of a force: a dispatch that names one consumes it; no force outlasts it."""
    used: dict[str, Any] = {}
    if intent.force is not None:
        used["force"] = replace(intent.force, used=True) if "forced" in facts else None
    if intent.approval is not None and facts.get("approval") == intent.approval.digest:
        used["approval"] = replace(intent.approval, used=True)
    return used


def _hindered(_intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    """Return what refused it for now. Events of earlier releases may name less."""
    named = {name: facts.get(name) or "" for name in ("policy", "dependency", "state")}
    return {"hindrance": Hindrance(since=at, retry_after=facts.get("retry_after"), **named)}


def _forced(_intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    overrode = msgspec.convert(facts["overrode"], tuple[Overridden, ...])
    return {"force": Force(facts["by"], at, facts["until"], facts["contract"], overrode)}


def _verdict(intent: Intent, change: Change, at: float) -> dict[str, Any]:
    """Return what a verdict leaves on record: the word of a person that does not count yet, or how the doubt ended.

    Proposals of earlier releases do not say what they await, and their ends of a doubt have no verdict: of these
    nothing is kept but what those releases kept, so that their rows are still what their events say.
    """
    facts, said = change.facts, change.payload or {}
    if change.kind is not Kind.RESOLUTION_PROPOSED:
        return {"resolution": _end_of_doubt(intent, facts, said.get("evidence"), at)}
    kept, by = said if "awaits" in facts else {}, facts["by"]
    others = words_beside(intent, by) if facts.get("awaits") == AGREEMENT else ()
    verdict, evidence, value = facts["verdict"], kept.get("evidence"), kept.get("proposed_value")
    return {"resolution": Resolution(verdict, by, at, evidence, value, others)}


def _end_of_doubt(intent: Intent, facts: Facts, evidence: str | None, at: float) -> Resolution:
    by = facts.get("resolved_by")
    return Resolution(
        verdict=facts["verdict"],
        at=at,
        by=by,
        evidence=evidence,
        others=words_beside(intent, by),
        ended=True,
        lookup=facts.get("found_by"),
        since=intent.doubt_since,
        code=intent.code,
        message=intent.message,
    )


def _in_doubt(intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    """Return since when it is in doubt. One that waits is so only for an earlier attempt, or a store restored."""
    if intent.state in WAITING and not (intent.unresolved or facts.get("restored")):
        raise IllegalTransitionError(f"{intent.id} is {intent.state} and no attempt of it is in doubt")
    since = intent.doubt_since if intent.doubt_since is not None else at
    return {"doubt_since": since, "lookup": None, "resolution": None}


def _known(intent: Intent, _facts: Facts, _at: float) -> dict[str, Any]:
    """Return the end of a doubt: what did not count goes with it, and how an earlier one ended stays."""
    ended = intent.resolution if intent.resolution is not None and intent.resolution.ended else None
    return {"doubt_since": None, "lookup": None, "resolution": ended}


def _settled_as_not_applied(intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    """Return the end of a doubt where somebody found out; a refusal of one attempt says nothing of earlier ones."""
    return {**_known(intent, facts, at), "doubtful": False} if intent.state in DOUBTFUL else {}


def _dead(intent: Intent, _facts: Facts, _at: float) -> dict[str, Any]:
    return {"ended": intent.state, "code": intent.code, "message": intent.message}


def _again(intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    return {**_known(intent, facts, at), "ended": None, "cancel_requested": False, "approval": None, "force": None}


def _anew(intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    """Return a new generation: nothing of the attempts before it counts any more."""
    fresh = {"doubtful": False, "value": None, "first_sent_at": None, "resolution": None}
    return {**_again(intent, facts, at), **fresh, "generation": intent.generation + 1, "attempt": 0, "interruptions": 0}


def _replay_begun(intent: Intent, facts: Facts, at: float) -> dict[str, Any]:
    if intent.replaying:
        raise IllegalTransitionError(f"a replay of {intent.id} is under way; another one cannot start")
    return {"replay": Replay(facts["mode"], facts["requested_by"], at, facts["replay_trace"])}


def _replay_ended(intent: Intent, facts: Facts, _at: float) -> dict[str, Any]:
    if intent.replay is None or not intent.replaying:
        raise IllegalTransitionError(f"no replay of {intent.id} is under way, so none can end")
    ended = {name: facts[name] for name in ("result", "cause", "refusal") if name in facts}
    return {"replay": replace(intent.replay, **ended)}


_FOLDS: Mapping[Kind, Fold] = {
    Kind.ACCEPTED: _scheduled,
    Kind.APPROVAL_REQUESTED: _requested,
    Kind.APPROVAL_GIVEN: _given,
    Kind.APPROVAL_WITHDRAWN: _withdrawn,
    Kind.APPROVED: _scheduled,
    Kind.HELD: _hindered,
    Kind.DEFERRED: _hindered,
    Kind.FORCED: _forced,
    Kind.DISPATCHED: _sent,
    Kind.IN_DOUBT: _in_doubt,
    Kind.SUCCEEDED: _known,
    Kind.NOT_APPLIED: _settled_as_not_applied,
    Kind.ABANDONED: _known,
    Kind.DEAD_LETTERED: _dead,
    Kind.REQUEUED: _again,
    Kind.REEXECUTED: _anew,
    Kind.REPLAY_STARTED: _replay_begun,
    Kind.REPLAY_COMPLETED: _replay_ended,
    Kind.REPLAY_FAILED: _replay_ended,
}
"""What an event does beyond setting the fields that its facts name. What its verdict does: see `_verdict`."""
_STEPS: Mapping[Kind, tuple[frozenset[State], dict[str, Any], Fold | None]] = {
    kind: (allowed, {} if target is None else {**_CLEARED, "state": target}, _FOLDS.get(kind))
    for kind, (allowed, target) in TRANSITIONS.items()
}
"""Where each event may happen, what it sets whatever its facts are (a copy of that is where its fold begins), and what
it does beyond."""
