"""Asks every law and gathers what is broken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

from switchgear.lab.simulation.laws import (
    destruction,
    effects,
    promises,
    records,
    replays,
    rest,
    spending,
    stops,
    together,
)
from switchgear.lab.simulation.laws.evidence import Evidence

Law = Callable[[Evidence], Iterator[str] | AsyncIterator[str]]

LAWS: tuple[Law, ...] = (
    promises.nothing_acknowledged_is_lost,
    promises.what_was_announced_is_on_record,
    promises.a_key_is_one_intent,
    effects.one_key_has_one_effect,
    effects.what_is_said_is_true,
    effects.nothing_leaves_without_record,
    effects.a_new_generation_follows_what_is_undone,
    records.the_ledger_is_the_truth,
    stops.nothing_leaves_past_a_freeze,
    stops.nothing_leaves_without_approval,
    stops.no_repeat_undoes_what_came_later,
    destruction.nothing_is_destroyed_unvouched,
    destruction.a_force_is_good_once,
    spending.no_budget_is_overdrawn,
    spending.what_was_reserved_is_settled,
    replays.every_replay_has_one_end,
    together.sagas_end_consistent,
    together.time_boxes_end_once,
    rest.everything_is_given_back,
)
_PROBLEMS_MAX = 5


async def broken(evidence: Evidence) -> list[str]:
    """Return what is wrong, law by law: at most five sentences of each."""
    problems = list(evidence.witness.problems)
    for law in LAWS:
        found = law(evidence)
        said = [one async for one in found] if isinstance(found, AsyncIterator) else list(found)
        problems += [f"{law.__name__}: {problem}" for problem in said[:_PROBLEMS_MAX]]
    return problems
