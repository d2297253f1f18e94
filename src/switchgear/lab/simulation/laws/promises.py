"""What somebody was told is true: it was durable before it was said, and nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator

from switchgear.execution.transitions import Kind
from switchgear.lab.simulation.history import Step
from switchgear.lab.simulation.laws.evidence import Evidence

_REPLAYING = (Kind.REPLAY_REQUESTED, Kind.REPLAY_STARTED, Kind.REPLAY_COMPLETED, Kind.REPLAY_FAILED)
"""What may happen to an intent at any time, and does not bring its key to life again."""
_TURN = 5.0
"""Seconds by which the wall clock may be set back between a look at the key and the record."""


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
    """Check that a key stands for another intent only when the first was final, and past its retention by then."""
    for first, second in evidence.witness.rebound:
        accepted = evidence.history.intents[second][0].event
        before = [step for step in evidence.history.intents[first] if step.event.position < accepted.position]
        if problem := _not_free(before, accepted.at):
            yield f"the key of {first} was freed {problem}"


def _not_free(before: list[Step], at: float) -> str:
    intent = before[-1].after
    if not intent.closed:
        return f"while it was {intent.state}"
    ended_at = [step.event.at for step in before if step.kind not in _REPLAYING][-1]
    since = min(ended_at, intent.updated_at)  # the wall clock may have been set back between the two
    return "before its retention was over" if at < since + intent.key_retention - _TURN else ""
