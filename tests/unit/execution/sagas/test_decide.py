"""What follows for a saga, decided purely: the tables hold, and no rule repeats what may have happened."""

from __future__ import annotations

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict
from switchgear.execution.sagas import decide
from switchgear.execution.sagas.decide import Begin, How
from switchgear.execution.sagas.saga import (
    IllegalSagaTransitionError,
    Saga,
    SagaChange,
    Step,
    Stuck,
    accepted,
    after_word,
    evolve,
)
from switchgear.execution.sagas.transitions import FINAL, OPEN, PHASES, TRANSITIONS, Phase, SagaKind, SagaState

FACTS = {
    "id": "sga_1",
    "tenant": "acme",
    "account": "main",
    "actor": "service:orders",
    "key": "k",
    "digest": "d",
    "key_retention": 1.0,
    "steps": [{"name": "a", "tool": "t", "contract": "c", "compensate": "u"}],
}


def saga(*phases: Phase, state: SagaState = SagaState.STUCK, undoing: bool = True, pivot: int | None = None) -> Saga:
    """Return a saga whose steps are this far, stuck at the last of them."""
    steps = tuple(
        Step(name=f"s{at}", tool="t", contract="c", arguments={}, compensate="u", phase=phase, pivot=at == pivot)
        for at, phase in enumerate(phases)
    )
    stuck = Stuck(len(steps) - 1, "TOOL_FAILED", "why") if state is SagaState.STUCK else None
    born = accepted(FACTS, {}, 0.0)
    return Saga(
        id=born.id,
        tenant="acme",
        account="main",
        actor="a",
        key="k",
        digest="d",
        key_retention=1.0,
        steps=steps,
        created_at=0.0,
        updated_at=0.0,
        state=state,
        undoing=undoing,
        stuck=stuck,
    )


def test_every_state_but_the_last_ones_can_be_left_and_every_state_is_reached() -> None:
    """The table has no dead end and nothing unreachable."""
    left = {state for allowed, _ in TRANSITIONS.values() for state in allowed}
    reached = {target for _, target in TRANSITIONS.values() if target is not None}
    assert left == OPEN | {SagaState.PROPOSED}
    assert reached | {SagaState.COMPENSATING} == set(SagaState) - {SagaState.PROPOSED}
    assert not FINAL & left
    assert set(TRANSITIONS) == set(SagaKind)


@pytest.mark.parametrize("kind", [kind for kind in SagaKind if kind is not SagaKind.ACCEPTED])
@pytest.mark.parametrize("state", sorted(FINAL))
def test_nothing_happens_to_a_saga_that_has_ended(kind: SagaKind, state: SagaState) -> None:
    """An event out of its place is a defect, not a state."""
    with pytest.raises(IllegalSagaTransitionError):
        evolve(saga(Phase.APPLIED, state=state), SagaChange(kind, {"position": 0, "code": "X"}), 1.0)


@pytest.mark.parametrize("kind", PHASES)
@pytest.mark.parametrize("phase", Phase)
def test_a_step_goes_only_where_its_table_says(kind: SagaKind, phase: Phase) -> None:
    """No step is done twice, or undone twice, whatever the driver says."""
    state = SagaState.RUNNING if kind is SagaKind.STEP_STARTED else SagaState.COMPENSATING
    before = saga(phase, state=state, undoing=state is SagaState.COMPENSATING)
    change = SagaChange(kind, {"position": 0, "intent": "int_1", "code": "X"})
    if phase in PHASES[kind][0]:
        assert evolve(before, change, 1.0).steps[0].phase is PHASES[kind][1]
    else:
        with pytest.raises(IllegalSagaTransitionError):
            evolve(before, change, 1.0)


def test_steps_whose_arguments_were_erased_hold_a_mark() -> None:
    """A fold goes on over an erased payload, and nothing can be sent with what is left."""
    assert accepted(FACTS, {"message": "[erased]"}, 0.0).steps[0].arguments == {"[erased]": True}


@pytest.mark.parametrize(
    ("phases", "following"),
    [
        ((Phase.APPLIED, Phase.APPLIED, Phase.NOT_APPLIED), Begin(1, undo=True)),
        ((Phase.APPLIED, Phase.COMPENSATED, Phase.NOT_APPLIED), Begin(0, undo=True)),
        ((Phase.APPLIED, Phase.COMPENSATING), None),
        ((Phase.COMPENSATED, Phase.NOT_APPLIED), SagaChange(SagaKind.COMPENSATED)),
    ],
)
def test_undoing_goes_backward_one_at_a_time(phases: tuple[Phase, ...], following: object) -> None:
    """The last that succeeded first; while one is under way nothing else begins."""
    assert decide.following(saga(*phases, state=SagaState.COMPENSATING)) == following


@pytest.mark.parametrize(
    ("phases", "following"),
    [
        ((Phase.WAITING, Phase.WAITING), Begin(0, undo=False)),
        ((Phase.APPLIED, Phase.WAITING), Begin(1, undo=False)),
        ((Phase.RUNNING, Phase.WAITING), None),
        ((Phase.APPLIED, Phase.APPLIED), SagaChange(SagaKind.COMPLETED)),
    ],
)
def test_steps_go_forward_one_at_a_time(phases: tuple[Phase, ...], following: object) -> None:
    """The next waits for the one before."""
    assert decide.following(saga(*phases, state=SagaState.RUNNING, undoing=False)) == following


@pytest.mark.parametrize(
    ("phase", "undoing", "retry", "done"),
    [
        (Phase.COMPENSATION_FAILED, True, Phase.APPLIED, Phase.COMPENSATED),
        (Phase.COMPENSATION_UNKNOWN, True, None, Phase.COMPENSATED),
        (Phase.UNKNOWN, True, Phase.APPLIED, Phase.COMPENSATED),
        (Phase.UNKNOWN, False, None, Phase.APPLIED),
        (Phase.NOT_APPLIED, False, Phase.WAITING, Phase.APPLIED),
    ],
)
def test_a_retry_never_repeats_what_may_have_happened(
    phase: Phase,
    undoing: bool,  # noqa: FBT001 - a case
    retry: Phase | None,
    done: Phase | None,
) -> None:
    """Law 4: what nobody knows is made sure of by hand; only what is known to be missing begins anew."""
    stuck = saga(phase, undoing=undoing)
    assert (after_word(stuck, "retry"), after_word(stuck, "done")) == (retry, done)
    if retry is None:
        with pytest.raises(Conflict, match="may have had its effect"):
            decide.resumption(stuck, How.RETRY, by="person:kim", reason="x")


def test_a_pivot_that_nobody_knows_about_is_not_begun_anew() -> None:
    """There would be no way back from it."""
    assert after_word(saga(Phase.UNKNOWN, pivot=0), "retry") is None


def test_a_step_that_cannot_begin_has_failed_and_one_that_cannot_be_undone_is_stuck() -> None:
    """Both are named with the step and the reason."""
    forward = saga(Phase.APPLIED, Phase.WAITING, state=SagaState.RUNNING, undoing=False)
    (failed,) = decide.unable(forward, Begin(1, undo=False), Code.INVALID_ARGUMENT, "no value")
    assert (failed.kind, failed.facts["step"], failed.payload) == (SagaKind.STEP_FAILED, "s1", {"message": "no value"})
    backward = saga(Phase.APPLIED, state=SagaState.COMPENSATING)
    changes = decide.unable(backward, Begin(0, undo=True), Code.INVALID_ARGUMENT, "erased")
    assert [change.kind for change in changes] == [SagaKind.COMPENSATION_FAILED, SagaKind.STUCK]
