"""Counts and judges what came of drills: how often something could have been destroyed, and whether it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from switchgear.health.dependency import Kind
from tools.outage_drills.facts import Effect, Facts, Outage, Refusal
from tools.outage_drills.faults import faults_of
from tools.outage_drills.laws import LAWS, Law, blind_seconds, judged, repairs
from tools.outage_drills.paths import PATHS

Combination = tuple[str, str, str]
"""Fault, kind of dependency, path."""


def combinations() -> set[Combination]:
    """Return every fault with each kind of dependency that can meet it and each destructive path."""
    return {(fault, str(kind), path) for kind in Kind for fault in faults_of(kind) for path in PATHS}


@dataclass(slots=True)
class Tally:
    """What was counted so far.

    unnoticed  effects in an outage that nobody could have known of yet; `blind` is the longest after its begin, as a
               share of what is allowed.
    in_outage  refusals while a dependency that was required was not well.
    inferred   findings that confirmed nothing. Whoever reads silence as "gone" would have destroyed because of each.
    compared   effects of calm drills, which were the same with the gate and without it.
    tried      combinations in which somebody tried to destroy something.
    repaired   seconds from a repair until healthy, as shares of what is allowed; of outages that had been noticed.
    broken     the laws that broke, in words.
    """

    drills: int = 0
    outages: int = 0
    effects: int = 0
    unnoticed: int = 0
    blind: float = 0.0
    refusals: int = 0
    in_outage: int = 0
    inferred: int = 0
    compared: int = 0
    tried: set[Combination] = field(default_factory=set)
    repaired: list[float] = field(default_factory=list)
    broken: dict[str, list[str]] = field(default_factory=dict)

    def take(self, facts: Facts, name: str, *, drills: int = 1, by: Mapping[str, Law] = LAWS) -> None:
        """Count and judge what came of so many drills, which are called `name`."""
        self.drills += drills
        self.outages += len(facts.outages)
        self.effects += len(facts.effects)
        self.refusals += len(facts.refusals)
        self.inferred += facts.inferred
        self.repaired += [seconds / bound for _, seconds, bound in repairs(facts) if seconds > 0]
        self._note_refusals(facts)
        self._note_effects(facts)
        for law, found in judged(facts, by).items():
            self.note(law, [f"{name}: {words}" for words in found])

    def note(self, law: str, found: Sequence[str]) -> None:
        """Note what broke a law."""
        if found:
            self.broken.setdefault(law, []).extend(found)

    def _note_refusals(self, facts: Facts) -> None:
        met = [self._tried(facts, one) for one in facts.refusals]
        self.in_outage += sum(bool(outages) for outages in met)

    def _note_effects(self, facts: Facts) -> None:
        for one in facts.effects:
            outages = [met for met in self._tried(facts, one) if met.breaks and met.only is None]
            self.unnoticed += bool(outages)
            for met in outages:
                bound = blind_seconds(met, facts, one.at)
                self.blind = max(self.blind, (one.at - met.begin) / bound)

    def _tried(self, facts: Facts, one: Effect | Refusal) -> list[Outage]:
        """Return the outages in which somebody tried, and note which combinations that are."""
        found = list(_met(facts, one))
        self.tried.update((met.fault, str(facts.dependencies[met.dependency].kind), one.path) for met in found)
        return found


def _met(facts: Facts, one: Effect | Refusal) -> Iterator[Outage]:
    for outage in facts.outages:
        if outage.dependency in one.requires and outage.begin <= one.at < outage.end:
            yield outage
