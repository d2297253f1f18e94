"""A person's word on an action in doubt: who may say it, when, and what follows."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.execution.attempt import VALUE_BYTES_MAX
from switchgear.execution.decide import Backoff, Moment
from switchgear.execution.intent import Change, Intent, Word, evolve
from switchgear.execution.recorder import encoded
from switchgear.execution.reservation import SETTLING
from switchgear.execution.resolving import EVIDENCE_CHARACTERS_MAX, Finding, Says, resolved
from switchgear.execution.transitions import Kind, State
from tests.unit.execution.test_intent import intent

NOW = Moment(now=100.0, draw=0.5)
BACKOFF = Backoff(base=2.0, cap=30.0)
ANN, BEN, KIM = "person:ann", "person:ben", "person:kim"


def doubtful(state: State = State.IN_DOUBT, **fields: object) -> Intent:
    """Return an opaque intent in doubt."""
    facts = {"state": state, "effect": Effect.OPAQUE, "doubtful": True, "doubt_since": 90.0, "attempt": 1}
    return intent(**{**facts, "code": "TIMEOUT_INTENT_EXECUTE", "message": "no answer in time", **fields})


def says(verdict: Says, by: str = ANN, value: object = None, evidence: str = "looked at the CRM") -> Finding:
    """Return what somebody says."""
    return Finding(says=verdict, evidence=evidence, by=by, value=value)


def after(subject: Intent, finding: Finding, *, destructive: bool = False) -> tuple[Intent, tuple[Change, ...]]:
    """Return the intent after a word, and what was recorded."""
    changes = resolved(subject, finding, BACKOFF, NOW, destructive=destructive)
    for change in changes:
        subject = evolve(subject, change, 100.0)
    return subject, changes


@pytest.mark.parametrize("state", [State.IN_DOUBT, State.NEEDS_OPERATOR])
@pytest.mark.parametrize(
    ("verdict", "fields", "end"),
    [
        (Says.APPLIED, {}, State.SUCCEEDED),
        (Says.NOT_APPLIED, {}, State.READY),
        (Says.NOT_APPLIED, {"attempt": 3}, State.DEAD_LETTERED),
        (Says.NOT_APPLIED, {"deadline_at": 99.0}, State.DEAD_LETTERED),
        (Says.NOT_APPLIED, {"cancel_requested": True}, State.CANCELLED),
        (Says.APPLIED, {"cancel_requested": True}, State.SUCCEEDED),
        (Says.ABANDON, {}, State.DEAD_LETTERED),
    ],
)
def test_each_verdict_has_one_consequence(state: State, verdict: Says, fields: dict[str, object], end: State) -> None:
    """From both states in which a person decides; a person is called in the same append where nobody was."""
    found, changes = after(doubtful(state, **fields), says(verdict))
    assert found.state is end
    assert (changes[0].kind is Kind.NEEDS_OPERATOR) is (state is State.IN_DOUBT)
    settling = next(change for change in changes if change.kind in SETTLING)
    assert settling.facts["resolved_by"] == ANN
    assert settling.payload is not None
    assert settling.payload["evidence"] == "looked at the CRM"


def test_what_was_applied_keeps_the_value_that_was_given() -> None:
    """The value of the person is the outcome that a repeat of the request gets."""
    found, _ = after(doubtful(), says(Says.APPLIED, value={"order": 7}))
    assert (found.value, found.doubt_since) == ({"order": 7}, None)


def test_what_was_abandoned_stays_unresolved() -> None:
    """Nobody has found out, so nothing may run it again."""
    found, _ = after(doubtful(), says(Says.ABANDON))
    assert (found.ended, found.unresolved, found.code) == (State.ABANDONED, True, "IN_DOUBT")
    assert found.message == "given up: looked at the CRM"


@pytest.mark.parametrize("state", [state for state in State if state not in (State.IN_DOUBT, State.NEEDS_OPERATOR)])
def test_only_what_is_in_doubt_can_be_resolved(state: State) -> None:
    """While a lookup finds out it is too early, with a hint when to come back; otherwise there is no doubt."""
    with pytest.raises(Conflict) as refusal:
        after(doubtful(state), says(Says.APPLIED))
    assert refusal.value.state == str(state)
    assert (refusal.value.retry_after is not None) is (state is State.RECONCILING)


@pytest.mark.parametrize("state", [State.READY, State.HELD])
def test_who_is_too_late_for_a_doubt_is_told_how_to_come_to_it(state: State) -> None:
    """What waits to run again, as its effect lets it, is cancelled first; without a doubt there is no such way."""
    with pytest.raises(Conflict, match=f"it is {state}, to run again after an attempt in doubt; cancel that"):
        after(doubtful(state), says(Says.APPLIED))
    with pytest.raises(Conflict, match=f"an intent that is {state} is not in doubt"):
        after(doubtful(state, doubt_since=None, doubtful=False), says(Says.APPLIED))


@pytest.mark.parametrize("verdict", list(Says))
def test_an_agent_never_says_what_became_of_it(verdict: Says) -> None:
    """Its word is refused before anything is looked at, destructive or not."""
    for destructive in (False, True):
        with pytest.raises(Denied) as refusal:
            after(doubtful(), says(verdict, by="agent:helper"), destructive=destructive)
        assert refusal.value.code is Code.PERMISSION_DENIED


@pytest.mark.parametrize("verdict", list(Says))
@pytest.mark.parametrize("marked", ["intent", "tool"])
def test_what_is_destructive_needs_two_persons(verdict: Says, marked: str) -> None:
    """The first word is a proposal that changes nothing; another person's same word counts."""
    subject, tool = doubtful(destructive=marked == "intent"), marked == "tool"
    proposed, changes = after(subject, says(verdict), destructive=tool)
    assert [change.kind for change in changes] == [Kind.NEEDS_OPERATOR, Kind.RESOLUTION_PROPOSED]
    assert proposed.resolution is not None
    assert (proposed.state, proposed.value, proposed.resolution.by) == (State.NEEDS_OPERATOR, None, ANN)
    confirmed, changes = after(proposed, says(verdict, by=BEN), destructive=tool)
    assert confirmed.state is not State.NEEDS_OPERATOR
    assert (changes[0].facts["resolved_by"], changes[0].facts["proposed_by"]) == (BEN, ANN)


def test_one_person_alone_never_settles_what_is_destructive() -> None:
    """Saying it twice is saying it once."""
    proposed, _ = after(doubtful(destructive=True), says(Says.APPLIED))
    again, changes = after(proposed, says(Says.APPLIED))
    assert (again, changes) == (proposed, ())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (says(Says.APPLIED), says(Says.APPLIED, evidence="asked support")),
        (says(Says.APPLIED), says(Says.APPLIED, value=7)),
        (says(Says.APPLIED), says(Says.NOT_APPLIED)),
    ],
    ids=["evidence", "value", "verdict"],
)
def test_what_the_same_person_says_anew_is_recorded_and_counts_instead(first: Finding, second: Finding) -> None:
    """New evidence is not dropped; it is one person's word still, so it settles nothing."""
    proposed, _ = after(doubtful(destructive=True), first)
    anew, changes = after(proposed, second)
    assert [(change.kind, change.facts["awaits"]) for change in changes] == [
        (Kind.RESOLUTION_PROPOSED, "second_person")
    ]
    assert anew.resolution is not None
    assert (anew.state, anew.resolution.words) == (
        State.NEEDS_OPERATOR,
        (Word(str(second.says), ANN, 100.0, second.evidence, second.value),),
    )


def disagreeing() -> Intent:
    """Return what ann says was applied, and ben was not."""
    proposed, _ = after(doubtful(destructive=True), says(Says.APPLIED, value={"secret": 1}))
    return after(proposed, says(Says.NOT_APPLIED, by=BEN))[0]


def test_two_who_disagree_settle_nothing_and_both_words_stay() -> None:
    """The second word does not take the place of the first one: it is on record beside it, and awaits agreement."""
    proposed, _ = after(doubtful(destructive=True), says(Says.APPLIED, value={"secret": 1}))
    subject, changes = after(proposed, says(Says.NOT_APPLIED, by=BEN))
    assert [(change.kind, change.facts["awaits"]) for change in changes] == [(Kind.RESOLUTION_PROPOSED, "agreement")]
    assert subject.resolution is not None
    assert (subject.state, subject.value, subject.resolution.ended) == (State.NEEDS_OPERATOR, None, False)
    assert [(word.by, word.verdict) for word in subject.resolution.words] == [(ANN, "applied"), (BEN, "not_applied")]


@pytest.mark.parametrize(
    ("by", "verdict", "end", "agreed"),
    [
        (ANN, Says.NOT_APPLIED, State.READY, BEN),
        (BEN, Says.APPLIED, State.SUCCEEDED, ANN),
        (KIM, Says.APPLIED, State.SUCCEEDED, ANN),
        (KIM, Says.NOT_APPLIED, State.READY, BEN),
    ],
)
def test_a_disagreement_ends_once_two_say_the_same(by: str, verdict: Says, end: State, agreed: str) -> None:
    """One of the two thinks better of it, or a third person agrees with one; who said what stays on record."""
    subject = disagreeing()
    settled, changes = after(subject, says(verdict, by=by))
    assert settled.state is end
    assert (changes[0].facts["resolved_by"], changes[0].facts["proposed_by"]) == (by, agreed)
    assert settled.resolution is not None
    assert settled.resolution.ended
    assert {word.by for word in settled.resolution.words} == {ANN, BEN, by}


@pytest.mark.parametrize("by", [ANN, BEN, KIM])
def test_a_word_that_agrees_with_nobody_leaves_a_disagreement(by: str) -> None:
    """So there are never more words than verdicts, however many speak."""
    subject, changes = after(disagreeing(), says(Says.ABANDON, by=by))
    assert (subject.state, [change.facts["awaits"] for change in changes]) == (State.NEEDS_OPERATOR, ["agreement"])
    assert subject.resolution is not None
    verdicts = [word.verdict for word in subject.resolution.words]
    assert len(verdicts) == len(set(verdicts))
    assert after(subject, says(Says.ABANDON, by=by))[1] == (), "the same word again is none"


@pytest.mark.parametrize(
    ("first", "second"), [({"order": 7}, None), (None, {"order": 7}), ({"order": 7}, {"order": 7})]
)
def test_who_agrees_and_names_no_value_agrees_with_the_one_that_was_named(first: object, second: object) -> None:
    """A value that one of two persons named is not lost because the other did not repeat it."""
    proposed, _ = after(doubtful(destructive=True), says(Says.APPLIED, value=first))
    settled, _ = after(proposed, says(Says.APPLIED, by=BEN, value=second))
    assert (settled.state, settled.value) == (State.SUCCEEDED, {"order": 7})


def test_two_values_are_no_agreement() -> None:
    """The second value does not quietly take the place of the first: it is refused, and the refusal says what to do."""
    proposed, _ = after(doubtful(destructive=True), says(Says.APPLIED, value={"order": 7}))
    with pytest.raises(Conflict, match="leave yours out to agree"):
        after(proposed, says(Says.APPLIED, by=BEN, value={"order": 8}))


def test_nobody_agrees_with_himself() -> None:
    """Who has said both things, one after the other, is one person all the same."""
    subject, _ = after(disagreeing(), says(Says.ABANDON))
    back, _ = after(subject, says(Says.APPLIED))
    assert (back.state, back.resolution is not None and back.resolution.ended) == (State.NEEDS_OPERATOR, False)


def older(changes: tuple[Change, ...]) -> list[Change]:
    """Return what an earlier release recorded: no verdict with the end of a doubt, and not what a proposal awaits."""
    named = {Kind.RESOLUTION_PROPOSED: "awaits"}
    return [
        replace(
            change,
            facts={name: fact for name, fact in change.facts.items() if name != named.get(change.kind, "verdict")},
        )
        for change in changes
    ]


@pytest.mark.parametrize("verdict", list(Says))
def test_what_is_said_stays_with_the_action(verdict: Says) -> None:
    """Who said it, on which evidence, after whom, about which doubt; a new doubt or generation begins without it."""
    subject = doubtful(destructive=True)
    confirmed, _ = after(after(subject, says(verdict))[0], says(verdict, by=BEN))
    end = confirmed.resolution
    assert end is not None
    assert end.ended
    (first,) = end.others
    assert (end.verdict, end.by, end.evidence, end.at) == (str(verdict), BEN, "looked at the CRM", 100.0)
    assert (first.by, first.evidence) == (ANN, "looked at the CRM")
    assert (end.since, end.code, end.message) == (90.0, subject.code, subject.message)
    again = evolve(replace(confirmed, state=State.DISPATCHED), Change(Kind.IN_DOUBT, {"doubtful": True}), 200.0)
    assert again.resolution is None
    anew = evolve(replace(confirmed, state=State.FAILED), Change(Kind.REEXECUTED), 200.0)
    assert anew.resolution is None


@pytest.mark.parametrize("verdict", list(Says))
def test_law_11_events_of_an_earlier_release_make_the_rows_that_it_stored(verdict: Says) -> None:
    """They name no more than it kept, so nothing that it did not keep stands in a row that is folded from them."""
    subject = doubtful(destructive=True)
    for finding in (says(verdict), says(verdict, by=BEN)):
        for change in older(resolved(subject, finding, BACKOFF, NOW, destructive=False)):
            subject = evolve(subject, change, 100.0)
            assert b"evidence" not in encoded(subject)
    assert subject.resolution is None
    assert b"resolution" not in encoded(subject)


def test_a_word_that_an_earlier_release_let_replace_another_still_does() -> None:
    """It awaited a second person where it would await agreement now; its row is what it was then."""
    proposed, _ = after(doubtful(destructive=True), says(Says.APPLIED))
    facts = {"verdict": "not_applied", "by": BEN, "awaits": "second_person"}
    replaced = evolve(proposed, Change(Kind.RESOLUTION_PROPOSED, facts, {"evidence": "404"}), 100.0)
    assert replaced.resolution is not None
    assert [word.by for word in replaced.resolution.words] == [BEN]


@pytest.mark.parametrize("ending", [Kind.REQUEUED, Kind.SUCCEEDED])
def test_how_a_doubt_ended_stays_until_there_is_a_new_one(ending: Kind) -> None:
    """What follows of itself, a later attempt that succeeds or a person who requeues, does not take it away."""
    state = {Kind.REQUEUED: State.DEAD_LETTERED, Kind.SUCCEEDED: State.DISPATCHED}[ending]
    settled, _ = after(doubtful(), says(Says.NOT_APPLIED))
    later = evolve(replace(settled, state=state), Change(ending), 200.0)
    assert later.resolution == settled.resolution


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"evidence": ""}, "say how you found out"),
        ({"evidence": "  "}, "say how you found out"),
        ({"evidence": "x" * (EVIDENCE_CHARACTERS_MAX + 1)}, "say how you found out"),
        ({"says": Says.NOT_APPLIED, "value": 1}, "not_applied has none"),
        ({"says": Says.ABANDON, "value": 1}, "abandon has none"),
        ({"value": "x" * VALUE_BYTES_MAX}, "is the most"),
        ({"value": object()}, "does not fit into JSON"),
    ],
)
def test_a_word_that_cannot_be_kept_is_refused(facts: dict[str, object], words: str) -> None:
    """Evidence is there and bounded, a value fits the ledger and belongs to what was applied."""
    with pytest.raises(Invalid, match=words):
        Finding(**{"says": Says.APPLIED, "evidence": "seen", "by": ANN, **facts})  # type: ignore[arg-type] # that is the point
