"""Dead letters: what may run again and how, and what may not."""

from __future__ import annotations

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Invalid, Rejected
from switchgear.execution.contract import Tool
from switchgear.execution.dead_letters import discarded, requeue
from switchgear.execution.intent import Intent, evolve
from switchgear.execution.registry import Registered
from switchgear.execution.transitions import State
from switchgear.ledger.reasons import REASON_CHARACTERS_MAX
from tests.unit.execution.rig import Script
from tests.unit.execution.test_intent import intent

KNOWN = Registered(Tool(name="crm.update", requires=("crm",), effect=Effect.KEYED, attempts=4, lifetime=60.0), Script())


def letter(**fields: object) -> Intent:
    """Return a dead letter that failed after its three attempts."""
    facts = {"state": State.DEAD_LETTERED, "ended": State.FAILED, "attempt": 3, "code": "RETRY_EXHAUSTED"}
    return intent(**{**facts, "message": "no", "first_sent_at": 5.0, **fields})


def test_a_requeued_letter_keeps_its_keys_and_gets_fresh_attempts_and_time() -> None:
    """The remote sees the same key, so a forgotten effect is still found there."""
    before = letter(interruptions=2)
    after = evolve(before, requeue(before, KNOWN, by="person:ann", now=5_000.0), 5_000.0)
    assert (after.state, after.ended, after.key) == (State.READY, None, before.key)
    assert after.downstream_key == before.downstream_key
    assert (after.attempts_max - after.attempt, after.interruptions) == (4, 0)
    assert (after.deadline_at, after.not_before, after.first_sent_at) == (5_060.0, None, 5.0)


def test_a_letter_can_be_requeued_for_later() -> None:
    """A bulk requeue spreads its letters; each has its whole time from then on."""
    after = evolve(letter(), requeue(letter(), KNOWN, by="person:ann", now=100.0, delay=7.0), 100.0)
    assert (after.not_before, after.deadline_at) == (107.0, 167.0)


@pytest.mark.parametrize("effect", list(Effect))
def test_law_4_what_may_have_been_applied_is_never_requeued(effect: Effect) -> None:
    """Requeuing is no way round a doubt; a read has nothing to doubt."""
    abandoned = letter(ended=State.ABANDONED, doubtful=True, effect=effect)
    if effect is Effect.READ_ONLY:
        assert requeue(abandoned, KNOWN, by="person:ann", now=1.0).facts["by"] == "person:ann"
    else:
        with pytest.raises(Conflict, match="may have been applied"):
            requeue(abandoned, KNOWN, by="person:ann", now=1.0)


def test_a_letter_whose_tool_is_not_known_here_stays() -> None:
    """It would only be held; the refusal names what is missing."""
    with pytest.raises(Rejected) as refusal:
        requeue(letter(), None, by="person:ann", now=1.0)
    assert refusal.value.code is Code.TOOL_UNREGISTERED


@pytest.mark.parametrize("state", [state for state in State if state is not State.DEAD_LETTERED])
def test_only_a_dead_letter_is_requeued_or_discarded(state: State) -> None:
    """The answer names the state; what was discarded already is not discarded twice."""
    with pytest.raises(Conflict) as refusal:
        requeue(letter(state=state), KNOWN, by="person:ann", now=1.0)
    assert refusal.value.state == str(state)
    if state is State.DISCARDED:
        assert discarded(letter(state=state), by="person:ann", reason="again") == ()
    else:
        with pytest.raises(Conflict):
            discarded(letter(state=state), by="person:ann", reason="because")


def test_a_discarded_letter_says_who_and_why() -> None:
    """Also one that may have been applied can be put away; its history stays."""
    before = letter(doubtful=True, ended=State.ABANDONED)
    (change,) = discarded(before, by="person:ann", reason="the order was withdrawn")
    after = evolve(before, change, 9.0)
    assert (after.state, after.message, after.code) == (State.DISCARDED, "the order was withdrawn", "RETRY_EXHAUSTED")
    assert (change.facts["by"], after.closed) == ("person:ann", True)


@pytest.mark.parametrize("reason", ["", "   ", "x" * (REASON_CHARACTERS_MAX + 1)])
def test_a_letter_is_not_discarded_without_a_reason(reason: str) -> None:
    """The reason is what is left of it."""
    with pytest.raises(Invalid):
        discarded(letter(), by="person:ann", reason=reason)
