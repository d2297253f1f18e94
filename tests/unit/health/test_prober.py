"""The prober: when it asks, how long it waits, and what it makes of what came back. In virtual time."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from switchgear import Guard
from switchgear.core.errors import CircuitOpen, OptionError
from switchgear.health.board import HealthBoard
from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Polarity
from switchgear.health.probe import Probe, ProbeFailed
from switchgear.health.prober import Prober
from switchgear.health.prober_lease import FileLease, Found, Report
from switchgear.health.standing import Health
from switchgear.health.traffic import TrafficWatch
from switchgear.testing import SimulatedClock, VirtualClock, run_simulated
from tests.turns import begin_tasks_at_once

Answer = Callable[[], Awaitable[str | None]]


class Remote:
    """A dependency that answers as told, and remembers when it was asked."""

    def __init__(self, clock: VirtualClock) -> None:
        """Start well."""
        self.clock = clock
        self.asked: list[float] = []
        self.error: BaseException | None = None
        self.seconds = 0.0
        self.deaf = False

    async def probe(self) -> str | None:
        """Answer after a while, or fail."""
        self.asked.append(self.clock.monotonic())
        await self._work(self.clock.monotonic() + self.seconds)
        if self.error is not None:
            raise self.error
        return "pong"

    async def _work(self, until: float) -> None:
        """Take its time, and stop when cancelled unless it is deaf."""
        deaf = self.deaf
        while (left := until - self.clock.monotonic()) > 0:
            try:
                await self.clock.sleep_async(left)
            except asyncio.CancelledError:
                if not deaf:
                    raise


def _simulate(
    main: Callable[[SimulatedClock], Awaitable[None]], *, seed: int | None = None, clock: SimulatedClock | None = None
) -> None:
    clock = clock or SimulatedClock()

    async def run() -> None:
        await main(clock)

    run_simulated(run(), seed=seed, clock=clock)


def _scene(clock: VirtualClock, **more: Probe) -> tuple[HealthBoard, Remote, Prober]:
    board = HealthBoard([Dependency("redis", kind="redis", jitter=0.0)], clock=clock)
    for name in more:
        board.declare(Dependency(name, kind="function", jitter=0.0))
    remote = Remote(clock)
    return board, remote, Prober(board, {"redis": remote.probe, **more})


async def _stop(prober: Prober, task: asyncio.Task[None]) -> None:
    prober.close()
    await task


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_from_start_to_outage_and_back(seed: int | None) -> None:
    """It asks at once, then regularly; quickly in doubt; seldom in an outage; and is back within one interval."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, prober = _scene(clock)
        task = asyncio.create_task(prober.run())
        start = clock.monotonic()
        await clock.sleep_async(25.0)
        assert [at - start for at in remote.asked] == pytest.approx([0.0, 1.0, 11.0, 21.0])
        assert board.standing("redis").reason == "probes: pong"
        remote.error = ConnectionResetError("gone")
        await clock.sleep_async(60.0)
        assert [at - start for at in remote.asked[4:]] == pytest.approx([31.0, 32.0, 33.0, 43.0, 63.0])
        standing = board.standing("redis")
        assert standing.state is Health.UNHEALTHY
        assert standing.retry_after == pytest.approx(18.0)
        assert standing.reason == "probes: no answer: ConnectionResetError: gone"
        remote.error = None
        await clock.sleep_async(19.5)
        assert board.standing("redis").vouches
        await _stop(prober, task)

    _simulate(main, seed=seed)


@pytest.mark.parametrize("creep", [0.0, 5e-05])
@pytest.mark.parametrize("seed", range(5))
def test_no_probe_comes_later_than_its_interval_and_jitter(seed: int, creep: float) -> None:
    """Looking whether time has changed something moves no probe: one that was late would let what is well go stale."""

    async def main(clock: SimulatedClock) -> None:
        options = Dependency("redis", kind="redis", jitter=0.5, probe_every=1.0, probe_timeout=0.4, freshness=2.0)
        board, remote = HealthBoard([options], clock=clock, random=Random(seed)), Remote(clock)
        changes: list[Health] = []
        board.subscribe(lambda event: changes.append(event.after))
        prober = Prober(board, {"redis": remote.probe})
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(300.0)
        await _stop(prober, task)
        gaps = [later - sooner for sooner, later in pairwise(remote.asked)]
        assert max(gaps) <= 1.5 + 1e-9 + 20 * creep
        assert changes == [Health.RECOVERING, Health.HEALTHY]

    _simulate(main, seed=seed, clock=SimulatedClock(creep=creep, early=30 * creep, random=Random(seed)))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "no answer: TimeoutError"),
        (ConnectionRefusedError("refused"), "no answer: ConnectionRefusedError: refused"),
        (ProbeFailed("-ERR"), "answered wrongly: ProbeFailed: DEPENDENCY_FAILED: -ERR"),
        (CircuitOpen(dependency="redis"), "no answer: CircuitOpen: CIRCUIT_OPEN"),
        (asyncio.CancelledError(), "no answer: somebody cancelled the probe"),
        (ValueError("-ERR"), "answered wrongly: ValueError: -ERR"),
        (PermissionError("denied"), "no answer: PermissionError: denied"),
    ],
)
def test_silence_and_wrong_answers_are_told_apart(error: BaseException, reason: str) -> None:
    """Both count against it, and people read which it was."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, prober = _scene(clock)
        remote.error = error
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(3.0)
        assert board.standing("redis").state is Health.UNHEALTHY
        assert board.standing("redis").reason.startswith(f"probes: {reason}")
        await _stop(prober, task)

    _simulate(main)


def test_a_probe_is_bounded() -> None:
    """What does not answer in its time is absent, and cancelled."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, prober = _scene(clock)
        remote.seconds = 100.0
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(2.5)
        assert "nothing within 2 s" in board.standing("redis").reason
        assert prober.abandoned == 0
        await _stop(prober, task)

    _simulate(main)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_probe_that_ignores_cancellation_is_left_behind(*, at_once: bool) -> None:
    """It is counted, never doubled, and once it has ended the dependency is probed again."""

    async def main(clock: SimulatedClock) -> None:
        if at_once:
            begin_tasks_at_once()
        board, remote, prober = _scene(clock)
        remote.seconds, remote.deaf = 100.0, True
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(60.0)
        assert (len(remote.asked), prober.abandoned) == (1, 1)
        assert board.standing("redis").reason == "probes: no answer: an earlier probe still hangs"
        remote.seconds, remote.deaf = 0.0, False
        await clock.sleep_async(600.0)
        assert board.standing("redis").vouches
        await _stop(prober, task)

    _simulate(main)


@pytest.mark.parametrize("standstill", [5.0, 3_600.0])
def test_an_answer_after_a_standstill_does_not_vouch(standstill: float) -> None:
    """A process that was paused finds an old answer: it came later than a probe may take."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, prober = _scene(clock)

        async def paused() -> str | None:
            clock.advance(standstill)
            return await remote.probe()

        board.declare(Dependency("late", kind="function"))
        prober.add("late", paused)
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(0.5)
        assert board.standing("late").age is None
        await _stop(prober, task)

    _simulate(main)


def test_an_answer_is_as_old_as_the_question() -> None:
    """What is known is known of the moment at which it was asked."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, prober = _scene(clock)
        remote.seconds = 1.5
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(1.75)
        assert board.standing("redis").age == pytest.approx(1.75)
        await _stop(prober, task)

    _simulate(main)


def test_a_standstill_before_the_board_hears_makes_no_answer_younger() -> None:
    """The machine may stand still between the last look at the clock and the telling: the question stays as old."""

    class Standing(HealthBoard):
        __slots__ = ()

        def observe(self, *told: Any, **more: Any) -> None:
            virtual = self.clock
            assert isinstance(virtual, VirtualClock)
            virtual.advance(0.5)
            super().observe(*told, **more)

    async def main(clock: SimulatedClock) -> None:
        board, remote = Standing([Dependency("redis", kind="redis", jitter=0.0)], clock=clock), Remote(clock)
        prober = Prober(board, {"redis": remote.probe})
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(5.0)
        age = board.standing("redis").age
        assert age is not None
        assert age >= clock.monotonic() - max(remote.asked)
        await _stop(prober, task)

    _simulate(main)


def test_a_probe_that_answers_otherwise_is_wrong() -> None:
    """False is no answer that anybody has defined; and what is not async is a defect that is told."""

    async def main(clock: SimulatedClock) -> None:
        async def answer() -> str | None:
            return False  # type: ignore[return-value]  # that is the point

        board, _, prober = _scene(clock, odd=answer, blocking=lambda: "pong")  # type: ignore[arg-type, return-value]  # so
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(3.0)
        assert "a probe returns a text or None, not False" in board.standing("odd").reason
        assert "answered wrongly: TypeError" in board.standing("blocking").reason
        await _stop(prober, task)

    _simulate(main)


def test_only_so_many_at_once() -> None:
    """The most overdue go first, each dependency once, and never more than allowed."""

    async def main(clock: SimulatedClock) -> None:
        running, most = 0, 0

        async def slow() -> str | None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await clock.sleep_async(1.0)
            running -= 1
            return None

        names = [f"d{number}" for number in range(7)]
        board = HealthBoard((Dependency(name, kind="tcp") for name in names), clock=clock)
        prober = Prober(board, dict.fromkeys(names, slow), at_once=3)
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(8.0)
        assert most == 3
        assert {standing.state for standing in board.standings()} == {Health.HEALTHY}
        await _stop(prober, task)

    _simulate(main)


def test_traffic_spares_probes_and_its_end_brings_them_back() -> None:
    """While calls succeed nobody probes; when they stop, probes take over before anything goes stale."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, _ = _scene(clock)
        guard = Guard("redis", clock=clock)
        prober = Prober(board, {"redis": remote.probe}, watches=[TrafficWatch(board, guard)])
        task = asyncio.create_task(prober.run())
        for _ in range(60):
            guard.permit_nowait().succeed()
            await clock.sleep_async(1.0)
        assert len(remote.asked) <= 3
        for _ in range(60):
            await clock.sleep_async(1.0)
            assert board.standing("redis").vouches
        assert len(remote.asked) >= 5
        await _stop(prober, task)

    _simulate(main)


@pytest.mark.parametrize("early", [True, False], ids=["before its probe", "after its probe"])
def test_law_5_traffic_spares_no_probe_of_what_destruction_rests_on(*, early: bool) -> None:
    """Calls that succeed without it cannot hide an outage: the probe comes in time, and has the last word."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, _ = _scene(clock)
        guard = Guard("redis", clock=clock)
        prober = Prober(board, watches=[TrafficWatch(board, guard)])
        if early:
            prober.rely_on("redis")
        prober.add("redis", remote.probe)
        if not early:
            prober.rely_on("redis")
        task = asyncio.create_task(prober.run())
        vouched = []
        for second in range(60):
            remote.error = ConnectionRefusedError("refused") if second >= 20 else None
            guard.permit_nowait().succeed()
            await clock.sleep_async(1.0)
            vouched.append(board.standing("redis").vouches)
        assert vouched[19]
        assert not any(vouched[32:])
        await _stop(prober, task)

    _simulate(main)


def test_closing_leaves_nothing() -> None:
    """A probe that runs is cancelled, nobody says when it is looked at again, and it does not start anew."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, prober = _scene(clock)
        remote.seconds = 1.5
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(1.0)
        with pytest.raises(OptionError, match="runs already"):
            await prober.run()
        await _stop(prober, task)
        assert board.standing("redis").retry_after is None
        await prober.run()
        assert len(remote.asked) == 1
        assert len(asyncio.all_tasks()) == 1

    _simulate(main)


def test_what_a_probe_says_after_the_end_is_nobodys_problem(caplog: pytest.LogCaptureFixture) -> None:
    """A probe that ignores being cancelled, and fails once its prober is gone, is not complained of."""

    async def main(clock: SimulatedClock) -> None:
        _, remote, prober = _scene(clock)
        remote.seconds, remote.deaf, remote.error = 5.0, True, ConnectionResetError()
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(1.0)
        await _stop(prober, task)
        await clock.sleep_async(60.0)
        gc.collect()

    _simulate(main)
    assert "never retrieved" not in caplog.text


def test_one_dependency_has_one_probe() -> None:
    """A second probe, one for nobody, and what cannot be called are refused."""
    board, remote, prober = _scene(VirtualClock())
    with pytest.raises(OptionError, match="has a probe already"):
        prober.add("redis", remote.probe)
    with pytest.raises(OptionError, match="no dependency 'nats'"):
        prober.add("nats", remote.probe)
    with pytest.raises(OptionError, match="async functions"):
        Prober(board, {"redis": "ping"})  # type: ignore[dict-item]  # that is the point


class TwoProcesses:
    """Two boards with a prober each, as in two processes, which share a lease."""

    def __init__(self, clock: SimulatedClock, folder: Path) -> None:
        """Start both; the first one leads."""
        self.remotes, self.boards, self.probers, self.tasks = [], [], [], []
        for _ in range(2):
            board, remote, _ = _scene(clock)
            prober = Prober(board, {"redis": remote.probe}, lease=FileLease(folder / "lease", clock=clock))
            self.remotes.append(remote)
            self.boards.append(board)
            self.probers.append(prober)
            self.tasks.append(asyncio.create_task(prober.run()))

    async def stop(self) -> None:
        """End both."""
        for prober, task in zip(self.probers, self.tasks, strict=True):
            await _stop(prober, task)


def test_one_process_probes_and_the_other_follows(tmp_path: Path) -> None:
    """Both know; only one asks. When it ends, the other takes over and nothing goes stale."""

    async def main(clock: SimulatedClock) -> None:
        pair = TwoProcesses(clock, tmp_path)
        await clock.sleep_async(25.0)
        assert [len(remote.asked) for remote in pair.remotes] == [4, 0]
        assert all(board.standing("redis").vouches for board in pair.boards)
        pair.remotes[0].error = ValueError("-ERR")
        await clock.sleep_async(12.0)
        assert {board.standing("redis").state for board in pair.boards} == {Health.UNHEALTHY}
        assert "-ERR" in pair.boards[1].standing("redis").reason
        await _stop(pair.probers[0], pair.tasks[0])
        await clock.sleep_async(25.0)
        assert len(pair.remotes[1].asked) >= 2
        assert pair.boards[1].standing("redis").vouches
        await pair.stop()

    _simulate(main)


def test_traffic_of_the_leader_spares_no_probe(tmp_path: Path) -> None:
    """Others follow its probes, and have no traffic of its own."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, _ = _scene(clock)
        guard = Guard("redis", clock=clock)
        lease, watches = FileLease(tmp_path / "lease", clock=clock), [TrafficWatch(board, guard)]
        prober = Prober(board, {"redis": remote.probe}, watches=watches, lease=lease)
        task = asyncio.create_task(prober.run())
        for _ in range(40):
            guard.permit_nowait().succeed()
            await clock.sleep_async(1.0)
        assert len(remote.asked) >= 5
        await _stop(prober, task)

    _simulate(main)


def test_a_silent_leader_is_not_believed_and_not_waited_for(tmp_path: Path) -> None:
    """A leader that is paused keeps the lock and says nothing: what it said goes stale, then this one asks."""

    async def main(clock: SimulatedClock) -> None:
        paused = FileLease(tmp_path / "lease", clock=clock)
        assert paused.acquire()
        board, remote, _ = _scene(clock)
        prober = Prober(board, {"redis": remote.probe}, lease=FileLease(tmp_path / "lease", clock=clock))
        task = asyncio.create_task(prober.run())
        await clock.sleep_async(2.0)
        for _ in range(2):
            paused.publish(Report("redis", Polarity.POSITIVE, "pong", 0.01))
            await clock.sleep_async(1.5)
        assert board.standing("redis").vouches
        await clock.sleep_async(29.0)
        assert board.standing("redis").state is not Health.HEALTHY
        assert remote.asked == []
        await clock.sleep_async(5.0)
        assert board.standing("redis").vouches
        assert len(remote.asked) == 2
        await _stop(prober, task)

    _simulate(main)


def test_in_a_thread_of_its_own() -> None:
    """A blocking program probes too: it starts, answers, and ends with `close`."""
    board = HealthBoard([Dependency("redis", kind="redis")])
    seen = threading.Event()

    async def probe() -> str | None:
        return "pong"

    board.subscribe(lambda event: seen.set() if event.after is Health.HEALTHY else None)
    prober = Prober(board, {"redis": probe}).run_in_thread()
    assert seen.wait(60.0)
    with pytest.raises(OptionError, match="thread already"):
        prober.run_in_thread()
    prober.close()
    assert board.standing("redis").retry_after is None


class _Unspeakable(Exception):
    """An error that nobody can put into words."""

    def __str__(self) -> str:
        """Raise another."""
        raise RuntimeError("no words")

    __repr__ = __str__


@pytest.mark.parametrize("error", [_Unspeakable(), SystemExit(1), SystemExit("gone")])
def test_an_error_that_cannot_be_told_is_a_wrong_answer(error: BaseException) -> None:
    """Law 5: whatever a probe raises withdraws the trust at once, ends nothing, and is not asked again in a hurry."""

    async def main(clock: SimulatedClock) -> None:
        board, remote, prober = _scene(clock)
        task = asyncio.ensure_future(prober.run())
        await clock.sleep_async(5.0)
        assert board.standing("redis").vouches
        remote.error = error
        await clock.sleep_async(10.0)
        assert not board.standing("redis").vouches
        assert len(remote.asked) < 12
        await _stop(prober, task)

    _simulate(main)


class _BrokenLease:
    """A lease that cannot be asked for, as when this process has no file descriptor left."""

    broken = True

    def acquire(self) -> bool:
        """Fail while it is broken, else hand it out."""
        if self.broken:
            raise OSError(24, "Too many open files")
        return True

    def release(self) -> None:
        """Nothing to give back."""

    def publish(self, report: Report) -> None:
        """Nobody listens."""

    def news(self) -> list[Found]:
        """Nobody speaks."""
        return []


@pytest.mark.parametrize(("heals", "seconds"), [(True, 5.0), (False, 40.0)], ids=["heals", "stays"])
def test_a_lease_that_cannot_be_asked_for_does_not_end_the_prober(
    heals: bool,  # noqa: FBT001 - a parameter of the table
    seconds: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A healthy dependency is not blocked for ever because a lease was out of order for a while, or still is."""

    async def main(clock: SimulatedClock) -> None:
        board = HealthBoard([Dependency("redis", kind="redis", jitter=0.0)], clock=clock)
        lease = _BrokenLease()
        prober = Prober(board, {"redis": Remote(clock).probe}, lease=lease, silence=30.0)
        task = asyncio.ensure_future(prober.run())
        await clock.sleep_async(5.0)
        lease.broken = not heals
        await clock.sleep_async(seconds)
        assert board.standing("redis").state is Health.HEALTHY
        await _stop(prober, task)

    _simulate(main)
    assert caplog.text.count("Too many open files") == 1


def test_a_forked_child_probes_with_the_prober_of_its_parent() -> None:
    """A child has no thread of its parent's: what it inherits can be run anew, and is not blocked for ever."""
    board = HealthBoard([Dependency("redis", kind="redis")])
    asked = threading.Event()

    async def probe() -> None:
        asked.set()

    prober = Prober(board, {"redis": probe}).run_in_thread()
    assert asked.wait(10.0)
    child = os.fork()
    if child == 0:
        asked.clear()
        prober.run_in_thread()
        os._exit(0 if asked.wait(10.0) else 1)
    _, status = os.waitpid(child, 0)
    prober.close()
    assert os.waitstatus_to_exitcode(status) == 0


def test_in_its_own_process_a_prober_still_runs_once() -> None:
    """Whoever starts it twice is told so."""
    prober = Prober(HealthBoard([])).run_in_thread()
    with pytest.raises(OptionError, match="already"):
        prober.run_in_thread()
    prober.close()
