"""One key, one effect; and what is said of an action is what happened to it."""

from __future__ import annotations

from collections.abc import Iterator

from switchgear.core.effects import Effect
from switchgear.execution.intent import Intent
from switchgear.execution.transitions import FINAL, State
from switchgear.lab.simulation.catalogue import BY_NAME
from switchgear.lab.simulation.laws.evidence import Evidence

_MANY = (Effect.READ_ONLY, Effect.NATURAL)
_UNDOING = ("revert", "compensate")


def one_key_has_one_effect(evidence: Evidence) -> Iterator[str]:
    """Check that no downstream key has two effects, but where a value is set again."""
    for key, effects in evidence.remote.effects.items():
        if len(effects.applied) > 1 and BY_NAME[effects.tool].effect not in _MANY:
            yield f"{effects.tool} of {key} happened {len(effects.applied)} times, at {effects.applied}"


def what_is_said_is_true(evidence: Evidence) -> Iterator[str]:
    """Check that a success happened, what is called not applied did not, and what may have is called in doubt."""
    for intent in evidence.intents.values():
        if not intent.effect.writes:
            continue
        happened = evidence.remote.count(intent.downstream_key)
        if intent.state is State.SUCCEEDED:
            if not happened:
                yield f"{intent.tool} {intent.id} is called a success and did not happen"
        elif intent.final and intent.ended is not State.ABANDONED:
            yield from _not_applied(intent, happened)


def _not_applied(intent: Intent, happened: int) -> Iterator[str]:
    if happened:
        yield f"{intent.tool} {intent.id} is called {intent.state} ({intent.code}) and happened"
    if intent.unresolved and intent.state in FINAL:
        yield f"{intent.tool} {intent.id} is called {intent.state} ({intent.code}) while it may have happened"


def nothing_leaves_without_record(evidence: Evidence) -> Iterator[str]:
    """Check that for every sending there is a dispatch on record."""
    dispatched: dict[str, int] = {}
    for step in evidence.history.dispatches():
        key = step.after.downstream_key
        dispatched[key] = dispatched.get(key, 0) + 1
    for key, effects in evidence.remote.effects.items():
        if len(effects.sent) > dispatched.get(key, 0):
            yield f"{effects.tool} of {key} left {len(effects.sent)} times, recorded {dispatched.get(key, 0)} times"


def a_new_generation_follows_what_is_undone(evidence: Evidence) -> Iterator[str]:
    """Check that an action runs anew only when its earlier executions had no effect, or were undone."""
    undone = {
        effects.about for effects in evidence.remote.effects.values() if effects.purpose in _UNDOING and effects.applied
    }
    for intent in evidence.intents.values():
        if not intent.effect.writes or BY_NAME[intent.tool].effect in _MANY:
            continue
        for generation in range(1, intent.generation):
            key = intent.id if generation == 1 else f"{intent.id}.{generation}"
            if evidence.remote.count(key) and key not in undone:
                yield f"{intent.tool} {intent.id} was executed anew after {key} had happened"
