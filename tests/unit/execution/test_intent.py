"""The table of an intent's transitions, and the fold over its events."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from switchgear.core.effects import Effect
from switchgear.execution.intent import (
    Approval,
    Change,
    IllegalTransitionError,
    Intent,
    Replay,
    accepted,
    birth,
    evolve,
)
from switchgear.execution.transitions import FINAL, LIVE, OPEN, TRANSITIONS, Kind, State

ASKED: dict[str, Any] = {"rule": "r", "quorum": 1, "digest": "d", "nonce": "n", "expires_at": 9.0}
NEEDED: dict[Kind, dict[str, Any]] = {
    Kind.APPROVAL_REQUESTED: {"approval": ASKED},
    Kind.APPROVAL_GIVEN: {"by": "person:ann", "channel": "cli"},
    Kind.APPROVAL_WITHDRAWN: {"by": "person:ann"},
    Kind.RESOLUTION_PROPOSED: {"verdict": "applied", "by": "person:ann"},
    Kind.FORCED: {"by": "person:ann", "until": 9.0, "contract": "c", "overrode": [{"dependency": "d", "state": "s"}]},
    Kind.REPLAY_STARTED: {"mode": "verify", "requested_by": "person:ann", "replay_trace": "t"},
    Kind.REPLAY_COMPLETED: {"result": "verified"},
    Kind.REPLAY_FAILED: {"cause": "gate"},
}
"""Facts that an event cannot do without."""


FACTS: dict[str, Any] = {
    "id": "int_" + "0" * 32,
    "tenant": "acme",
    "account": "main",
    "actor": "service:orders",
    "tool": "crm.update",
    "effect": "keyed",
    "contract": "c",
    "digest": "d",
    "key": "k",
    "attempts_max": 3,
    "key_retention": 60.0,
    "deadline_at": 1000.0,
    "trace": "",
    "correlation": "",
}
"""What an intent is accepted with."""


def intent(**fields: object) -> Intent:
    """Return an intent in `proposed`, changed by `fields`."""
    return msgspec.structs.replace(birth(FACTS, {"arguments": {"a": 1}}, 1.0), **fields)


@pytest.mark.parametrize("more", [{}, {"not_before": 9.0, "wait": 8.0}, {"priority": "sheddable", "destructive": True}])
def test_an_acceptance_is_folded_at_once_as_it_is_event_by_event(more: dict[str, Any]) -> None:
    """The shortcut for new intents and the fold over their events never differ."""
    facts, payload = {**FACTS, **more}, {"arguments": {"a": 1}}
    assert accepted(facts, payload, 1.0) == evolve(birth(facts, payload, 1.0), Change(Kind.ACCEPTED), 1.0)


@pytest.mark.parametrize(("kind", "state"), list(itertools.product(Kind, State)))
def test_an_event_happens_only_where_the_table_allows_it(kind: Kind, state: State) -> None:
    """Every pair of event and state either leads where the table says, or is refused."""
    allowed, target = TRANSITIONS[kind]
    replay = Replay("verify", "person:ann", 1.0) if kind in (Kind.REPLAY_COMPLETED, Kind.REPLAY_FAILED) else None
    before = intent(state=state, doubtful=True, approval=Approval(**ASKED), replay=replay)
    if state in allowed:
        assert evolve(before, Change(kind, NEEDED.get(kind, {})), 2.0).state is (target or state)
    else:
        with pytest.raises(IllegalTransitionError, match=str(state)):
            evolve(before, Change(kind), 2.0)


def test_a_replay_starts_once_and_ends_once() -> None:
    """No second start while one is under way, and no end without a start: the fold itself refuses it."""
    start = Change(Kind.REPLAY_STARTED, NEEDED[Kind.REPLAY_STARTED])
    end = Change(Kind.REPLAY_COMPLETED, NEEDED[Kind.REPLAY_COMPLETED])
    begun = evolve(intent(state=State.SUCCEEDED), start, 2.0)
    with pytest.raises(IllegalTransitionError, match="under way"):
        evolve(begun, start, 3.0)
    ended = evolve(begun, end, 3.0)
    with pytest.raises(IllegalTransitionError, match="under way"):
        evolve(ended, end, 4.0)
    assert evolve(ended, start, 5.0).replaying


def test_nothing_leaves_a_final_state() -> None:
    """A final state has no way out, but for the re-execution that a person asks for."""
    leaving = {kind for kind, (allowed, target) in TRANSITIONS.items() if FINAL & allowed and target is not None}
    assert leaving == {Kind.REEXECUTED} | ({Kind.DEAD_LETTERED} if State.FAILED in FINAL else set())


def test_every_state_is_reached_and_only_final_ones_are_left_alone() -> None:
    """The table has no unreachable state, and a way out of every state, be it by a person's order."""
    reached = {target for _, target in TRANSITIONS.values() if target is not None}
    left = {state for allowed, target in TRANSITIONS.values() if target is not None for state in allowed}
    assert reached | {State.PROPOSED} == set(State)
    assert left == set(State)
    assert set(State) - FINAL - {State.PROPOSED, State.ABANDONED, State.DEAD_LETTERED} == OPEN
    assert LIVE <= OPEN


def test_dispatch_comes_only_from_ready() -> None:
    """Nothing is dispatched twice without passing through ready, which needs a recorded retry."""
    assert TRANSITIONS[Kind.DISPATCHED][0] == {State.READY}
    assert TRANSITIONS[Kind.SUCCEEDED][0] == {State.DISPATCHED, State.RECONCILING, State.NEEDS_OPERATOR}


def test_facts_and_payload_named_like_fields_set_them_and_the_rest_is_cleared() -> None:
    """What held an intent before does not stay on it after the next event."""
    waiting = intent(state=State.READY, waiting_for="CIRCUIT_OPEN", not_before=5.0, code="X", message="m")
    after = evolve(waiting, Change(Kind.DISPATCHED, {"attempt": 1, "owner": "eng", "epoch": 9}, None), 7.0)
    assert (after.attempt, after.owner, after.waiting_for, after.not_before, after.code, after.message) == (
        1,
        "eng",
        None,
        None,
        None,
        "",
    )
    assert after.updated_at == 7.0


def test_a_cancel_request_hides_nothing() -> None:
    """A cancel after dispatch is only noted: state, code and message stay."""
    doubtful = intent(state=State.IN_DOUBT, code="IN_DOUBT", message="reset")
    after = evolve(doubtful, Change(Kind.CANCEL_REQUESTED, {"cancel_requested": True}), 2.0)
    assert (after.state, after.code, after.message, after.cancel_requested) == (
        State.IN_DOUBT,
        "IN_DOUBT",
        "reset",
        True,
    )


def test_birth_keeps_the_effect_class() -> None:
    """The effect class is part of the record, so recovery needs no tool."""
    assert intent().effect is Effect.KEYED
    assert intent().arguments == {"a": 1}


@pytest.mark.parametrize("state", [State.READY, State.HELD])
def test_what_was_never_in_doubt_cannot_fall_back_into_it(state: State) -> None:
    """Waiting leads to doubt only where the fate of an earlier attempt is unknown."""
    with pytest.raises(IllegalTransitionError):
        evolve(intent(state=state), Change(Kind.IN_DOUBT), 2.0)
