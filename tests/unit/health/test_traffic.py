"""What calls through a guard say of a dependency."""

from __future__ import annotations

import asyncio

import pytest

from switchgear import Breaker, Guard, Timeout
from switchgear.core.errors import OptionError
from switchgear.health.board import HealthBoard
from switchgear.health.dependency import Dependency
from switchgear.health.standing import Health
from switchgear.health.telling import HealthChanged
from switchgear.health.traffic import TrafficWatch
from switchgear.testing import VirtualClock


class Scene:
    """A guarded dependency, a board, and a watch between them."""

    def __init__(self, cooldown: float = 60.0) -> None:
        """Start with nothing seen."""
        self.clock = VirtualClock()
        self.guard = Guard("crm", breaker=Breaker(failures=5, cooldown=cooldown, jitter=0.0), clock=self.clock)
        self.board = HealthBoard([Dependency("crm", kind="http")], clock=self.clock)
        self.watch = TrafficWatch(self.board, self.guard)

    def calls(self, signs: str) -> None:
        """Make calls that succeed (+) or fail (-), then tick a second later."""
        for sign in signs:
            permit = self.guard.permit_nowait()
            if sign == "+":
                permit.succeed()
            else:
                permit.fail()
        self.clock.advance(1.0)
        self.watch.tick()

    @property
    def state(self) -> Health:
        """Where the dependency stands."""
        return self.board.standing("crm").state


@pytest.mark.parametrize(
    ("ticks", "state"),
    [
        ([""], Health.UNKNOWN),
        (["+"], Health.RECOVERING),
        (["+++++"], Health.RECOVERING),
        (["+", "+"], Health.HEALTHY),
        (["+", "", "+"], Health.HEALTHY),
        (["-", "--", "-"], Health.UNHEALTHY),
        (["-", "+-", "-"], Health.UNHEALTHY),
        (["++", "++", "+--", "+-", "+-"], Health.DEGRADED),
        (["++", "++", "++++-", "++++-", "++++-"], Health.HEALTHY),
    ],
)
def test_each_tick_is_one_observation(ticks: list[str], state: Health) -> None:
    """However many calls ended in it: a burst of successes is one right answer, failures beside them degrade."""
    scene = Scene()
    for signs in ticks:
        scene.calls(signs)
    assert scene.state is state


@pytest.mark.parametrize(
    ("noted_first", "ticks", "state"),
    [
        (True, [3, 3, 3], Health.UNKNOWN),
        (False, [3, 3, 3], Health.UNKNOWN),
        (True, [0, 0], Health.HEALTHY),
    ],
)
def test_law_5_successes_of_what_destroys_are_no_evidence(
    ticks: list[int], state: Health, *, noted_first: bool
) -> None:
    """Those of others still are; also one that is noted a look before the guard has counted it never turns into one."""
    scene, destructive = Scene(), [0]
    scene.watch.close()
    scene.watch = TrafficWatch(scene.board, scene.guard, destructive_successes=lambda: destructive[0])
    for count in ticks:
        destructive[0] += count
        if noted_first:
            scene.calls("")
        scene.calls("+" * (count or 1))
    assert scene.state is state


def test_law_5_what_was_noted_too_early_is_no_evidence_later() -> None:
    """A look between the note of a destructive success and its count by the guard does not make it one of others."""
    scene, destructive = Scene(), [0]
    scene.watch.close()
    scene.watch = TrafficWatch(scene.board, scene.guard, destructive_successes=lambda: destructive[0])
    scene.calls("+")
    destructive[0] += 1
    scene.calls("")
    scene.calls("+")
    early = scene.state
    scene.calls("+")
    assert (early, scene.state) == (Health.RECOVERING, Health.HEALTHY)


def test_failures_beside_successes_of_what_destroys_are_wrong_answers() -> None:
    """Nothing else succeeded meanwhile, so nothing speaks for the dependency."""
    scene = Scene()
    scene.watch.close()
    scene.watch = TrafficWatch(scene.board, scene.guard, destructive_successes=lambda: scene.guard.totals().successes)
    for _ in range(3):
        scene.calls("+++-")
    standing = scene.board.standing("crm")
    assert (standing.state, standing.reason) == (
        Health.UNHEALTHY,
        "traffic: answered wrongly: 1 of 1 calls failed, 0 by timeout",
    )


def test_a_breaker_that_opens_is_heard_at_once() -> None:
    """No tick is needed, and it holds for the cooldown, although nothing is called meanwhile."""
    scene = Scene()
    scene.calls("+")
    scene.calls("+")
    for _ in range(5):
        scene.guard.permit_nowait().fail()
    standing = scene.board.standing("crm")
    assert (standing.state, standing.reason) == (Health.UNHEALTHY, "traffic: answered wrongly: the breaker opened")
    assert standing.retry_after == 60.0
    for _ in range(59):
        scene.calls("")
        assert scene.state is Health.UNHEALTHY
    scene.clock.advance(1.0)
    scene.calls("+")
    assert scene.guard.state == "closed"
    scene.calls("+")
    assert scene.state is Health.HEALTHY


def test_a_success_is_as_old_as_the_last_look() -> None:
    """Nobody knows when in between it was, so it counts as of the earliest moment that it can have been."""
    scene = Scene()
    scene.guard.permit_nowait().succeed()
    scene.clock.advance(19.0)
    scene.calls("")
    assert scene.board.standing("crm").age == pytest.approx(20.0)


def test_successes_before_the_breaker_opened_are_forgotten() -> None:
    """They do not count afterwards, when somebody looks for the first time."""
    scene = Scene(cooldown=5.0)
    scene.guard.permit_nowait().succeed()
    for _ in range(5):
        scene.guard.permit_nowait().fail()
    scene.clock.advance(5.0)
    scene.calls("")
    assert scene.guard.state == "half_open"
    assert scene.board.standing("crm").age is None


def test_recovery_leads_through_recovering() -> None:
    """A breaker that closed again promises nothing by itself."""
    scene = Scene()
    told: list[Health] = []

    def note(event: HealthChanged) -> None:
        told.append(event.after)

    scene.board.subscribe(note)
    scene.calls("-----")
    for signs in [""] * 59 + ["+"] * 3:
        scene.calls(signs)
    assert told == [Health.UNHEALTHY, Health.RECOVERING, Health.HEALTHY]


async def test_timeouts_are_absence() -> None:
    """When all that failed ran into the guard's bound, nothing came back."""
    clock = VirtualClock()
    guard = Guard("crm", timeout=Timeout(1.0), clock=clock)
    board = HealthBoard([Dependency("crm", kind="http", down_after=1)], clock=clock)
    watch = TrafficWatch(board, guard)

    async def hang() -> None:
        await clock.sleep_async(100.0)

    async def call() -> None:
        with pytest.raises(TimeoutError):
            await guard.call(hang)

    task = asyncio.create_task(call())
    await clock.elapse(2.0)
    await task
    watch.tick()
    assert board.standing("crm").reason == "traffic: no answer: 1 of 1 calls failed, 1 by timeout"


def test_calls_before_the_watch_say_nothing() -> None:
    """Only what ends while it watches is evidence; and nothing after it was closed."""
    clock = VirtualClock()
    guard = Guard("crm", clock=clock)
    guard.permit_nowait().succeed()
    board = HealthBoard([Dependency("crm", kind="http")], clock=clock)
    watch = TrafficWatch(board, guard)
    watch.tick()
    assert board.standing("crm").age is None
    watch.close()
    with pytest.raises(OptionError, match="no dependency 'other'"):
        TrafficWatch(board, guard, name="other")


def test_keys_count_together() -> None:
    """The calls of every tenant say something of the one dependency."""
    scene = Scene()
    scene.guard.key("acme").permit_nowait().succeed()
    scene.calls("")
    scene.guard.key("globex").permit_nowait().succeed()
    scene.calls("")
    assert scene.state is Health.HEALTHY


def test_traffic_of_which_most_fails_vouches_for_nothing() -> None:
    """Law 5: one call in a hundred that succeeds is no proof of health; the look after it, without failures, is."""
    clock = VirtualClock()
    board = HealthBoard([Dependency("redis", kind="redis")], clock=clock)
    guard = Guard("redis", clock=clock)
    watch = TrafficWatch(board, guard)

    def look(*, failures: int) -> bool:
        for _ in range(failures):
            with pytest.raises(OSError, match="gone"):
                guard.call(_gone)
        guard.call(lambda: None)
        clock.advance(1.0)
        watch.tick()
        return board.standing("redis").vouches

    assert [look(failures=0), look(failures=0), look(failures=99), look(failures=0)] == [False, True, False, True]


def _gone() -> None:
    raise OSError("gone")
