"""What outcomes make of reserved units, and the fold of events into counters."""

from __future__ import annotations

from typing import Any

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.effects import Effect
from switchgear.execution import decide
from switchgear.execution.decide import Moment
from switchgear.execution.intent import Change, Intent, accepted, evolve
from switchgear.execution.reservation import KEPT, SETTLING, budget_counters, settlement
from switchgear.execution.transitions import Kind, State
from switchgear.gates.budget_names import HELD, USED
from switchgear.ledger.events import NO_CONTEXT, Recorded
from switchgear.storage.abilities import Count

NOW = VirtualClock().time()
RESERVED = {"agents/2023-11": 2}


def intent(effect: Effect, *changes: Change) -> Intent:
    """Return an intent after `changes`."""
    facts: dict[str, Any] = {
        "id": "int_1",
        "tenant": "acme",
        "account": "main",
        "actor": "service:orders",
        "tool": "crm.update",
        "effect": effect,
        "contract": "c",
        "digest": "d",
        "key": "k",
        "attempts_max": 3,
        "key_retention": 60.0,
        "deadline_at": NOW + 60.0,
    }
    found = accepted(facts, {"arguments": {}}, NOW)
    for change in changes:
        found = evolve(found, change, NOW)
    return found


def event(kind: str, stream: str = "int_1", **facts: Any) -> Recorded:
    """Return an event on record."""
    return Recorded("acme", 1, 1, "a", stream, kind, 1, NOW, "x", "main", NO_CONTEXT, facts, None, None)


SENT = Change(Kind.DISPATCHED, {"attempt": 1, "reserved": RESERVED})
IN_DOUBT = Change(Kind.IN_DOUBT, {"doubtful": True})
AGAIN = Change(Kind.RETRY_SCHEDULED, {})


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in SETTLING])
def test_nothing_moves_while_an_action_is_in_doubt(kind: Kind) -> None:
    """Only an outcome, or giving up, settles a reservation."""
    assert settlement(kind, {}, RESERVED) == ()


@pytest.mark.parametrize("kind", sorted(SETTLING))
def test_what_may_have_happened_is_used_and_what_did_not_is_given_back(kind: Kind) -> None:
    """Nothing stays held either way."""
    held = (Count(HELD, "agents/2023-11", -2),)
    back = (Count(USED, "agents/2023-11", -2),) if kind is Kind.NOT_APPLIED else ()
    assert settlement(kind, {}, RESERVED) == held + back
    assert settlement(kind, {}, {}) == ()


@pytest.mark.parametrize("end", [Kind.DENIED, Kind.CANCELLED, Kind.EXPIRED])
def test_a_read_that_was_cut_off_and_ends_in_the_queue_holds_nothing(end: Kind) -> None:
    """It may have been served, so its units are used; but it must not hold them for ever."""
    waiting = intent(Effect.READ_ONLY, SENT, IN_DOUBT, AGAIN)
    assert waiting.reserved == RESERVED
    assert evolve(waiting, Change(end, {"code": "X"}), NOW).reserved == {}


def test_an_attempt_that_never_left_leaves_the_units_of_an_earlier_doubt_held() -> None:
    """Units stay held while an action is in doubt, whatever became of a repeat."""
    doubtful = intent(Effect.KEYED, SENT, IN_DOUBT, AGAIN, Change(Kind.DISPATCHED, {"attempt": 2}))
    (unsent, _) = decide.after_unsent(doubtful, Moment(NOW, 0.5))
    assert KEPT in unsent.facts
    assert evolve(doubtful, unsent, NOW).reserved == RESERVED
    assert settlement(unsent.kind, unsent.facts, RESERVED) == ()
    first = intent(Effect.KEYED, SENT)
    (unsent, _) = decide.after_unsent(first, Moment(NOW, 0.5))
    assert evolve(first, unsent, NOW).reserved == {}


@pytest.mark.parametrize(
    ("ends", "used", "held"),
    [
        ([], 2, 2),
        ([(Kind.SUCCEEDED, {})], 2, 0),
        ([(Kind.NOT_APPLIED, {})], 0, 0),
        ([(Kind.IN_DOUBT, {}), (Kind.RETRY_SCHEDULED, {}), (Kind.DISPATCHED, {})], 2, 2),
        ([(Kind.NOT_APPLIED, {KEPT: True}), (Kind.DISPATCHED, {}), (Kind.SUCCEEDED, {})], 2, 0),
        ([(Kind.NOT_APPLIED, {}), (Kind.DISPATCHED, {"reserved": {"agents/2023-11": 3}})], 3, 3),
        ([(Kind.IN_DOUBT, {}), (Kind.NEEDS_OPERATOR, {}), (Kind.ABANDONED, {})], 2, 0),
        ([(Kind.SUCCEEDED, {}), (Kind.REEXECUTED, {}), (Kind.DISPATCHED, {"reserved": RESERVED})], 4, 2),
    ],
)
def test_counters_are_a_fold_over_events(ends: list[tuple[Kind, dict[str, Any]]], used: int, held: int) -> None:
    """From the events alone the counters can be made again; another intent's do not mix with them."""
    events = [event(Kind.DISPATCHED, reserved=RESERVED), *(event(kind, **facts) for kind, facts in ends)]
    others = [event(Kind.DISPATCHED, "int_2"), event("admission.refused", "admission"), event(Kind.SUCCEEDED, "int_2")]
    assert budget_counters([*others, *events]) == {(USED, "agents/2023-11"): used, (HELD, "agents/2023-11"): held}


def test_every_state_that_ends_an_intent_is_reached_by_settling() -> None:
    """Whatever leads to an end that nothing leaves by itself settles, so nothing is held for ever."""
    leading = {State.SUCCEEDED, State.DENIED, State.REJECTED, State.CANCELLED, State.EXPIRED, State.ABANDONED}
    assert {str(kind).removeprefix("intent.") for kind in SETTLING} == {*map(str, leading), "not_applied"}
