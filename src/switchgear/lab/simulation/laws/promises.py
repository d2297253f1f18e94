"""What somebody was told is true: it was durable before it was said, and nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from switchgear.execution.transitions import Kind
from switchgear.lab.simulation.history import Step
from switchgear.lab.simulation.laws.evidence import Evidence
from switchgear.lab.simulation.wall import Written
from switchgear.ledger.events import Recorded

_REPLAYING = (Kind.REPLAY_REQUESTED, Kind.REPLAY_STARTED, Kind.REPLAY_COMPLETED, Kind.REPLAY_FAILED)
"""What may happen to an intent at any time, and does not bring its key to life again."""
_TURN = 5.0
"""Seconds that may lie between a look at the clock and the record."""


def nothing_acknowledged_is_lost(evidence: Evidence) -> Iterator[str]:
    """Check that every intent that a client was told of is on record."""
    for intent_id, tenant in evidence.witness.acknowledged.items():
        found = evidence.intents.get(intent_id)
        if found is None or found.tenant != tenant:
            yield f"{intent_id} was acknowledged and is lost"


def what_was_announced_is_on_record(evidence: Evidence) -> Iterator[str]:
    """Check that whatever the engine said of an intent is a version of it in the ledger."""
    recorded = {
        (intent_id, step.version): str(step.after.state)
        for intent_id, steps in evidence.history.intents.items()
        for step in steps
    }
    for claim in sorted(evidence.witness.claims):
        state = recorded.get((claim.intent, claim.version))
        if state != claim.state:
            yield f"{claim.intent} was announced {claim.state} at version {claim.version}, and there it is {state}"


def a_key_is_one_intent(evidence: Evidence) -> Iterator[str]:
    """Check that a key stands for another intent only when the first was final, and past its retention by then.

    What counts is the time that has passed, whatever the wall clock said; but for a leap ahead that no engine saw.
    """
    for first, second in evidence.witness.rebound:
        missing = [one for one in (first, second) if not evidence.history.intents.get(one)]
        if missing:
            yield f"the key of {first} was given to {second}, and {missing[0]} is not on record"
            continue
        accepted = evidence.history.intents[second][0].event
        before = [step for step in evidence.history.intents[first] if step.event.position < accepted.position]
        if problem := _not_free(before, accepted, evidence.wall.written):
            yield f"the key of {first} was freed {problem}"


def _not_free(before: list[Step], accepted: Recorded, written: Mapping[str, Written]) -> str:
    intent = before[-1].after
    if not intent.closed:
        return f"while it was {intent.state}"
    end = [step.event for step in before if step.kind not in _REPLAYING][-1]
    passed = _believed(written[end.append_id], written[accepted.append_id])
    return f"{passed:.1f} s after its end" if passed < intent.key_retention - _TURN else ""


def _believed(first: Written, second: Written) -> float:
    """Return the seconds from one record to another, and what the clock leapt ahead unseen by who wrote the second.

    Nobody was there between two engines. One of several that were there at once may have stood still meanwhile.
    """
    if first.engine != second.engine:
        return second.at - first.at + max(0.0, second.began - first.leapt)
    unseen = 0.0 if first.owner == second.owner else max(0.0, second.leapt - first.leapt)
    return second.at - first.at + unseen
