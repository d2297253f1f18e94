"""Pollers that slow down, pause and come back with their dependencies. In virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from math import inf
from random import Random

import pytest

from switchgear.core.errors import OptionError
from switchgear.health import modes as modes_module
from switchgear.health.board import HealthBoard
from switchgear.health.dependency import Dependency
from switchgear.health.modes import Modes, Poller
from switchgear.health.pace import Pacing, Rhythm
from switchgear.health.release import Release, ReleaseRate
from switchgear.health.standing import Health, Standing
from switchgear.testing import SimulatedClock, VirtualClock, run_simulated

REDIS = Dependency("redis", kind="redis", freshness=1e6, degraded_after=1.0)


class Half(Random):
    """Draws a half, always."""

    def random(self) -> float:
        """Return a half."""
        return 0.5


def _standing(state: Health, since: float = 0.0) -> Standing:
    return Standing(name="redis", state=state, critical=False, age=0.0, state_age=since)


def _see(board: HealthBoard, signs: str) -> None:
    for sign in signs:
        polarity = "absent" if sign == "-" else "positive"
        board.observe("redis", polarity, "probe", seconds=5.0 if sign == "s" else 0.1)


def _modes() -> tuple[HealthBoard, Modes, VirtualClock]:
    clock = VirtualClock()
    board = HealthBoard([REDIS], clock=clock)
    _see(board, "++")
    return board, Modes(board, random=Half()), clock


def _simulate(main: Callable[[SimulatedClock, HealthBoard, Modes], Awaitable[None]]) -> None:
    clock = SimulatedClock()
    board = HealthBoard([REDIS], clock=clock)
    _see(board, "++")

    async def run() -> None:
        await main(clock, board, Modes(board, random=Half()))

    run_simulated(run(), clock=clock)


@pytest.mark.parametrize(
    ("state", "light", "heavy"),
    [
        (Health.HEALTHY, "running", "running"),
        (Health.DEGRADED, "slowed", "paused"),
        (Health.RECOVERING, "slowed", "paused"),
        (Health.UNHEALTHY, "paused", "paused"),
        (Health.UNKNOWN, "paused", "paused"),
    ],
)
def test_every_state_leaves_its_share(state: Health, light: str, heavy: str) -> None:
    """Heavy pollers pause first; nobody polls what is down or unknown."""
    for is_heavy, mode in ((False, light), (True, heavy)):
        rhythm = Rhythm(Pacing(every=10.0, heavy=is_heavy), 0.0)
        waits = rhythm.step(_standing(state), 0.0, lambda: 0.5)
        assert (rhythm.mode, waits) == (mode, 10.0 if mode == "paused" else 0.0)


def test_the_pace_in_an_outage_and_after_it() -> None:
    """Turn by turn: regular, slowed, paused, then a moment drawn by lot, then faster step by step."""
    rhythm, turns, now = Rhythm(Pacing(every=10.0, slowdown=4.0, ramp=60.0), 0.0), list[float](), 0.0
    script = [
        (30.0, Health.HEALTHY),
        (100.0, Health.DEGRADED),
        (200.0, Health.UNHEALTHY),
        (250.0, Health.RECOVERING),
        (400.0, Health.HEALTHY),
    ]
    while now < 400.0:
        state = next(state for until, state in script if now < until)
        if rhythm.step(_standing(state), now, lambda: 0.5) <= 0:
            turns.append(now)
        now += 1.0
    regular, slowed, came_back = [0.0, 10.0, 20.0], [60.0], [205.0, 245.0]
    ramp = [271.0, 291.0, 307.0, 317.0]
    assert turns[: len(regular + slowed + came_back)] == regular + slowed + came_back
    gaps = [after - before for before, after in itertools.pairwise(turns[6:])]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == 10.0
    assert turns[6] < ramp[1]
    assert rhythm.mode == "running"


def test_heavy_ones_come_back_last() -> None:
    """A heavy poller waits until the dependency has been healthy for the ramp."""
    rhythm = Rhythm(Pacing(every=10.0, heavy=True, ramp=60.0), 0.0)
    rhythm.step(_standing(Health.UNHEALTHY), 0.0, lambda: 0.0)
    assert rhythm.step(_standing(Health.HEALTHY, since=59.0), 100.0, lambda: 0.0) > 0
    assert rhythm.due == inf
    assert rhythm.step(_standing(Health.HEALTHY, since=60.0), 101.0, lambda: 0.0) == 0.0
    assert rhythm.mode == "ramping"
    assert rhythm.step(_standing(Health.HEALTHY, since=0.0), 161.0, lambda: 0.0) == 0.0, "it went on already"


@pytest.mark.parametrize("heavy", [False, True])
def test_a_start_at_which_nothing_was_wrong_is_no_recovery(*, heavy: bool) -> None:
    """Unknown and recovering is how every process begins: no poller has anything to recover from then."""
    rhythm = Rhythm(Pacing(every=10.0, heavy=heavy, ramp=60.0), 0.0)
    rhythm.step(_standing(Health.UNKNOWN), 0.0, lambda: 0.9)
    waits = rhythm.step(_standing(Health.RECOVERING), 1.0, lambda: 0.9)
    assert (waits == 0.0) is not heavy, "a light one has its first turn already"
    rhythm.step(_standing(Health.HEALTHY), 2.0, lambda: 0.9)
    assert (rhythm.mode, rhythm.due) == ("running", 12.0 if heavy else 11.0)


@pytest.mark.parametrize("found", [Health.UNHEALTHY, Health.DEGRADED])
def test_a_start_into_an_outage_is_a_recovery(found: Health) -> None:
    """Who starts while something is wrong comes back last, as everybody who is heavy does."""
    rhythm = Rhythm(Pacing(every=10.0, heavy=True, ramp=60.0), 0.0)
    for state in (Health.UNKNOWN, found, Health.RECOVERING, Health.HEALTHY):
        rhythm.step(_standing(state), 1.0, lambda: 0.0)
    paused = rhythm.mode
    waits = rhythm.step(_standing(Health.HEALTHY, since=60.0), 61.0, lambda: 0.0)
    assert (paused, waits, rhythm.mode) == ("paused", 0.0, "ramping")


def test_falling_silent_is_no_beginning() -> None:
    """What was healthy once and is unknown now has been lost: a heavy poller comes back last."""
    rhythm = Rhythm(Pacing(every=10.0, heavy=True, ramp=60.0), 0.0)
    for state in (Health.HEALTHY, Health.UNKNOWN, Health.HEALTHY):
        rhythm.step(_standing(state), 1.0, lambda: 0.0)
    assert rhythm.mode == "paused"


def test_a_heavy_poller_says_what_it_waits_for() -> None:
    """Paused because everything is healthy would be nonsense: it says how much of the ramp has passed."""

    async def main(clock: SimulatedClock, board: HealthBoard, modes: Modes) -> None:
        poller = modes.register("sessions.sync", depends_on=("redis",), every=1.0, heavy=True, ramp=60.0)
        _see(board, "---")
        task = asyncio.create_task(anext(poller))
        await clock.sleep_async(1.0)
        assert poller.statistics().because == "redis is unhealthy: probes: no answer"
        _see(board, "++")
        await clock.sleep_async(12.0)
        statistics = poller.statistics()
        said = "redis has been healthy for 12 of the 60 s of its ramp"
        assert (statistics.mode, statistics.because) == ("paused", said)
        modes.close()
        await asyncio.gather(task, return_exceptions=True)

    _simulate(main)


def test_what_is_wrong_is_named_before_what_is_only_unknown() -> None:
    """Of two that pause a poller, the one that somebody saw fail says more than one that nobody has heard of."""

    async def main(clock: SimulatedClock, board: HealthBoard, modes: Modes) -> None:
        board.declare(Dependency("crm", kind="http"))
        _see(board, "---")
        await clock.sleep_async(1.0)
        poller = modes.register("sessions.sync", depends_on=("crm", "redis"), every=1.0)
        task = asyncio.create_task(anext(poller))
        await clock.sleep_async(1.0)
        assert poller.statistics().because.startswith("redis is unhealthy")
        modes.close()
        await asyncio.gather(task, return_exceptions=True)

    _simulate(main)


def test_a_loop_pauses_and_comes_back() -> None:
    """An async loop takes its turns, none in an outage, and goes on by itself."""

    async def main(clock: SimulatedClock, board: HealthBoard, modes: Modes) -> None:
        turns: list[float] = []
        start = clock.monotonic()
        poller = modes.register("sessions.sync", depends_on=("redis",), every=5.0, ramp=0.0)

        async def poll() -> None:
            async for number in poller:
                assert number == len(turns) + 1
                turns.append(clock.monotonic() - start)

        task = asyncio.create_task(poll())
        await clock.sleep_async(11.0)
        assert turns == [0.0, 5.0, 10.0]
        _see(board, "---")
        await clock.sleep_async(50.0)
        assert len(turns) == 3
        (statistics,) = modes.statistics()
        assert (statistics.mode, statistics.next_turn, statistics.turns) == ("paused", None, 3)
        assert statistics.because == "redis is unhealthy: probes: no answer"
        _see(board, "++")
        await clock.sleep_async(4.0)
        assert turns[3:] == [pytest.approx(63.5)]
        modes.close()
        await task
        assert modes.statistics() == ()

    _simulate(main)


def test_a_pause_never_outlives_close() -> None:
    """However long the outage, a loop that waits ends at once."""

    async def main(clock: SimulatedClock, board: HealthBoard, modes: Modes) -> None:
        _see(board, "---")
        poller = modes.register("nightly", depends_on=("redis",), every=86_400.0)

        async def poll() -> int:
            return sum([1 async for _ in poller])

        task = asyncio.create_task(poll())
        await clock.sleep_async(1.0)
        before = clock.monotonic()
        modes.close()
        assert await task == 0
        assert clock.monotonic() == before
        assert poller.statistics().mode == "closed"

    _simulate(main)


def test_a_blocking_loop_takes_the_same_turns() -> None:
    """A ``for`` loop in a thread is paced as a task is."""
    _, modes, clock = _modes()
    start, turns = clock.monotonic(), list[float]()
    for number in (poller := modes.register("sync", depends_on=("redis",), every=5.0)):
        turns.append(clock.monotonic() - start)
        if number == 4:
            poller.close()
    assert turns == [0.0, 5.0, 10.0, 15.0]


def test_what_is_late_is_not_made_up_for() -> None:
    """A turn that took long is followed by one, not by all that were missed."""
    _, modes, clock = _modes()
    start, turns = clock.monotonic(), list[float]()
    for number in (poller := modes.register("sync", depends_on=("redis",), every=5.0)):
        turns.append(clock.monotonic() - start)
        if number == 1:
            clock.advance(17.0)
        if number == 3:
            poller.close()
    assert turns == [0.0, 17.0, 22.0]


def test_the_worst_dependency_counts() -> None:
    """A loop that needs two waits for both, and says which one it waits for."""

    async def main(clock: SimulatedClock, board: HealthBoard, modes: Modes) -> None:
        board.declare(Dependency("api", kind="unix_socket"))
        poller = modes.register("sync", depends_on=("redis", "api"), every=5.0)
        turn = asyncio.ensure_future(anext(poller))
        await clock.sleep_async(1.0)
        assert poller.statistics().because == "api is unknown: no right answer was ever seen"
        for _ in range(2):
            board.observe("api", "positive", "probe")
        assert await turn == 1

    _simulate(main)


def test_pollers_are_bounded_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is taken once until it is closed; there is a maximum; nothing registers after close."""
    monkeypatch.setattr(modes_module, "POLLERS_MAX", 2)
    _, modes, _ = _modes()

    def register(name: str) -> Poller:
        return modes.register(name, depends_on=("redis",), every=5.0)

    first = register("a")
    with pytest.raises(OptionError, match="registered already"):
        register("a")
    register("b")
    with pytest.raises(OptionError, match="at most 2 pollers"):
        register("c")
    first.close()
    register("c")
    modes.close()
    with pytest.raises(OptionError, match="closed"):
        register("d")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("every", 0.0),
        ("slowdown", 0.5),
        ("ramp", -1.0),
        ("heavy", 1),
        ("depends_on", ()),
        ("depends_on", "redis"),
        ("depends_on", ("nats",)),
        ("name", ""),
    ],
)
def test_a_poller_that_cannot_work_is_refused(option: str, value: object) -> None:
    """The error shows what to write."""
    options = {"name": "sync", "depends_on": ("redis",), "every": 5.0, option: value}
    with pytest.raises(OptionError, match="write for example"):
        _modes()[1].register(**options)  # type: ignore[arg-type]  # that is the point


def test_held_work_goes_behind_live_work_and_not_at_once() -> None:
    """Nothing in an outage, nothing while live work waits, and faster step by step afterwards."""
    release = Release(ReleaseRate(10.0, ramp=30.0))
    assert release.take(0.0, 0, 0.5) is None
    release.recovered(100.0, 0.5)
    assert release.take(100.0, 0, 0.5) == pytest.approx(0.5)
    gone, now = list[float](), 100.0
    while now < 160.0:
        if release.take(now, 3 if 140.0 <= now < 150.0 else 0, 0.5) == 0.0:
            gone.append(now)
        now += 1 / 64
    counts = [sum(since <= at < since + 10.0 for at in gone) for since in (100.0, 110.0, 120.0, 130.0, 140.0, 150.0)]
    assert counts[4] == 0
    assert counts[:4] == sorted(counts[:4])
    assert counts[0] <= 11
    assert max(counts) <= 101
    release.lost()
    assert release.take(now, 0, 0.5) is None


@pytest.mark.parametrize(("limit", "ramp"), [(0.0, 1.0), (float("inf"), 1.0), (1.0, -1.0)])
def test_a_rate_that_cannot_work_is_refused(limit: float, ramp: float) -> None:
    """A rate is above 0 and finite."""
    with pytest.raises(OptionError, match=r"ReleaseRate\("):
        ReleaseRate(limit, ramp)
