"""Replays: each that started has exactly one end."""

from __future__ import annotations

from collections.abc import Iterator

from switchgear.execution.transitions import Kind
from switchgear.lab.simulation.history import Step
from switchgear.lab.simulation.laws.evidence import Evidence

_ENDS = (Kind.REPLAY_COMPLETED, Kind.REPLAY_FAILED)


def every_replay_has_one_end(evidence: Evidence) -> Iterator[str]:
    """Check that beginnings and ends take turns in every stream, and none that rests is without its end."""
    for intent_id, steps in evidence.history.intents.items():
        problem, open_ones = _turns(steps)
        if problem:
            yield f"{intent_id}: {problem}"
        elif open_ones and evidence.intents[intent_id].final:
            yield f"{intent_id}: a replay has no end, and the intent is {evidence.intents[intent_id].state}"


def _turns(steps: list[Step]) -> tuple[str, int]:
    open_ones = 0
    for step in steps:
        open_ones += (step.kind is Kind.REPLAY_STARTED) - (step.kind in _ENDS)
        if open_ones not in (0, 1):
            return f"{step.kind} when {open_ones} replays are under way", open_ones
    return "", open_ones
