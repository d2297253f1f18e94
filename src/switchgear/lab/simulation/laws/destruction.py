"""Law 5: what destroys leaves only on fresh right answers of all that it requires, or by the word of a person, once.

It is judged by what the dependencies have answered to the life that sent it, and by the ledger. What an engine holds
for healthy is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from switchgear.execution.resolving import AGENT
from switchgear.execution.transitions import Kind
from switchgear.lab.simulation.catalogue import BY_NAME, DEPENDENCIES
from switchgear.lab.simulation.history import Step
from switchgear.lab.simulation.laws.evidence import Evidence
from switchgear.lab.simulation.outages import Answer, Left, Moment

_TICK = 0.001
"""Seconds that are one moment: of what happens in it, nobody can say what came first."""


def nothing_is_destroyed_unvouched(evidence: Evidence) -> Iterator[str]:
    """Check that each destructive attempt left while all that it requires vouched for it, or was forced."""
    for left in evidence.outages.left:
        steps = evidence.history.intents.get(left.intent, [])
        for name in BY_NAME[left.tool].requires:
            problem = unvouched(left, name)
            if problem and not _is_forced(steps, left, name):
                yield f"{left.tool} {left.intent} left at {left.moment.at:.3f}, and {name} {problem}"


def a_force_is_good_once(evidence: Evidence) -> Iterator[str]:
    """Check that each dispatch that was forced follows a word of its own, of a person who did not ask for it."""
    for intent_id, steps in evidence.history.intents.items():
        word: Step | None = None
        for step in steps:
            if step.kind is Kind.FORCED:
                word = step
            elif step.kind is Kind.DISPATCHED:
                if "forced" in step.event.facts and (problem := _misused(word, step)):
                    yield f"{step.after.tool} {intent_id} was forced {problem}"
                word = None


def unvouched(left: Left, name: str) -> str:
    """Return why a dependency did not vouch when an attempt left, in words; empty when it did."""
    told = [answer for answer in left.told[name] if answer.told < left.moment.at - _TICK]
    if not told:
        return "had never answered"
    if not told[-1].right:
        return "had not answered rightly"
    if (age := _age(told[-1].asked, left.moment)) > DEPENDENCIES[name].freshness + _TICK:
        return f"had last answered {age:.3f} s before"
    return "" if _was_healthy(told, name) else "had not answered often enough"


def _was_healthy(told: Sequence[Answer], name: str) -> bool:
    """Return whether so many right answers in a row had come since so many wrong ones, or a silence."""
    options, right, wrong, healthy = DEPENDENCIES[name], 0, 0, False
    before: Answer | None = None
    for answer in told:
        if before is not None and _age(before.asked, answer.asked) > 2 * options.freshness:
            right, healthy = 0, False
        right, wrong = (right + 1, 0) if answer.right else (0, wrong + 1)
        healthy = wrong < options.down_after and (healthy or right >= options.up_after)
        before = answer
    return healthy


def _age(since: Moment, now: Moment) -> float:
    return max(now.at - since.at, now.wall - since.wall)


def _is_forced(steps: Sequence[Step], left: Left, name: str) -> bool:
    for step in reversed(steps):
        if step.kind is Kind.DISPATCHED and step.after.attempt == left.attempt:
            overrode = step.event.facts.get("forced", {}).get("overrode", ())
            force = step.after.force
            in_time = force is not None and left.moment.wall < force.until + _TICK
            return in_time and any(one["dependency"] == name for one in overrode)
    return False


def _misused(word: Step | None, dispatched: Step) -> str:
    if word is None:
        return "without a word for it"
    given = {one["dependency"] for one in word.event.facts["overrode"]}
    taken = {one["dependency"] for one in dispatched.event.facts["forced"]["overrode"]}
    by = str(word.event.facts["by"])
    if by.startswith(AGENT) or by == dispatched.after.actor:
        return f"by {by}"
    return "" if taken <= given else f"over {sorted(taken - given)}, of which nobody spoke"
