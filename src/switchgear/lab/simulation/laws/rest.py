"""What was lent is given back once everything has come to rest."""

from __future__ import annotations

from collections.abc import Iterator

from switchgear.lab.simulation.laws.evidence import Evidence
from switchgear.lab.simulation.machinery import Machinery


def everything_is_given_back(evidence: Evidence) -> Iterator[str]:
    """Check that no place, no permit and no slot is taken, and that every loop of the engine runs."""
    if not evidence.machinery:
        yield "there is no engine at the end"
    for made in evidence.machinery:
        yield from _given_back(made, evidence)


def _given_back(made: Machinery, evidence: Evidence) -> Iterator[str]:
    if made.engine.defect is not None:
        yield f"a loop of the engine has ended: {made.engine.defect}"
    if any(not intent.final for intent in evidence.intents.values()):
        return
    if places := len(made.engine.queue):
        yield f"{places} places of the queue are taken although nothing waits"
    if slots := made.engine.kernel.in_flight:
        yield f"{slots} intents are carried although nothing runs"
    for name, guard in sorted(made.guards.items()):
        if permits := guard.statistics().in_flight:
            yield f"{permits} permits of {name} are taken although nothing runs"
