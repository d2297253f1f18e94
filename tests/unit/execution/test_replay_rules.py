"""The tables of replay: what resume and re-execute come to in each state, and how each ending state ends a replay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected
from switchgear.execution.contract import Tool
from switchgear.execution.decide import Moment
from switchgear.execution.intent import Change, Intent, Replay
from switchgear.execution.replay import replay_end
from switchgear.execution.replay_rules import Seen, reexecuted, resumed
from switchgear.execution.transitions import State
from switchgear.ledger.erasure import MARK
from tests.unit.execution.test_intent import intent

TOOL = Tool(name="crm.update", requires=("crm",), effect=Effect.KEYED)
FROZEN = Rejected("frozen", code=Code.KILL_SWITCH_ACTIVE, policy="kill_switch")
CHANGED = Rejected("changed", code=Code.TOOL_CHANGED, policy="contract")

RESUME = {
    State.PENDING_APPROVAL: "gate",
    State.READY: "",
    State.HELD: "intent.released",
    State.DISPATCHED: "nothing_to_do",
    State.NOT_APPLIED: "nothing_to_do",
    State.IN_DOUBT: "intent.retry_scheduled",
    State.RECONCILING: "in_doubt",
    State.NEEDS_OPERATOR: "in_doubt",
    State.SUCCEEDED: "already_executed",
    State.FAILED: "nothing_to_do",
    State.ABANDONED: "nothing_to_do",
    State.DEAD_LETTERED: "nothing_to_do",
    State.DISCARDED: "nothing_to_do",
    State.DENIED: "nothing_to_do",
    State.REJECTED: "nothing_to_do",
    State.CANCELLED: "nothing_to_do",
    State.EXPIRED: "nothing_to_do",
}
"""State -> what a resume comes to: an event, an end, or nothing but the beginning."""

ANEW = {
    **dict.fromkeys((State.PENDING_APPROVAL, State.READY, State.HELD, State.DISPATCHED), "nothing_to_do"),
    State.NOT_APPLIED: "nothing_to_do",
    **dict.fromkeys((State.IN_DOUBT, State.RECONCILING, State.NEEDS_OPERATOR), "in_doubt"),
    State.SUCCEEDED: "already_executed",
    **dict.fromkeys((State.FAILED, State.DEAD_LETTERED, State.DISCARDED, State.DENIED), "intent.reexecuted"),
    **dict.fromkeys((State.REJECTED, State.CANCELLED, State.EXPIRED), "intent.reexecuted"),
}
"""State -> what executing anew comes to. `abandoned` never stands alone: it is a dead letter in the same append."""

ENDS = {
    State.SUCCEEDED: "executed",
    State.IN_DOUBT: "in_doubt",
    State.RECONCILING: "in_doubt",
    State.NEEDS_OPERATOR: "in_doubt",
    State.HELD: "gate",
    State.DENIED: "gate",
    State.REJECTED: "gate",
    State.CANCELLED: "interrupted",
    State.EXPIRED: "error",
    State.FAILED: "error",
    State.ABANDONED: "error",
    State.DEAD_LETTERED: "error",
    State.DISCARDED: "error",
}
"""State that an intent comes to -> how that ends its replay. In all others the replay goes on."""


def stands(state: State, **fields: object) -> Intent:
    """Return an intent in `state`, sent once a second ago."""
    return intent(state=state, contract=TOOL.contract, first_sent_at=9.0, attempt=3, **fields)


def seen(state: State, **fields: object) -> Seen:
    """Return what a replay goes by: no gate refuses, and what has not succeeded is proved not to have happened."""
    usual = Seen(
        moment=Moment(10.0, 0.5),
        tool=TOOL,
        refusal=None,
        proof=None if state is State.SUCCEEDED else "not_applied",
    )
    return replace(usual, **fields)  # type: ignore[arg-type]  # fields by name


def word(changes: tuple[Change, ...]) -> str:
    """Return what the first change is called: its event, or how it ends the replay."""
    if not changes:
        return ""
    facts = changes[0].facts
    return str(facts.get("result") or facts.get("cause") or changes[0].kind)


@pytest.mark.parametrize("state", RESUME)
def test_what_a_resume_comes_to(state: State) -> None:
    """SEMANTICS §8: it continues under the rules of the intent."""
    assert word(resumed(stands(state), seen(state))) == RESUME[state]


@pytest.mark.parametrize("state", ANEW)
def test_what_executing_anew_comes_to(state: State) -> None:
    """SEMANTICS §8: a new generation needs proof of not applied, or compensated."""
    assert word(reexecuted(stands(state), seen(state), by="person:ann")) == ANEW[state]


def test_no_state_is_missing_from_the_tables() -> None:
    """A new state needs its rows."""
    stored = set(State) - {State.PROPOSED}
    assert set(RESUME) == stored
    assert set(ANEW) == stored - {State.ABANDONED}


@pytest.mark.parametrize("state", [state for state in ANEW if state is not State.SUCCEEDED])
def test_law_4_what_may_have_been_applied_is_never_executed_anew(state: State) -> None:
    """Whatever state it came to: a doubt that nobody settled stays one."""
    found = word(reexecuted(stands(state, doubtful=True), seen(state), by="person:ann"))
    assert found in ("in_doubt", "nothing_to_do")


@pytest.mark.parametrize("proof", ["reverted", "compensated"])
def test_a_success_with_proof_is_executed_anew(proof: str) -> None:
    """Nothing of it is in effect any more."""
    found = reexecuted(stands(State.SUCCEEDED, doubtful=True), seen(State.SUCCEEDED, proof=proof), by="person:ann")
    assert (word(found), found[0].facts["proof"]) == ("intent.reexecuted", proof)


OBSTACLES: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "a gate refuses": ({"refusal": FROZEN}, {}, "gate"),
    "the contract has changed": ({"refusal": CHANGED}, {}, "changed_contract"),
    "the tool is not known": ({"tool": None}, {}, "gate"),
    "the arguments were erased": ({}, {"arguments": {MARK: True}}, "error"),
}


@pytest.mark.parametrize("name", OBSTACLES)
@pytest.mark.parametrize("state", [State.READY, State.HELD, State.IN_DOUBT, State.FAILED])
def test_what_must_not_be_sent_is_not(name: str, state: State) -> None:
    """Each obstacle ends the replay with its own cause, whether it would go on or begin anew."""
    sights, fields, end = OBSTACLES[name]
    before, sight = stands(state, **fields), seen(state, **sights)
    found = reexecuted(before, sight, by="person:ann") if state is State.FAILED else resumed(before, sight)
    assert word(found) == end


def test_a_repeat_under_another_contract_is_another_request() -> None:
    """What is in doubt is repeated with the same bytes or not at all, whatever was accepted since."""
    before = stands(State.IN_DOUBT, doubtful=True)
    other = Tool(name="crm.update", requires=("crm",), effect=Effect.KEYED, version="2")
    assert word(resumed(before, seen(State.IN_DOUBT, tool=other))) == "changed_contract"


@pytest.mark.parametrize("state", sorted(set(State) - {State.PROPOSED}))
def test_how_a_state_ends_a_replay(state: State) -> None:
    """Exactly one end, in the append that comes to the state; none while the intent goes on."""
    before = stands(State.READY, replay=Replay("resume", "person:ann", 1.0))
    after = stands(state, replay=before.replay)
    end = replay_end(before, after)
    assert (None if end is None else word((end,))) == ENDS.get(state)
    assert replay_end(before, stands(state)) is None


def test_an_interruption_ends_a_replay_whatever_follows() -> None:
    """The engine ended under it; that the intent goes on is recovery, and no replay."""
    before = stands(State.DISPATCHED, replay=Replay("resume", "person:ann", 1.0))
    after = stands(State.READY, replay=before.replay, interruptions=1)
    end = replay_end(before, after)
    assert end is not None
    assert end.facts["cause"] == "interrupted"


@pytest.mark.parametrize(
    ("state", "code", "cause"),
    [
        (State.DENIED, "TOOL_CHANGED", "changed_contract"),
        (State.HELD, "TOOL_CHANGED", "changed_contract"),
        (State.EXPIRED, "APPROVAL_EXPIRED", "gate"),
        (State.EXPIRED, "DEADLINE_EXCEEDED", "error"),
    ],
)
def test_a_code_can_say_more_than_the_state(state: State, code: str, cause: str) -> None:
    """An approval that nobody gave is a gate; a deadline is an error."""
    running = Replay("re-execute", "person:ann", 1.0)
    end = replay_end(stands(State.READY, replay=running), stands(state, replay=running, code=code))
    assert end is not None
    assert (end.facts["cause"], end.facts["refusal"]) == (cause, code)
