"""What people may say about an intent that needs approval, and what it comes to: tables, without an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Denied, Invalid, Rejected
from switchgear.execution.consent import Channel, Word, given, refused, taken_back
from switchgear.execution.intent import Approval, Change, Grant, Intent, evolve
from switchgear.execution.transitions import Kind, State

ASKED = Approval(rule="refunds", quorum=2, digest="d" * 64, nonce="n", expires_at=160.0)
PENDING = Intent(
    id="int_1",
    tenant="acme",
    account="main",
    actor="service:orders",
    tool="bank.refund",
    effect=Effect.KEYED,
    contract="c",
    arguments={},
    digest="p",
    key="k",
    attempts_max=3,
    key_retention=60.0,
    created_at=100.0,
    updated_at=100.0,
    deadline_at=1_000.0,
    state=State.PENDING_APPROVAL,
    version=1,
    attempt=1,
    approval=ASKED,
)


def word(by: str = "user:ada", **other: object) -> Word:
    """Return somebody's word at 110 seconds."""
    facts: dict[str, Any] = {"channel": Channel.REST, "asked_by": frozenset({PENDING.actor}), "at": 110.0, **other}
    return Word(by=by, **facts)


def standing(
    state: State = State.PENDING_APPROVAL, *granted: str, used: bool = False, doubtful: bool = False
) -> Intent:
    """Return the intent in a state, with the grants of some people."""
    grants = tuple(Grant(by, "rest", 105.0) for by in granted)
    approval = msgspec.structs.replace(ASKED, granted=grants, used=used)
    return msgspec.structs.replace(PENDING, state=state, doubtful=doubtful, approval=approval)


def kinds(changes: tuple[Change, ...]) -> list[Kind]:
    """Return the types of what is to be recorded."""
    return [change.kind for change in changes]


def test_each_yes_is_recorded_with_who_channel_and_what_it_is_bound_to() -> None:
    """The ledger can say later who agreed to what, and through what."""
    (change,) = given(PENDING, word(channel=Channel.CLI))
    assert change.facts == {"by": "user:ada", "channel": "cli", "approval": ASKED.digest}


def test_the_last_of_the_quorum_approves_in_the_same_append() -> None:
    """There is no moment at which everybody has agreed and the intent still waits."""
    changes = given(standing(State.PENDING_APPROVAL, "user:bob"), word())
    assert kinds(changes) == [Kind.APPROVAL_GIVEN, Kind.APPROVED]
    after = standing(State.PENDING_APPROVAL, "user:bob")
    for change in changes:
        after = evolve(after, change, 110.0)
    assert after.state is State.READY
    assert after.approval is not None
    assert [grant.by for grant in after.approval.granted] == ["user:bob", "user:ada"]


WHO: list[tuple[str, Code | None]] = [
    ("user:ada", None),
    ("service:backoffice", None),
    ("service:orders", Code.PERMISSION_DENIED),
    ("agent:seven", Code.PERMISSION_DENIED),
    ("user:boss", Code.PERMISSION_DENIED),
]


@pytest.mark.parametrize(("by", "code"), WHO)
@pytest.mark.parametrize("says", [given, refused])
def test_who_may_decide(says: Callable[[Intent, Word], tuple[Change, ...]], by: str, code: Code | None) -> None:
    """Whoever asked for it, itself or through what it serves, has no say; an agent never has."""
    said = word(by, asked_by=frozenset({"service:orders", "user:boss"}), reason="because")
    if code is None:
        assert says(PENDING, said)
        return
    with pytest.raises(Denied) as refusal:
        says(PENDING, said)
    assert (refusal.value.code, refusal.value.policy) == (code, "approval")


def test_a_person_counts_once() -> None:
    """A second yes of one person changes nothing, in whatever state it comes, so a lost answer can be repeated."""
    for state in (State.PENDING_APPROVAL, State.READY, State.DISPATCHED, State.SUCCEEDED):
        assert given(standing(state, "user:ada"), word()) == ()


YES: list[tuple[Intent, dict[str, Any], Code]] = [
    (PENDING, {"digest": "e" * 64}, Code.APPROVAL_STALE),
    (PENDING, {"digest": ""}, Code.APPROVAL_STALE),
    (PENDING, {"at": 160.0}, Code.APPROVAL_EXPIRED),
    (standing(State.READY, "user:bob", "user:cyd"), {}, Code.ILLEGAL_TRANSITION),
    (standing(State.REJECTED), {}, Code.ILLEGAL_TRANSITION),
    (standing(State.EXPIRED), {}, Code.ILLEGAL_TRANSITION),
    (standing(State.CANCELLED), {}, Code.ILLEGAL_TRANSITION),
    (msgspec.structs.replace(PENDING, approval=None, state=State.READY), {}, Code.ILLEGAL_TRANSITION),
]


@pytest.mark.parametrize(("intent", "other", "code"), YES)
def test_a_yes_that_comes_too_late_or_to_something_else_is_refused(
    intent: Intent, other: dict[str, Any], code: Code
) -> None:
    """What is approved is what was seen, while it is asked for, and in time."""
    with pytest.raises(Conflict) as refusal:
        given(intent, word(**other))
    assert (refusal.value.code, refusal.value.state) == (code, str(intent.state))


def test_a_yes_that_names_what_was_seen_counts() -> None:
    """The right digest is no hindrance, up to the last moment."""
    assert kinds(given(PENDING, word(digest=ASKED.digest, at=159.9))) == [Kind.APPROVAL_GIVEN]


def test_a_no_ends_it_with_its_reason_beside_the_chain() -> None:
    """One no is enough. Its reason is payload, so it can be erased."""
    (change,) = refused(standing(State.PENDING_APPROVAL, "user:bob"), word(reason="wrong account"))
    assert change.kind is Kind.REJECTED
    assert change.facts == {"by": "user:ada", "channel": "rest", "code": "APPROVAL_REJECTED"}
    assert change.payload == {"message": "wrong account"}
    after = evolve(PENDING, change, 110.0)
    assert (after.state, after.code, after.message) == (State.REJECTED, "APPROVAL_REJECTED", "wrong account")


def test_law_4_a_no_never_hides_an_attempt_that_may_have_been_applied() -> None:
    """Where an earlier attempt is in doubt, a no ends the repeating, and the doubt keeps its name."""
    (change,) = refused(standing(doubtful=True), word(reason="no more"))
    after = evolve(standing(doubtful=True), change, 110.0)
    assert (after.state, after.code, after.message) == (State.IN_DOUBT, "APPROVAL_REJECTED", "no more")
    assert after.cancel_requested


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_no_needs_a_reason(reason: str) -> None:
    """Whoever asked reads why."""
    with pytest.raises(Invalid):
        refused(PENDING, word(reason=reason))


def test_a_reason_is_bounded() -> None:
    """The ledger takes 500 characters."""
    with pytest.raises(Invalid):
        word(reason="x" * 501)


def test_a_no_to_what_was_rejected_already_changes_nothing() -> None:
    """A repeat after a lost answer is answered with what stands."""
    assert refused(standing(State.REJECTED), word(reason="again")) == ()


@pytest.mark.parametrize("state", [State.READY, State.HELD, State.DISPATCHED, State.SUCCEEDED, State.CANCELLED])
def test_a_no_to_what_does_not_wait_for_approval_is_refused(state: State) -> None:
    """What was approved can be cancelled, or its approval withdrawn; it is not rejected."""
    with pytest.raises(Conflict):
        refused(standing(state, "user:bob", "user:cyd"), word(reason="no"))


@pytest.mark.parametrize("state", [State.PENDING_APPROVAL, State.READY, State.HELD])
def test_a_yes_can_be_taken_back_until_it_leaves(state: State) -> None:
    """The intent waits for approval again, with the grants of the others."""
    intent = standing(state, "user:bob", "user:ada")
    (change,) = taken_back(intent, word(reason="thought again"))
    after = evolve(intent, change, 110.0)
    assert (after.state, after.waiting_for) == (State.PENDING_APPROVAL, "APPROVAL_REQUIRED")
    assert after.approval is not None
    assert [grant.by for grant in after.approval.granted] == ["user:bob"]
    assert change.payload == {"reason": "thought again"}


@pytest.mark.parametrize(
    "intent",
    [
        standing(State.DISPATCHED, "user:ada", "user:bob", used=True),
        standing(State.READY, "user:ada", "user:bob", used=True),
        standing(State.SUCCEEDED, "user:ada", "user:bob", used=True),
        standing(State.REJECTED, "user:ada"),
        standing(State.READY, "user:bob", "user:cyd"),
        msgspec.structs.replace(PENDING, approval=None, state=State.READY),
    ],
)
def test_a_yes_cannot_be_taken_back_once_it_was_used_or_where_there_is_none(intent: Intent) -> None:
    """An approval is used by the first dispatch; what then stops further attempts is a cancel."""
    with pytest.raises(Conflict) as refusal:
        taken_back(intent, word())
    assert refusal.value.code is Code.ILLEGAL_TRANSITION


def test_taking_back_what_is_not_there_any_more_changes_nothing() -> None:
    """A repeat after a lost answer is answered with what stands."""
    assert taken_back(PENDING, word()) == ()


def test_every_refusal_of_a_word_names_its_policy() -> None:
    """A refusal is an answer, with its facts."""
    for says, intent in ((given, standing(State.EXPIRED)), (taken_back, standing(State.SUCCEEDED))):
        with pytest.raises(Rejected) as refusal:
            says(intent, word())
        assert refusal.value.policy == "approval"
