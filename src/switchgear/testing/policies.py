"""The conformance suite for guard policies: what holds of every one of them, as test methods that pytest collects.

A policy's tests subclass `PolicyConformance` and say how to make a guard that has it::

    class TestMyPolicy(PolicyConformance):
        def make_guard(self, clock, random):
            return Guard("dependency", bulkhead=Bulkhead(3, queue=2), clock=clock, random=random)

        def make_refusing_guard(self, clock, random):
            guard = self.make_guard(clock, random)
            for _ in range(3):
                guard.permit_nowait()
            return guard

The suite needs no plugin, never sleeps, and looks at the guard from outside only, so it fits anything `GuardLike`.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Mapping
from random import Random
from typing import NoReturn

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Rejected, SwitchgearError
from switchgear.testing.exploring import cancel_everywhere
from switchgear.testing.leaks import GuardLike, assert_idle, capacity_of
from switchgear.testing.scenes import SCENES, Scene, break_down, count_timers
from switchgear.testing.simulation import SimulatedClock, run_simulated

ROUNDS = 50
"""How often each end of a call is repeated. A guard under test must have fewer places than that."""
TIMERS_MAX = 3
"""Timers that may stay after any number of cancelled calls: those that a guard shares between its calls."""

_STEPS = 200
_WALL_JUMPS_SECONDS = (-1e9, 3_600.0, 1e9, -86_400.0)

Disturbance = Callable[[GuardLike, SimulatedClock, int], object]


class PolicyConformance:
    """Every rule that a guard keeps whatever its policies. Say how to make one; keep its limits below `ROUNDS`.

    capacity_is_fixed  False for a policy that adapts how much it lets in, so that it need not come back to the
                       same number.
    rest_seconds       virtual seconds after which the guard has recovered from whatever happened to it.
    """

    capacity_is_fixed = True
    rest_seconds = 3_600.0

    def make_guard(self, clock: Clock, random: Random) -> GuardLike:
        """Return a new guard on `clock`, with its randomness from `random`, that lets at least one call in."""
        raise NotImplementedError("say how to make a guard that has the policy under test")

    def make_refusing_guard(self, _clock: Clock, _random: Random) -> GuardLike | None:
        """Return a guard that refuses the next call; None for a policy that never refuses one."""
        return None

    # --- ends ---

    def test_every_end_gives_its_place_back(self) -> None:
        """However calls end, nothing stays held, and after a rest the guard lets calls in."""
        for end in ENDS:
            clock, guard = self._fresh()
            for _ in range(ROUNDS):
                clock.advance(self.rest_seconds)
                _outcome(end, guard, clock)
                assert_idle(guard)
            clock.advance(self.rest_seconds)
            assert capacity_of(guard) > 0, f"after {ROUNDS} calls of which each {end}, no call is let in"

    def test_a_refund_takes_everything_back(self) -> None:
        """After a call that never left, the guard lets in as many calls as before, at the same moment."""
        _, guard = self._fresh()
        before = capacity_of(guard)
        for _ in range(ROUNDS):
            guard.permit_nowait().refund()
        after = capacity_of(guard)
        assert after == before, f"{guard.name} let in {before} calls at once, and after refunds {after}"
        assert_idle(guard)

    def test_a_probe_gives_its_place_back(self) -> None:
        """However the first call after a breakdown ends, a half-open breaker without calls lets one in."""
        for end in ENDS:
            clock, guard = self._fresh()
            break_down(guard)
            clock.advance(self.rest_seconds)
            _outcome(end, guard, clock)
            if guard.state == "half_open":
                refused = _refused_by(guard)
                assert refused != "breaker", f"after a probe that {end}, no other is let in though none is out"

    # --- cancellation ---

    def test_cancellation_leaks_nothing_wherever_it_comes(self) -> None:
        """Cancelled at any await, alone, in a crowd, as a probe or between attempts, a call leaves nothing behind."""
        for name, prepare in SCENES.items():
            scene = Scene(self.make_guard, prepare, self.rest_seconds, capacity_is_fixed=self.capacity_is_fixed)
            clock = SimulatedClock()
            run_simulated(scene.leave_alone(clock), clock=clock)
            try:
                cancel_everywhere(scene.make_call, scene.check)
                scene.check_refunds()
            except AssertionError as error:
                error.add_note(f"in the scene {name!r}")
                raise

    def test_cancelled_calls_leave_no_timers_behind(self) -> None:
        """Timers of cancelled calls are cancelled: they do not pile up, alone or in a crowd."""
        for crowded in (False, True):
            clock, guard = self._fresh()
            timers = run_simulated(count_timers(guard, clock, ROUNDS, crowded=crowded), clock=clock)
            assert timers <= TIMERS_MAX, f"{ROUNDS} cancelled calls left {timers} timers running"

    # --- refusals ---

    def test_a_refusal_says_why_and_lets_nothing_out(self) -> None:
        """A refused call never runs; the error has code, policy, dependency, state, retry_after and decision."""
        clock = SimulatedClock()
        guard = self.make_refusing_guard(clock, Random(0))
        if guard is None:
            return
        before = guard.statistics()
        refusals = [_refusal_of(guard.call, _must_not_run), _refusal_of(guard.permit_nowait)]
        refusals.append(run_simulated(_refusal_of_async(guard), clock=clock))
        for refusal in refusals:
            _check_facts(guard, refusal)
        after = guard.statistics()
        assert (after.in_flight, after.waiting) == (before.in_flight, before.waiting), "a refusal kept a place"
        assert after.rejected == before.rejected + len(refusals), "refusals are not counted"
        assert len({id(refusal) for refusal in refusals}) == len(refusals), "refusals share one error"

    def test_a_refusal_survives_pickling(self) -> None:
        """What another process gets to know of a refusal is what this one knows."""
        guard = self.make_refusing_guard(SimulatedClock(), Random(0))
        if guard is None:
            return
        refusal = _refusal_of(guard.permit_nowait)
        revived = pickle.loads(pickle.dumps(refusal))  # noqa: S301 - of our own making
        assert type(revived) is type(refusal), f"{refusal!r} became {revived!r}"
        assert revived.to_dict() == refusal.to_dict(), f"{refusal.to_dict()} became {revived.to_dict()}"
        assert str(revived) == str(refusal), f"{refusal} became {revived}"

    # --- listeners, clocks, readers ---

    def test_a_raising_listener_never_reaches_the_call(self) -> None:
        """With a listener that raises, every call ends as it would without, refused ones too."""

        def subscribe(guard: GuardLike, _clock: SimulatedClock, step: int) -> None:
            if step == 0:
                guard.subscribe(_raise)

        self._assert_unmoved(subscribe)
        guard = self.make_refusing_guard(SimulatedClock(), Random(0))
        if guard is not None:
            guard.subscribe(_raise)
            _refusal_of(guard.permit_nowait)
            assert guard.statistics().listener_errors > 0, "a listener that raised was not counted"

    def test_wall_clock_jumps_change_nothing(self) -> None:
        """Decisions rest on monotonic time: a wall clock that is set forward and back goes unnoticed."""

        def jump(_guard: GuardLike, clock: SimulatedClock, step: int) -> None:
            clock.jump_wall(_WALL_JUMPS_SECONDS[step % len(_WALL_JUMPS_SECONDS)])

        self._assert_unmoved(jump)

    def test_reading_changes_nothing(self) -> None:
        """Statistics, state and text may be read at any time: no probe, place or token is used up."""

        def read(guard: GuardLike, _clock: SimulatedClock, _step: int) -> None:
            repr((guard.statistics(), guard.state, guard))

        self._assert_unmoved(read)

    # --- what they are made of ---

    def _fresh(self) -> tuple[SimulatedClock, GuardLike]:
        clock = SimulatedClock()
        return clock, self.make_guard(clock, Random(0))

    def _assert_unmoved(self, disturb: Disturbance) -> None:
        """Check that a disturbance changes no end of any call."""
        for told, disturbed in zip(self._story(_nothing_happens), self._story(disturb), strict=True):
            assert disturbed == told, f"undisturbed, call {told}; disturbed, call {disturbed}"

    def _story(self, disturb: Disturbance) -> list[str]:
        """Tell how a fixed mix of calls ends while `disturb` does its work before each of them."""
        clock = SimulatedClock()
        guard = self.make_guard(clock, _Steady())
        draws = Random(1)
        lines = []
        for step in range(_STEPS):
            clock.advance(draws.choice((0.0, 0.01, 1.0, 30.0)))
            end = draws.choice(tuple(ENDS))
            disturb(guard, clock, step)
            lines.append(f"{step} {end}: {_outcome(end, guard, clock)}")
        return lines


class _Steady(Random):
    """Randomness that always says one half: how often it is asked must not matter to a story."""

    def random(self) -> float:
        """Return one half."""
        return 0.5


# --- how calls end, and what they say ---


def _work() -> str:
    return "done"


def _break() -> NoReturn:
    raise ConnectionError("broken")


async def _work_async() -> str:
    return "done"


async def _break_async() -> NoReturn:
    raise ConnectionError("broken")


ENDS: Mapping[str, Callable[[GuardLike, SimulatedClock], object]] = {
    "succeeds": lambda guard, _: guard.permit_nowait().succeed(),
    "fails": lambda guard, _: guard.permit_nowait().fail(),
    "is ignored": lambda guard, _: guard.permit_nowait().ignore(),
    "is refunded": lambda guard, _: guard.permit_nowait().refund(),
    "returns": lambda guard, _: guard.call(_work),
    "raises": lambda guard, _: guard.call(_break),
    "is awaited and returns": lambda guard, clock: run_simulated(guard.call(_work_async), clock=clock),
    "is awaited and raises": lambda guard, clock: run_simulated(guard.call(_break_async), clock=clock),
}
"""The ways in which a call can end, by what is said of it."""


def _outcome(end: str, guard: GuardLike, clock: SimulatedClock) -> str:
    """Let a call end and say how: the value, or the error without what differs between two runs."""
    try:
        return repr(ENDS[end](guard, clock))
    except SwitchgearError as error:
        return json.dumps(error.to_dict())
    except ConnectionError as error:
        return repr(error)


def _refused_by(guard: GuardLike) -> str:
    """Return the policy that refuses a call now, or nothing."""
    try:
        guard.permit_nowait().refund()
    except Rejected as refusal:
        return refusal.policy
    return ""


def _nothing_happens(_guard: GuardLike, _clock: SimulatedClock, _step: int) -> None:
    """Disturb nothing."""


def _raise(event: object) -> NoReturn:
    raise RuntimeError(f"a listener that raises on {event!r}")


def _must_not_run() -> NoReturn:
    raise AssertionError("a refused call has run")


async def _must_not_run_async() -> NoReturn:
    raise AssertionError("a refused call has run")


def _refusal_of(call: Callable[..., object], *args: object) -> Rejected:
    """Return the refusal that the call ends in."""
    try:
        call(*args)
    except Rejected as refusal:
        return refusal
    raise AssertionError("the guard did not refuse the call")


async def _refusal_of_async(guard: GuardLike) -> Rejected:
    """Return the refusal that an async call ends in."""
    try:
        await guard.call(_must_not_run_async)
    except Rejected as refusal:
        return refusal
    raise AssertionError("the guard did not refuse the call")


def _check_facts(guard: GuardLike, refusal: Rejected) -> None:
    """Check that a refusal has the facts that every surface shows."""
    assert isinstance(refusal.code, Code), f"{refusal!r} has no code of the table"
    assert refusal.policy, f"{refusal!r} names no policy"
    assert refusal.state, f"{refusal!r} names no state"
    assert guard.name in refusal.dependency, f"{refusal!r} does not name the dependency {guard.name}"
    assert refusal.decision in ("reject", "defer"), f"{refusal!r} neither rejects nor defers"
    assert refusal.retry_after is None or 0 <= refusal.retry_after < math.inf, f"{refusal!r} has an odd retry_after"
    facts = refusal.to_dict()
    assert json.loads(json.dumps(facts)) == facts, f"{refusal!r} does not fit into JSON"
    assert {"code", "policy", "dependency", "state", "retry_after", "decision"} <= facts.keys(), f"{facts} lacks some"
