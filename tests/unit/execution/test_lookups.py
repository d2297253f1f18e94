"""When a lookup may begin, and what its end means for the action that it looks up: one table a rule."""

from __future__ import annotations

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.execution import lookups
from switchgear.execution.contract import Tool
from switchgear.execution.decide import Backoff, Moment
from switchgear.execution.intent import Change, Intent, evolve
from switchgear.execution.lookups import Found
from switchgear.execution.registry import Registry
from switchgear.execution.transitions import Kind, State
from tests.unit.execution.rig import Script
from tests.unit.execution.test_intent import intent

NOW = Moment(now=100.0, draw=0.5)
BACKOFF = Backoff(base=2.0, cap=30.0)


def reconciling(**fields: object) -> Intent:
    """Return an intent that is being looked up."""
    facts = {
        "state": State.RECONCILING,
        "effect": Effect.RECONCILABLE,
        "doubtful": True,
        "doubt_since": 90.0,
        "attempt": 1,
        "lookup": "int_" + "1" * 32,
        "lookups": 1,
        "code": "TIMEOUT_INTENT_EXECUTE",
        "message": "no answer in time",
    }
    return intent(**{**facts, **fields})


def lookup(state: State = State.SUCCEEDED, **fields: object) -> Intent:
    """Return a settled lookup."""
    return intent(**{"id": "int_" + "1" * 32, "effect": Effect.READ_ONLY, "state": state, **fields})


def end_of(subject: Intent, changes: tuple[Change, ...]) -> Intent:
    """Return the intent after `changes`, each of which the table must allow."""
    for change in changes:
        subject = evolve(subject, change, 100.0)
    return subject


@pytest.mark.parametrize(
    ("settled", "found"),
    [
        (lookup(value={"order": 7}), Found.APPLIED),
        (lookup(value=True), Found.APPLIED),
        (lookup(value=0), Found.APPLIED),
        (lookup(value=0.0), Found.APPLIED),
        (lookup(value=None), Found.NOT_APPLIED),
        (lookup(State.FAILED, code="NOT_FOUND"), Found.NOT_APPLIED),
        (lookup(value=False), Found.NOTHING),
        (lookup(value=""), Found.NOTHING),
        (lookup(value=[]), Found.NOTHING),
        (lookup(value={}), Found.NOTHING),
        (lookup(State.FAILED, code="TOOL_FAILED"), Found.NOTHING),
        (lookup(State.FAILED, code="RETRY_EXHAUSTED"), Found.NOTHING),
        (lookup(State.IN_DOUBT, code="NOT_FOUND"), Found.NOTHING),
        (lookup(State.EXPIRED, code="DEADLINE_EXCEEDED"), Found.NOTHING),
        (lookup(State.CANCELLED), Found.NOTHING),
        (lookup(State.DENIED), Found.NOTHING),
        (lookup(State.REJECTED), Found.NOTHING),
    ],
)
def test_only_a_definite_answer_of_a_lookup_says_anything(settled: Intent, found: Found) -> None:
    """None and a definite NOT_FOUND are a no, content is a yes; silence, failure and emptiness are no evidence."""
    assert lookups.found_by(settled) is found


@pytest.mark.parametrize(
    ("subject", "state", "code"),
    [
        (reconciling(), State.READY, "TIMEOUT_INTENT_EXECUTE"),
        (reconciling(attempt=3), State.DEAD_LETTERED, "RETRY_EXHAUSTED"),
        (reconciling(attempt=3, interruptions=1), State.READY, "TIMEOUT_INTENT_EXECUTE"),
        (reconciling(deadline_at=100.5), State.DEAD_LETTERED, "DEADLINE_EXCEEDED"),
        (reconciling(cancel_requested=True), State.CANCELLED, "CANCELLED"),
        (reconciling(attempt=3, purpose="step"), State.FAILED, "RETRY_EXHAUSTED"),
    ],
)
def test_what_was_not_applied_follows_the_usual_rules(subject: Intent, state: State, code: str) -> None:
    """Attempts left and time left: it runs again. Else it has failed, and there is no doubt any more."""
    changes = lookups.concluded(subject, lookup(), BACKOFF, NOW, lookups_max=5)
    after = end_of(subject, changes)
    assert (after.state, after.code, after.doubtful, after.doubt_since, after.lookups) == (state, code, False, None, 0)
    assert changes[0].facts["found_by"] == lookup().id


def test_what_was_applied_has_the_value_that_was_found() -> None:
    """The outcome is what the lookup saw, and names the lookup."""
    (change,) = lookups.concluded(reconciling(), lookup(value={"n": 1}), BACKOFF, NOW, lookups_max=5)
    after = end_of(reconciling(), (change,))
    assert (after.state, after.value, change.facts["found_by"]) == (State.SUCCEEDED, {"n": 1}, lookup().id)


def test_a_lookup_in_vain_leaves_the_doubt_as_it_was() -> None:
    """It stays in doubt since when it began, with the code of the attempt, and says why nobody knows yet."""
    settled = lookup(State.FAILED, code="RETRY_EXHAUSTED", message="connection refused")
    after = end_of(reconciling(), lookups.concluded(reconciling(), settled, BACKOFF, NOW, lookups_max=5))
    assert (after.state, after.doubt_since, after.lookups) == (State.IN_DOUBT, 90.0, 1)
    assert (after.code, after.lookup) == ("TIMEOUT_INTENT_EXECUTE", None)
    assert after.message == "lookup 1 could not tell: connection refused"


def test_after_the_last_lookup_in_vain_a_person_is_called() -> None:
    """The bound is a number of lookups, and what they said is told."""
    subject = reconciling(lookups=5)
    settled = lookup(State.EXPIRED, code="DEADLINE_EXCEEDED")
    after = end_of(subject, lookups.concluded(subject, settled, BACKOFF, NOW, lookups_max=5))
    assert (after.state, after.doubtful) == (State.NEEDS_OPERATOR, True)
    assert after.message == "no lookup is left; lookup 5 could not tell: DEADLINE_EXCEEDED"


def test_waits_between_lookups_grow_to_a_bound() -> None:
    """The settle delay is the least; jitter only adds, so "not there" is never believed too early."""
    waits = [lookups.wait_before(count, 5.0, 0.0) for count in (0, 1, 2, 3, 4, 5, 10_000)]
    assert waits == [5.0, 15.0, 45.0, 135.0, 300.0, 300.0, 300.0]
    assert lookups.wait_before(0, 5.0, 0.999) == pytest.approx(6.0, abs=0.01)
    assert lookups.wait_before(1, 600.0, 0.0) == 600.0
    assert lookups.wait_before(0, 0.0, 0.9) == 0.0


def registry(*tools: Tool) -> Registry:
    """Return a registry of `tools`."""
    known = Registry()
    for tool in tools:
        known.register(tool, Script())
    return known


ORDER = Tool(name="crm.order", requires=("crm",), effect=Effect.RECONCILABLE, lookup="crm.find")
FIND = Tool(name="crm.find", requires=("crm",), effect=Effect.READ_ONLY)


def test_a_lookup_must_be_registered_and_read_only() -> None:
    """What could never look up, or could change something while it looks, is refused with what to write."""
    lookups.check_lookup(registry(FIND), ORDER)
    lookups.check_lookup(registry(), FIND)
    with pytest.raises(OptionError, match=r"there is no tool 'crm.find'.*register that one first"):
        lookups.check_lookup(registry(), ORDER)
    writing = Tool(name="crm.find", requires=("crm",), effect=Effect.KEYED)
    with pytest.raises(OptionError, match='write effect="read_only"'):
        lookups.check_lookup(registry(writing), ORDER)


@pytest.mark.parametrize("effect", [effect for effect in Effect if effect.writes])
def test_any_write_with_a_lookup_is_looked_up(effect: Effect) -> None:
    """Whatever its effect class, a tool that names a lookup has it used; a read has nothing to look up."""
    subject = reconciling(tool="crm.order", effect=effect)
    assert lookups.lookup_of(subject, registry(FIND, ORDER)) is FIND
    assert lookups.lookup_of(reconciling(tool="crm.order", effect=Effect.READ_ONLY), registry(FIND, ORDER)) is None
    assert lookups.lookup_of(subject, registry(ORDER)) is None
    assert lookups.lookup_of(subject, registry(FIND)) is None


def test_an_escalation_keeps_the_reason_of_the_doubt() -> None:
    """A person who is called reads first what happened."""
    change = lookups.escalated(reconciling(state=State.IN_DOUBT), "no rule has settled the doubt")
    assert change.kind is Kind.NEEDS_OPERATOR
    assert change.payload == {"message": "no rule has settled the doubt; no answer in time"}
    assert lookups.escalated(reconciling(code=None, message=""), "so").facts == {"code": str(Code.IN_DOUBT)}
