"""What a thaw decides, as tables: what may have left, what a person is called for, how a saga is stuck and goes on."""

from __future__ import annotations

import msgspec
import pytest

from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict
from switchgear.execution.intent import Change, IllegalTransitionError, Intent, accepted, evolve
from switchgear.execution.restoring import LATE_SECONDS_MAX, Lost, after_thaw, box_after_thaw, saga_after_thaw
from switchgear.execution.sagas.decide import How, following, resumption
from switchgear.execution.sagas.saga import Saga, Step, folded
from switchgear.execution.sagas.transitions import Phase, SagaKind, SagaState
from switchgear.execution.time_boxes.box import BoxKind, BoxState, TimeBox
from switchgear.execution.transitions import DOUBTFUL, WAITING, Kind, State

LOST = Lost(since=1_000.0, until=2_000.0)
FACTS = {
    "id": "int_1",
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
    "deadline_at": 9_000.0,
}


def intent(**fields: object) -> Intent:
    """Return an intent that was accepted before the time that is lost."""
    return msgspec.structs.replace(accepted(FACTS, {"arguments": {}}, 500.0), **fields)


def kinds(found: tuple[Change, ...]) -> list[Kind]:
    """Return what kinds of changes they are."""
    return [change.kind for change in found]


@pytest.mark.parametrize("state", sorted(WAITING))
@pytest.mark.parametrize("effect", [Effect.KEYED, Effect.RECONCILABLE, Effect.OPAQUE])
def test_a_waiting_write_is_in_doubt(state: State, effect: Effect) -> None:
    """Whatever it waited for may have come; the fold takes the event, and the key counts from `since`."""
    before = intent(state=state, effect=effect)
    (change,) = after_thaw(before, LOST)
    after = evolve(before, change, 2_000.0)
    assert (after.state, after.doubtful, after.restored) == (State.IN_DOUBT, True, True)
    assert (after.first_sent_at, after.doubt_since) == (1_000.0, 2_000.0)


def test_a_key_that_was_sent_before_keeps_its_first_moment() -> None:
    """The remote's memory began there; and no key was sent before its intent was accepted."""
    (sent,) = after_thaw(intent(first_sent_at=700.0, doubtful=True), LOST)
    (unsent,) = after_thaw(intent(created_at=1_500.0), LOST)
    assert "first_sent_at" not in sent.facts
    assert unsent.facts["first_sent_at"] == 1_500.0


@pytest.mark.parametrize(
    ("fields", "doubtful"),
    [
        ({"deadline_at": 1_000.0 - LATE_SECONDS_MAX}, False),
        ({"deadline_at": 1_000.0 - LATE_SECONDS_MAX + 0.1}, True),
        ({"not_before": 2_000.0}, False),
        ({"not_before": 1_999.9}, True),
        ({"effect": Effect.READ_ONLY}, False),
    ],
)
def test_what_cannot_have_left_is_left_as_it_is(fields: dict[str, object], doubtful: bool) -> None:  # noqa: FBT001 - a column of the table
    """Its time was over before the lost time began, or comes after it; a read has no effect."""
    assert bool(after_thaw(intent(**fields), LOST)) is doubtful


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        *((state, [Kind.IN_DOUBT, Kind.NEEDS_OPERATOR]) for state in (*sorted(WAITING), State.DISPATCHED)),
        (State.IN_DOUBT, [Kind.NEEDS_OPERATOR]),
        (State.RECONCILING, [Kind.NEEDS_OPERATOR]),
        (State.NEEDS_OPERATOR, []),
    ],
)
@pytest.mark.parametrize(
    "fields", [{"effect": Effect.NATURAL}, {"purpose": "step"}, {"purpose": "compensate", "effect": Effect.READ_ONLY}]
)
def test_a_person_is_called_where_a_repeat_or_what_follows_could_be_wrong(
    state: State, expected: list[Kind], fields: dict[str, object]
) -> None:
    """Natural work and steps of sagas, in every open state; the fold takes it."""
    before = after = intent(state=state, **fields)
    found = after_thaw(before, LOST)
    assert kinds(found) == expected
    for change in found:
        after = evolve(after, change, 2_000.0)
    assert after.state is State.NEEDS_OPERATOR


@pytest.mark.parametrize("state", sorted(DOUBTFUL | {State.DISPATCHED}))
def test_what_was_in_doubt_already_is_settled_as_ever(state: State) -> None:
    """Recovery knows what to do with it; nothing is added."""
    assert after_thaw(intent(state=state), LOST) == ()


def test_nothing_else_makes_a_doubt_of_what_never_left() -> None:
    """Without the word of a restore, a waiting intent without an attempt is in no doubt."""
    with pytest.raises(IllegalTransitionError):
        evolve(intent(), Change(Kind.IN_DOUBT, {"doubtful": True}), 2_000.0)


def saga(*phases: Phase, undoing: bool = False) -> Saga:
    """Return a saga whose steps are so far; each can be undone."""
    steps = tuple(
        Step(
            name=f"s{number}", tool="t", contract="c", arguments={}, compensate="u", phase=phase, intent=f"int_{number}"
        )
        for number, phase in enumerate(phases)
    )
    return Saga(
        id="sga_1",
        tenant="acme",
        account="main",
        actor="service:orders",
        key="k",
        digest="d",
        key_retention=60.0,
        steps=steps,
        created_at=0.0,
        updated_at=0.0,
        state=SagaState.COMPENSATING if undoing else SagaState.RUNNING,
        undoing=undoing,
    )


@pytest.mark.parametrize(
    ("before", "how", "phase"),
    [
        (saga(Phase.APPLIED, Phase.WAITING), How.DONE, Phase.APPLIED),
        (saga(Phase.APPLIED, Phase.WAITING), How.RETRY, Phase.WAITING),
        (saga(Phase.APPLIED, Phase.APPLIED, undoing=True), How.DONE, Phase.COMPENSATED),
        (saga(Phase.APPLIED, Phase.APPLIED, undoing=True), How.RETRY, Phase.APPLIED),
    ],
)
def test_a_saga_is_stuck_before_what_it_would_begin(before: Saga, how: How, phase: Phase) -> None:
    """A person says whether it was done, or is to be; then it goes on in its direction."""
    (stuck,) = saga_after_thaw(before, None)
    after = folded(before, (stuck,), 1.0)
    assert (stuck.kind, after.state) == (SagaKind.STUCK, SagaState.STUCK)
    assert following(after) is None
    resumed = folded(after, resumption(after, how, by="user:ops", reason="looked"), 2.0)
    assert (resumed.state, resumed.steps[1].phase) == (before.state, phase)


def test_a_saga_takes_the_end_of_its_step_before_it_is_stuck() -> None:
    """The backup fell between that end and the next step; at the last step the saga is complete."""
    done = intent(id="int_0", state=State.SUCCEEDED)
    middle = saga_after_thaw(saga(Phase.RUNNING, Phase.WAITING), done)
    assert [change.kind for change in middle] == [SagaKind.STEP_SUCCEEDED, SagaKind.STUCK]
    last = saga_after_thaw(saga(Phase.RUNNING), done)
    assert [change.kind for change in last] == [SagaKind.STEP_SUCCEEDED, SagaKind.COMPLETED]


def test_a_saga_whose_intent_is_open_waits_on() -> None:
    """The intent calls the person; one that needs a person already is left as it is."""
    assert saga_after_thaw(saga(Phase.RUNNING, Phase.WAITING), intent(id="int_0", state=State.IN_DOUBT)) == ()
    stuck = saga(Phase.APPLIED, Phase.WAITING)
    stuck = folded(stuck, saga_after_thaw(stuck, None), 1.0)
    assert saga_after_thaw(stuck, None) == ()


def test_a_saga_that_is_not_stuck_is_not_resumed() -> None:
    """What a person says counts only where one was called."""
    with pytest.raises(Conflict):
        resumption(saga(Phase.APPLIED, Phase.WAITING), How.DONE, by="user:ops", reason="looked")


@pytest.mark.parametrize(
    ("state", "reverts_at", "called"),
    [
        (BoxState.OPEN, 2_000.0, True),
        (BoxState.OPEN, 2_000.1, False),
        (BoxState.REVERTING, 1_500.0, False),
        (BoxState.NEEDS_OPERATOR, 1_500.0, False),
    ],
)
def test_a_person_is_called_for_a_box_that_is_over(state: BoxState, reverts_at: float, called: bool) -> None:  # noqa: FBT001 - a column of the table
    """It may have been reverted under a key that is forgotten; a revert that had begun has its key."""
    box = TimeBox(
        id="int_1",
        tenant="acme",
        account="main",
        intent="int_1",
        tool="t",
        undo="u",
        seconds=60.0,
        opened_at=0.0,
        reverts_at=reverts_at,
        updated_at=0.0,
        state=state,
    )
    step = box_after_thaw(box, LOST)
    assert (step is not None and step.kind is BoxKind.NEEDS_OPERATOR) is called
