"""Sagas are done or undone, as a whole; time-boxes are neither forgotten nor doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from switchgear.execution.family import REVERT
from switchgear.execution.sagas.book import SAGAS, saga_of
from switchgear.execution.sagas.saga import Saga, Step
from switchgear.execution.sagas.transitions import SagaState
from switchgear.execution.time_boxes.box import ENDED, SPACE, BoxState, TimeBox, decoded_box
from switchgear.execution.transitions import State
from switchgear.lab.simulation.catalogue import BY_NAME
from switchgear.lab.simulation.laws.evidence import Evidence, all_rows


async def sagas_end_consistent(evidence: Evidence) -> AsyncIterator[str]:
    """Check that what was acknowledged is there, and of what has ended all steps happened, or all were undone."""
    found: dict[str, Saga] = {}
    for tenant in await evidence.store.tenants():
        found |= {row.key: saga_of(row) for row in await all_rows(evidence.store, SAGAS, tenant)}
    for saga_id in evidence.witness.sagas:
        if saga_id not in found:
            yield f"saga {saga_id} was acknowledged and is lost"
    for saga in found.values():
        if saga.final and saga.id not in evidence.witness.by_hand:
            for problem in _inconsistent(evidence, saga):
                yield problem


def _inconsistent(evidence: Evidence, saga: Saga) -> Iterator[str]:
    for step in saga.steps:
        if _given_up(evidence, step):
            continue  # nobody knew whether it happened, so it was undone to be safe
        done, undone = _done(evidence, saga, step), _undone(evidence, saga, step)
        writes = BY_NAME[step.tool].effect.writes
        if saga.state is SagaState.COMPLETED and (done, undone) != (writes, 0):
            yield f"step {step.name} of saga {saga.id}, which is done, happened {done} times and was undone {undone}"
        if saga.state is not SagaState.COMPLETED and done != undone:
            yield f"step {step.name} of saga {saga.id}, {saga.state}, happened {done} times and was undone {undone}"


def _given_up(evidence: Evidence, step: Step) -> bool:
    named = [name for name in (step.intent, step.compensation, *step.earlier) if name is not None]
    return any(evidence.intents[name].ended is State.ABANDONED for name in named)


def _done(evidence: Evidence, saga: Saga, step: Step) -> int:
    return sum(evidence.remote.count(one) for one in _served(evidence, saga, step.tool, step.name))


def _undone(evidence: Evidence, saga: Saga, step: Step) -> int:
    done = set(_served(evidence, saga, step.tool, step.name))
    return sum(len(effects.applied) for effects in evidence.remote.effects.values() if effects.about in done)


def _served(evidence: Evidence, saga: Saga, tool: str, name: str) -> list[str]:
    """Return the downstream keys of the intents that did a step: those that it named, now or earlier."""
    step = next(step for step in saga.steps if step.name == name)
    named = {step.intent, *step.earlier}
    return [intent.downstream_key for intent in evidence.intents.values() if intent.id in named and intent.tool == tool]


async def time_boxes_end_once(evidence: Evidence) -> AsyncIterator[str]:
    """Check that what happened for a while was reverted once or left by a person, and what did not is void."""
    boxes: dict[str, TimeBox] = {}
    for tenant in await evidence.store.tenants():
        boxes |= {row.key: decoded_box(row.key, row.value) for row in await all_rows(evidence.store, SPACE, tenant)}
    for intent in evidence.intents.values():
        if intent.time_box is not None and intent.state is State.SUCCEEDED and intent.downstream_key not in boxes:
            yield f"{intent.id} holds for {intent.time_box:g} seconds and has no time-box"
    for box in boxes.values():
        if problem := _box_problem(evidence, box):
            yield f"time-box {box.id} is {box.state}: {problem}"


def _box_problem(evidence: Evidence, box: TimeBox) -> str:
    reverts = [one for one in evidence.intents.values() if one.purpose == REVERT and one.about == box.id]
    reverted = sum(evidence.remote.count(one.downstream_key) for one in reverts)
    happened = evidence.remote.count(box.id)
    if reverted > 1:
        return f"it was reverted {reverted} times"
    if box.state is BoxState.VOIDED and happened:
        return "and its action happened"
    if box.state is BoxState.REVERTED and not (happened and reverted):
        return f"its action happened {happened} times and was reverted {reverted} times"
    return "and everything is at rest" if box.state not in ENDED and _at_rest(evidence) else ""


def _at_rest(evidence: Evidence) -> bool:
    return all(intent.final for intent in evidence.intents.values())
