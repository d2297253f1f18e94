"""What stands in the way of a held intent is shown as it is when somebody looks, not as it was when it was held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from switchgear import DeadlineExceeded
from switchgear.assembly import Switchgear
from switchgear.control.dependencies import DependencyView
from switchgear.control.health_views import HealthCheck
from switchgear.control.intent_views import HindranceView, IntentView
from switchgear.control.obstacles import CauseView, ObstacleView
from switchgear.control.use_cases import PERMISSIONS, TENANT_PERMISSIONS
from switchgear.core.scope import Principal
from switchgear.execution.contract import Call
from switchgear.health import Dependency, Health, Standing
from switchgear.health.modes import PollerStatistics
from switchgear.health.obstacles import not_vouched
from switchgear.testing import VirtualClock


def _principal(permissions: tuple[str, ...] = PERMISSIONS) -> Principal:
    return Principal("acme", "person:ann", frozenset({"main"}), frozenset(permissions))


@pytest.fixture
def clock() -> VirtualClock:
    """Time that stands still unless a test moves it."""
    return VirtualClock()


@pytest.fixture
async def gear(clock: VirtualClock) -> AsyncIterator[Switchgear]:
    """A gear with a destructive tool whose dependency is in doubt."""
    async with Switchgear.open(store="memory://", clock=clock) as gear:
        gear.dependency(Dependency("vault", kind="function", freshness=1e6, down_after=2))

        @gear.tool("vault.delete", destructive=True)
        async def delete(_call: Call) -> str:
            return "deleted"

        for polarity in ("positive", "positive", "absent"):
            gear.health.observe("vault", polarity, "probe", detail="timed out")
        yield gear


async def _held(gear: Switchgear, clock: VirtualClock) -> str:
    seen = await gear.control.intents.submit(_principal(), tool="vault.delete", arguments={}, account="main", key="k")
    await clock.elapse(3.0)
    return seen.intent.id


async def _seen(gear: Switchgear, intent: str, permissions: tuple[str, ...] = PERMISSIONS) -> IntentView:
    return await gear.control.intents.show(_principal(permissions), intent)


def _obstacle(view: IntentView) -> ObstacleView:
    assert view.obstacle is not None
    return view.obstacle


async def test_what_is_shown_moves_with_the_dependency(gear: Switchgear, clock: VirtualClock) -> None:
    """First it is in doubt, then it is down, then operators take it out: whoever looks is told what is true then."""
    intent = await _held(gear, clock)
    first = await _seen(gear, intent)
    assert (_obstacle(first).dependency, _obstacle(first).state) == ("vault", "healthy")
    entries = len((await gear.control.intents.events(_principal(), intent)).items)
    gear.health.observe("vault", "negative", "probe", detail="says READONLY")
    await clock.elapse(40.0)
    later = await _seen(gear, intent)
    assert (later.state, later.hindrance) == ("held", first.hindrance)
    obstacle = _obstacle(later)
    assert (obstacle.code, obstacle.state, obstacle.state_age) == ("DESTRUCTIVE_BLOCKED", "unhealthy", 40.0)
    assert "being unhealthy for 40 s" in obstacle.message
    assert obstacle.cause == CauseView(source="probe", outcome="negative", age=40.0, detail="says READONLY")
    gear.health.observe("vault", "negative", "operator", detail="moving it")
    cause = _obstacle(await _seen(gear, intent)).cause
    assert cause == CauseView(source="operator", outcome="negative", age=0.0, detail="moving it")
    listed = (await gear.control.intents.list(_principal(), state="held")).items
    assert _obstacle(listed[0]).cause == cause
    assert len((await gear.control.intents.events(_principal(), intent)).items) == entries, "nothing of it is recorded"


async def test_nothing_is_in_the_way_any_more(gear: Switchgear, clock: VirtualClock) -> None:
    """Between recovery and release it is still held, and says that nothing holds it."""
    intent = await _held(gear, clock)
    for _ in range(8):
        gear.health.observe("vault", "positive", "probe")
    view = await _seen(gear, intent)
    assert (view.state, view.obstacle) == ("held", None)


async def test_a_tenant_is_not_told_what_others_did(gear: Switchgear, clock: VirtualClock) -> None:
    """Law 9: calls may be those of other tenants, and texts may name what is theirs; a probe is nobody's call."""
    intent = await _held(gear, clock)
    seen = _obstacle(await _seen(gear, intent, TENANT_PERMISSIONS))
    assert seen.cause == CauseView(source="probe", outcome="absent", age=3.0, detail=None)
    for _ in range(2):
        gear.health.observe("vault", "absent", "call", detail="globex timed out")
    seen = _obstacle(await _seen(gear, intent, TENANT_PERMISSIONS))
    assert (seen.state, seen.cause) == ("unhealthy", CauseView(source="call", outcome="absent", age=None, detail=None))
    assert "globex" not in repr(seen)
    assert "globex" in repr(_obstacle(await _seen(gear, intent)))


async def test_a_replay_shows_the_intent_as_everybody_sees_it(gear: Switchgear, clock: VirtualClock) -> None:
    """Whatever use case shows a held intent says what holds it now."""
    intent = await _held(gear, clock)
    view = await gear.control.replays.replay(_principal(), intent, mode="verify", reason="looking")
    assert _obstacle(view.intent).dependency == "vault"


async def test_another_obstacle_is_told_without_a_dependency(gear: Switchgear, clock: VirtualClock) -> None:
    """A kill switch that is tripped meanwhile comes first, and says nothing of a dependency's evidence."""
    intent = await _held(gear, clock)
    await gear.control.kill_switches.trip(_principal(), "tool:vault.delete", mode="freeze", reason="stop")
    obstacle = _obstacle(await _seen(gear, intent))
    assert (obstacle.code, obstacle.state_age, obstacle.cause) == ("KILL_SWITCH_ACTIVE", None, None)


async def test_law_8_waiting_in_vain_says_what_holds_it(gear: Switchgear, clock: VirtualClock) -> None:
    """Whoever waits in Python is told the same as who looks: the code, the dependency, and how it stands."""
    acting = gear.acting_as(tenant="acme", account="main", actor="person:ada")
    intent = await acting.submit("vault.delete", {}, key="k")
    waiting = asyncio.create_task(intent.result(timeout=5.0))
    await clock.elapse(6.0)
    with pytest.raises(DeadlineExceeded, match=r"still held, DESTRUCTIVE_BLOCKED: .* vault does not vouch") as told:
        await waiting
    assert (told.value.dependency, told.value.sent) == ("vault", False)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.00007, "0"), (0.25, "0.25"), (46.83, "46.8"), (999.6, "1000"), (8125.0, "8125")]
)
def test_seconds_are_for_people(seconds: float, shown: str) -> None:
    """An outage of two hours is no power of ten, and one that has just begun is no string of noughts."""
    standing = Standing(name="vault", state=Health.UNHEALTHY, critical=False, age=None, state_age=seconds)
    assert f"being unhealthy for {shown} s" in not_vouched("vault", standing).refusal("vault.delete", 0).message


@pytest.mark.parametrize("kind", [ObstacleView, DependencyView, HealthCheck, Standing, PollerStatistics])
def test_since_is_a_moment_and_never_a_length_of_time(kind: type) -> None:
    """One word has one meaning: `since` is seconds since the epoch, and how long something stands is an age."""
    names = set(kind.__annotations__)
    assert "since" not in names
    assert any(name.endswith("_age") for name in names)
    assert "since" in HindranceView.__annotations__
