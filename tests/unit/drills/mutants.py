"""Gates, boards and probers that read silence as health on purpose, each by one change: the judge must see every one.

A mutant changes names of `switchgear.health` for as long as a test lasts. Each is what somebody could plausibly write.
"""

# ruff: noqa: ANN401, SLF001 - a mutant reaches inside what it changes, and passes on whatever it is given

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from switchgear.health import board, findings, line, machine, permit, prober, schedule
from switchgear.health import gate as gates
from switchgear.health.destructive import Door
from switchgear.health.evidence import Polarity
from switchgear.health.findings import Confirmed, Witness
from switchgear.health.gate import DestructiveGate
from switchgear.health.machine import HealthMachine
from switchgear.health.permit import Permit
from switchgear.health.prober import Prober
from switchgear.health.standing import Health, Standing
from switchgear.health.traffic import TrafficWatch
from switchgear.health.transitions import TRANSITIONS, Move

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change, the laws of which at least one has to break, and the seed to begin at, near one that shows it."""

    name: str
    breaks: frozenset[str]
    apply: Patch
    seed: int


MUTANTS: list[Mutant] = []


def mutant(*breaks: str, seed: int = 1) -> Callable[[Patch], Patch]:
    """Enter a change into the list, with what its verdict must say."""

    def enter(apply: Patch) -> Patch:
        MUTANTS.append(Mutant(apply.__name__, frozenset(breaks), apply, seed))
        return apply

    return enter


# -- The gate --------------------------------------------------------------------------------------------------


def _without(patch: pytest.MonkeyPatch, allowed: Callable[[Any], bool]) -> None:
    """Let the gate overlook obstacles that are `allowed`."""
    real = DestructiveGate._obstacle

    def obstacle(self: DestructiveGate, requires: tuple[str, ...], reason: object) -> Any:
        found = real(self, requires, reason)
        return None if found is not None and allowed(found) else found

    patch.setattr(DestructiveGate, "_obstacle", obstacle)


@mutant("told", "unnoticed")
def the_gate_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    """Where dependencies stand does not matter."""
    _without(patch, lambda found: found.kind == "not_vouched")


@mutant("told", "unnoticed")
def the_gate_asks_the_first_only(patch: pytest.MonkeyPatch) -> None:
    """The second dependency that is required does not count."""
    real = DestructiveGate._obstacle
    patch.setattr(DestructiveGate, "_obstacle", lambda self, requires, reason: real(self, requires[:1], reason))


@mutant("told", "unnoticed", "unfounded")
def unknown_is_as_good_as_healthy(patch: pytest.MonkeyPatch) -> None:
    """What nobody knows is taken to be well."""
    states = {Health.HEALTHY, Health.UNKNOWN}
    patch.setattr(Standing, "vouches", property(lambda self: self.state in states and not self.doubted))


@mutant("unfounded")
def recovering_is_as_good_as_healthy(patch: pytest.MonkeyPatch) -> None:
    """One lucky answer vouches."""
    states = {Health.HEALTHY, Health.RECOVERING}
    patch.setattr(Standing, "vouches", property(lambda self: self.state in states and not self.doubted))


@mutant("told")
def a_doubt_does_not_count(patch: pytest.MonkeyPatch) -> None:
    """The first wrong answer changes nothing, as long as the state has not changed."""
    patch.setattr(Standing, "vouches", property(lambda self: self.state is Health.HEALTHY))


@mutant("unreasoned")
def an_inferred_reason_is_a_reason(patch: pytest.MonkeyPatch) -> None:
    """A timeout authorises."""
    _without(patch, lambda found: found.kind in {"inferred", "no_reason"})


@mutant("unreasoned")
def a_reason_never_grows_old(patch: pytest.MonkeyPatch) -> None:
    """What was confirmed once holds for ever."""
    patch.setattr(DestructiveGate, "_aged", lambda _self, _reason: None)


@mutant("unheeded")
def a_switch_that_cannot_be_read_is_off(patch: pytest.MonkeyPatch) -> None:
    """The kill switch fails open."""
    _without(patch, lambda found: found.kind == "switch_unreadable")


@mutant("unheeded")
def the_kill_switch_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    """Whether somebody has stopped everything does not matter."""
    patch.setattr(gates, "_switched", lambda _switch: None)


# -- Asking again ----------------------------------------------------------------------------------------------


@mutant("told", "unnoticed", "unfounded")
def a_permit_is_good_until_its_end(patch: pytest.MonkeyPatch) -> None:
    """The gate is asked when the block begins, and never again."""
    patch.setattr(Permit, "check", lambda _self: None)


@mutant("told", "unnoticed", "unfounded", "unreasoned", "unheeded")
def each_asks_before_the_first_item_only(patch: pytest.MonkeyPatch) -> None:
    """Once a loop has begun, it goes on."""

    def each(self: Permit, items: Iterable[Any]) -> Iterator[Any]:
        self.check()
        yield from items

    async def each_async(self: Permit, items: Any) -> Any:
        self.check()
        async for item in items:
            yield item

    patch.setattr(permit.Permit, "_each", each)
    patch.setattr(permit.Permit, "_each_async", each_async)


@mutant("told", "unnoticed", "unfounded")
def a_function_is_asked_for_at_its_begin_only(patch: pytest.MonkeyPatch) -> None:
    """Later steps of a generator, and what an async function asks after a wait, pass."""
    real = Door.check

    def check(self: Door, reason: object, done: int = -1) -> None:
        if done == 0:
            real(self, reason)

    def enter(self: Door, args: Any, kwargs: Any) -> object:
        place = self._place
        reason: object = args[place] if len(args) > place else kwargs.get(self._name)
        check(self, reason, 0)
        return reason

    patch.setattr(Door, "check", check)
    patch.setattr(Door, "enter", enter)


# -- Where a reason comes from ---------------------------------------------------------------------------------


@mutant("unreasoned")
def silence_confirms(patch: pytest.MonkeyPatch) -> None:
    """An error of the question is taken for the answer that everybody is gone."""

    def confirmed(self: Witness, _error: Exception | None) -> Confirmed[Any]:
        return findings._mint(("session-alive",), self.source, findings._now(self._clock), self._clock)

    patch.setattr(Witness, "_inferred", confirmed)


# -- What is known ---------------------------------------------------------------------------------------------


@mutant("unnoticed", "unfounded")
def what_was_right_once_stays_right(patch: pytest.MonkeyPatch) -> None:
    """Right answers never grow old."""
    patch.setattr(machine, "silent_at", lambda _line, _source, _options: inf)


@mutant("unfounded")
def one_answer_is_enough(patch: pytest.MonkeyPatch) -> None:
    """A dependency is healthy by its first right answer."""
    patch.setattr(HealthMachine, "needed", lambda _self, _now: 1)


@mutant("disordered")
def an_outage_is_over_at_once(patch: pytest.MonkeyPatch) -> None:
    """From unhealthy it goes straight to healthy."""
    table = {**TRANSITIONS, Move.ANSWERED: (TRANSITIONS[Move.ANSWERED][0], Health.HEALTHY)}
    patch.setattr(line, "TRANSITIONS", table)


@mutant("told", "unfounded")
def green_probes_clear_failing_traffic(patch: pytest.MonkeyPatch) -> None:
    """The best of all sources counts."""
    patch.setattr(machine, "_WORST_FIRST", tuple(reversed(machine._WORST_FIRST)))
    patch.setattr(Standing, "vouches", property(lambda self: self.state is Health.HEALTHY))


@mutant("unheeded")
def what_a_person_says_is_overheard(patch: pytest.MonkeyPatch) -> None:
    """A dependency that a person has taken out stays in."""
    patch.setattr(HealthMachine, "_command", lambda _self, _evidence, _now: ())


@mutant("told", "unfounded")
def readers_see_what_was_read_before(patch: pytest.MonkeyPatch) -> None:
    """What was read is kept for a while, whatever is observed meanwhile."""
    patch.setattr(board, "_READ_AGAIN_SECONDS", 2.0)
    real = board.HealthBoard._plan

    def plan(self: board.HealthBoard, slot: Any, now: float) -> None:
        seen = slot.seen
        real(self, slot, now)
        slot.seen = seen

    patch.setattr(board.HealthBoard, "_plan", plan)


# -- Who looks -------------------------------------------------------------------------------------------------


@mutant("unnoticed", seed=55)
def nobody_probes_what_was_well(patch: pytest.MonkeyPatch) -> None:
    """The next probe comes when what is known has gone stale, and not before."""

    def later(known: HealthMachine, *given: Any, **named: Any) -> float:
        return max(schedule.next_probe(known, *given, **named), known.due if known.state is Health.HEALTHY else 0.0)

    patch.setattr(board, "next_probe", later)


@mutant("unfounded", "unnoticed", seed=15)
def a_probe_without_an_answer_is_a_right_one(patch: pytest.MonkeyPatch) -> None:
    """Only a wrong answer counts against a dependency."""
    real = Prober._answer

    async def answer(self: Prober, name: str) -> tuple[Polarity, str]:
        polarity, detail = await real(self, name)
        return (Polarity.POSITIVE if polarity is Polarity.ABSENT else polarity), detail

    patch.setattr(prober.Prober, "_answer", answer)


@mutant("late", "held for nothing", seed=15)
def nobody_looks_whether_it_is_back(patch: pytest.MonkeyPatch) -> None:
    """Probes back off, and a recovery is not looked at more closely."""
    patch.setattr(schedule, "_is_urgent", lambda _machine: False)


@mutant("unnoticed", seed=24)
def calls_that_failed_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """Traffic tells of what succeeded, and of nothing else."""
    patch.setattr(TrafficWatch, "_observe", lambda _self, _polarity, _detail: None)
