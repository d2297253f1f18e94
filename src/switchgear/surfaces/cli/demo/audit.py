"""The demo's verdict: the ledger and the answers, held against the upstream's own log. Pure.

It reports what does not add up and never explains it away. An action in doubt may have had one effect or
none; the log says which, and the report names it. Everything else has one right number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from switchgear.execution.transitions import DOUBTFUL, State
from switchgear.surfaces.cli.demo.effects import Effect
from switchgear.surfaces.cli.demo.story import Story, Told
from switchgear.surfaces.cli.demo.traffic import Answer

_LIMITS = frozenset({"RATE_LIMITED_TENANT", "RATE_LIMITED_GLOBAL", "QUEUE_FULL", "SHED_OVERLOAD"})
"""Refusals that may hit any request before it is looked at closer."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An action in doubt, and how many effects the upstream really saw: 0 or 1."""

    intent: str
    tenant: str
    tool: str
    effects: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What the audit found. `problems` is empty when everything adds up."""

    effects: int
    keys: int
    effects_per_key_max: int
    doubts: tuple[Doubt, ...]
    problems: tuple[str, ...]


def audit(story: Story, answers: Sequence[Answer], effects: Sequence[Effect]) -> Finding:
    """Hold the three against each other."""
    seen = Counter(effect.key for effect in effects)
    problems = [
        *_unknown_effects(story, effects),
        *(problem for told in story.actions.values() for problem in _wrong_count(told, seen[told.id])),
        *_lost(story, answers),
        *_wrong_answers(answers),
        *_several_intents(answers),
    ]
    return Finding(
        effects=len(effects),
        keys=len(seen),
        effects_per_key_max=max(seen.values(), default=0),
        doubts=tuple(_doubts(story.actions, seen)),
        problems=tuple(problems),
    )


def unfinished(story: Story, tenants: Sequence[str]) -> Iterator[str]:
    """Yield what a run that nobody interrupted must not leave: a tenant without a success, an action still open."""
    for tenant in tenants:
        if not any(told.tenant == tenant and told.state is State.SUCCEEDED for told in story.actions.values()):
            yield f"no action of {tenant} succeeded"
    if left := story.unsettled():
        yield f"{left} actions were still open when the demo gave up waiting"


def _doubts(actions: Mapping[str, Told], seen: Counter[str]) -> Iterator[Doubt]:
    for told in actions.values():
        if told.state in DOUBTFUL:
            yield Doubt(told.id, told.tenant, told.tool, seen[told.id])


def _wrong_count(told: Told, count: int) -> Iterator[str]:
    allowed = _allowed(told)
    if count not in allowed:
        right = " or ".join(map(str, allowed))
        yield f"{told.id} ({told.tool}, {told.state}): the upstream saw {count} effects, right is {right}"


def _allowed(told: Told) -> tuple[int, ...]:
    """Return how many effects an action may have had, as it stands."""
    if told.effect == "read_only":
        return (0,)
    if told.state is State.SUCCEEDED:
        return (1,)
    if told.state in DOUBTFUL or (not told.final and told.attempts):
        return (0, 1)
    return (0,)


def _unknown_effects(story: Story, effects: Iterable[Effect]) -> Iterator[str]:
    for effect in effects:
        if effect.key not in story.actions:
            yield f"the upstream applied {effect.operation} for {effect.key!r}, which is not in the ledger"


def _lost(story: Story, answers: Iterable[Answer]) -> Iterator[str]:
    for intent in {answer.intent for answer in answers if answer.intent}:
        if intent not in story.actions:
            yield f"{intent} was acknowledged and is not in the ledger"


def _wrong_answers(answers: Iterable[Answer]) -> Iterator[str]:
    for answer in answers:
        expected = answer.wish.expect
        if expected is None or answer.code == expected or answer.code in _LIMITS or not answer.status:
            continue
        got = answer.code or f"accepted as {answer.intent}"
        yield f"{answer.wish.tool} with the key {answer.wish.key!r} must be {expected}, and was {got}"


def _several_intents(answers: Iterable[Answer]) -> Iterator[str]:
    bound: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for answer in answers:
        if answer.intent and answer.wish.key is not None:
            bound[answer.tenant, answer.wish.account, answer.wish.tool, answer.wish.key].add(answer.intent)
    for (tenant, _, tool, key), intents in bound.items():
        if len(intents) > 1:
            names = ", ".join(sorted(intents))
            yield f"the key {key!r} of {tenant} for {tool} was bound to several intents: {names}"
