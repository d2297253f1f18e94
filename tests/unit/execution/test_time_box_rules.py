"""What becomes of a time-box, as tables: transitions, fates, arguments of a revert, and the book of what is due."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, StoreError
from switchgear.execution.contract import Tool
from switchgear.execution.intent import Change, Intent
from switchgear.execution.time_boxes.box import (
    BOX_TRANSITIONS,
    EXTENSIONS_MAX,
    BoxKind,
    BoxState,
    BoxStep,
    IllegalStepError,
    TimeBox,
    decoded_box,
    encoded_box,
    evolve_box,
)
from switchgear.execution.time_boxes.due import AT_ONCE, PAUSE, DueBook
from switchgear.execution.time_boxes.rules import Fate, Wants, extended, fate_of, needed, revert_arguments, step_with
from switchgear.execution.transitions import Kind, State

NOW = 1_700_000_000.0


def intent_in(state: State, **fields: Any) -> Intent:
    """Return an action with a time-box of an hour."""
    plain: dict[str, Any] = {
        "id": "int_1",
        "tenant": "acme",
        "account": "main",
        "actor": "service:orders",
        "tool": "idp.lock",
        "effect": Effect.OPAQUE,
        "contract": "c",
        "arguments": {"user": "ada", "why": "phished"},
        "digest": "d",
        "key": "k",
        "attempts_max": 3,
        "key_retention": 60.0,
        "created_at": NOW,
        "updated_at": NOW,
        "deadline_at": NOW + 60,
        "time_box": 3600.0,
        "undo": "idp.unlock",
    }
    return Intent(**{**plain, "state": state, **fields})


def box_in(state: BoxState, **fields: Any) -> TimeBox:
    """Return the box of that action."""
    opened = step_with(None, intent_in(State.DISPATCHED), [Change(Kind.DISPATCHED)], NOW)
    assert opened is not None
    return msgspec.structs.replace(evolve_box(None, opened, tenant="acme", at=NOW), state=state, **fields)


@pytest.mark.parametrize("kind", BoxKind)
@pytest.mark.parametrize("state", [None, *BoxState])
def test_an_event_happens_only_where_the_table_allows_it(kind: BoxKind, state: BoxState | None) -> None:
    """Each event leads where its row says, or is refused as a defect."""
    sources, target = BOX_TRANSITIONS[kind]
    box = None if state is None else box_in(state)
    opening = step_with(None, intent_in(State.DISPATCHED), [Change(Kind.DISPATCHED)], NOW)
    assert opening is not None
    step = BoxStep(kind, {**opening.facts, "code": "IN_DOUBT"} if kind is BoxKind.OPENED else {"code": "IN_DOUBT"})
    if state not in sources:
        with pytest.raises(IllegalStepError):
            evolve_box(box, step, tenant="acme", at=NOW)
        return
    after = evolve_box(box, step, tenant="acme", at=NOW + 1)
    assert after.state is (target or state)
    assert after.updated_at == NOW + 1
    assert decoded_box(after.id, encoded_box(after)) == after


def test_who_began_a_revert_stays_with_the_box_and_an_older_event_adds_nothing_to_its_row() -> None:
    """Law 11: what an earlier release has recorded is folded to the row that it stored."""
    facts = {"revert": "int_2", "by": "person:ann"}
    began = evolve_box(
        box_in(BoxState.OPEN), BoxStep(BoxKind.REVERTING, {**facts, "begun_early": True}), tenant="acme", at=NOW
    )
    assert (began.revert, began.begun_by, began.begun_early) == ("int_2", "person:ann", True)
    older = BoxStep(BoxKind.REVERTING, {**facts, "early": True}, {"reason": "over"})
    assert b"begun" not in encoded_box(evolve_box(box_in(BoxState.OPEN), older, tenant="acme", at=NOW))


def test_a_row_that_cannot_be_read_is_named() -> None:
    """Damage is LEDGER_CORRUPT, never a box with defaults."""
    with pytest.raises(StoreError, match="time-box int_1 cannot be read"):
        decoded_box("int_1", b"{}")


FATES: list[tuple[Intent, bool, Fate]] = [
    (intent_in(State.SUCCEEDED), False, Fate.HAPPENED),
    (intent_in(State.DISPATCHED), False, Fate.UNDER_WAY),
    (intent_in(State.RECONCILING, doubtful=True), True, Fate.UNDER_WAY),
    (intent_in(State.IN_DOUBT, doubtful=True), True, Fate.UNDER_WAY),
    (intent_in(State.READY, doubtful=True), False, Fate.UNDER_WAY),
    (intent_in(State.HELD, doubtful=True), False, Fate.UNDER_WAY),
    (intent_in(State.IN_DOUBT, doubtful=True), False, Fate.UP_TO_A_PERSON),
    (intent_in(State.NEEDS_OPERATOR, doubtful=True), True, Fate.UP_TO_A_PERSON),
    (intent_in(State.DEAD_LETTERED, ended=State.ABANDONED), False, Fate.UP_TO_A_PERSON),
    (intent_in(State.DISCARDED, ended=State.ABANDONED), False, Fate.UP_TO_A_PERSON),
    (intent_in(State.SUCCEEDED, generation=2), False, Fate.UP_TO_A_PERSON),
    (intent_in(State.READY), False, Fate.NOT_APPLIED),
    (intent_in(State.NOT_APPLIED), False, Fate.NOT_APPLIED),
    (intent_in(State.DEAD_LETTERED, ended=State.FAILED), False, Fate.NOT_APPLIED),
    (intent_in(State.CANCELLED), False, Fate.NOT_APPLIED),
    (intent_in(State.EXPIRED), False, Fate.NOT_APPLIED),
]


@pytest.mark.parametrize(("intent", "lookup", "fate"), FATES, ids=lambda one: getattr(one, "state", None))
def test_what_is_known_of_an_action(intent: Intent, lookup: bool, fate: Fate) -> None:  # noqa: FBT001 - a table
    """Only a success is reverted, and only what is proven not to have happened voids its box."""
    box = box_in(BoxState.OPEN)
    assert fate_of(box, intent, lookup=lookup) is fate
    due = needed(box, intent, None, due=True, lookup=lookup)
    early = needed(box, intent, None, due=False, lookup=lookup)
    assert (due is Wants.A_REVERT) == (fate is Fate.HAPPENED)
    assert early is Wants.NOTHING or fate is Fate.NOT_APPLIED
    called = isinstance(due, BoxStep) and due.kind is BoxKind.NEEDS_OPERATOR
    assert called == (fate is Fate.UP_TO_A_PERSON)


@given(
    state=st.sampled_from(State),
    doubtful=st.booleans(),
    box=st.sampled_from([BoxState.OPEN, BoxState.NEEDS_OPERATOR]),
    unsettled=st.booleans(),
    due=st.booleans(),
)
def test_law_4_nothing_is_reverted_on_a_guess(
    state: State, box: BoxState, *, doubtful: bool, unsettled: bool, due: bool
) -> None:
    """Whatever the states: a revert wants a known success, an end that has passed, and no person who decides."""
    intent = intent_in(state, doubtful=doubtful)
    if needed(box_in(box, unsettled=unsettled), intent, None, due=due, lookup=False) is Wants.A_REVERT:
        assert state is State.SUCCEEDED
        assert due
        assert box is BoxState.OPEN or unsettled


OPEN = {"type": "object", "properties": {"user": {}}}
CLOSED = {**OPEN, "additionalProperties": False}


@pytest.mark.parametrize(
    ("value", "schema", "told"),
    [
        ({"prior": 1, "now": 2, "etag": 3}, None, {"user": "ada", "why": "phished", "prior": 1, "now": 2}),
        ({"prior": None}, OPEN, {"user": "ada", "why": "phished", "prior": None}),
        ({"prior": 1}, CLOSED, {"user": "ada"}),
        ("done", CLOSED, {"user": "ada"}),
        (None, None, {"user": "ada", "why": "phished"}),
    ],
)
def test_a_revert_is_told_what_it_knows(value: object, schema: dict[str, Any] | None, told: dict[str, Any]) -> None:
    """The action's arguments and its prior and now; a closed schema gets no others than its own."""
    undo = Tool(name="idp.unlock", requires=("idp",), arguments_schema=schema)
    assert revert_arguments(intent_in(State.SUCCEEDED, value=value), undo) == told


def test_the_oldest_are_due_first_and_only_so_many_at_once() -> None:
    """Beyond a batch the book rests for a jittered pause, then goes on where it was."""
    book = DueBook()
    for number in range(2 * AT_ONCE):
        book.put("acme", f"b{number}", NOW - number, wall=NOW, monotonic=100.0)
    first = [box for _, box in book.due(100.0, 0.5)]
    assert first == [f"b{number}" for number in range(2 * AT_ONCE - 1, AT_ONCE - 1, -1)]
    assert book.due(100.0 + PAUSE, 0.5) == []
    assert book.next_moment() == pytest.approx(100.0 + 1.5 * PAUSE)
    assert len(book.due(100.0 + 1.5 * PAUSE, 0.0)) == AT_ONCE
    assert book.overdue(100.0) == 2 * AT_ONCE


@given(jumps=st.lists(st.floats(-1e6, 0.0), max_size=5))
def test_steps_back_never_postpone(jumps: list[float]) -> None:
    """However the wall clock steps back, the box ends after its seconds of this process."""
    book, wall = DueBook(), NOW
    book.put("acme", "b", NOW + 60, wall=wall, monotonic=0.0)
    for moment, jump in enumerate(jumps):
        wall += jump
        book.put("acme", "b", NOW + 60, wall=wall, monotonic=float(moment))
    assert not book.is_due("b", 59.9)
    assert book.is_due("b", 60.0)


def test_a_leap_ahead_counts_once() -> None:
    """What the wall clock leapt is taken off once, and a correction of an earlier step back not at all."""
    book = DueBook()
    book.put("acme", "b", NOW + 60, wall=NOW, monotonic=0.0)
    assert book.mind_the_wall(wall=NOW - 999, monotonic=1.0) == 0.0
    assert book.mind_the_wall(wall=NOW + 2, monotonic=2.0) == 0.0
    assert book.mind_the_wall(wall=NOW + 33, monotonic=3.0) == pytest.approx(30.0)
    assert book.mind_the_wall(wall=NOW + 34, monotonic=4.0) == 0.0
    assert not book.is_due("b", 29.9)
    assert book.is_due("b", 30.0)


def test_an_extension_moves_the_moment_by_as_much() -> None:
    """Also while the wall clock is wrong."""
    book = DueBook()
    book.put("acme", "b", NOW + 60, wall=NOW, monotonic=0.0)
    book.put("acme", "b", NOW + 90, wall=NOW - 5000, monotonic=10.0)
    assert not book.is_due("b", 89.9)
    assert book.is_due("b", 90.0)


def test_law_10_a_box_is_extended_so_often_and_no_more() -> None:
    """What people did to a box is read whole for its view, so it has a maximum; the refusal says what to do."""
    box = box_in(BoxState.OPEN, extensions=EXTENSIONS_MAX - 1)
    last = extended(box, 5.0, by="person:ann", reason="not yet", now=box.reverts_at)
    assert last.facts["reverts_at"] == box.reverts_at + 5.0
    full = box_in(BoxState.OPEN, extensions=EXTENSIONS_MAX)
    with pytest.raises(Conflict, match="100 times, the most there is; let it revert, or close it"):
        extended(full, 5.0, by="person:ann", reason="not yet", now=full.reverts_at)


def test_the_book_keeps_no_more_than_the_boxes_that_last() -> None:
    """Law 10: moments that were replaced are dropped, and what is forgotten is gone."""
    book = DueBook()
    for number in range(1000):
        book.put("acme", "b", NOW + number, wall=NOW, monotonic=0.0)
    assert len(book.moments) < 100
    book.forget("b")
    assert book.due(1e9, 0.0) == []
    assert not book.kept
