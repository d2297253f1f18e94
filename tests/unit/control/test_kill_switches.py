"""Who may trip and release what, what each caller sees, and that a whole gear keeps to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.use_cases import PERMISSIONS, TENANT_PERMISSIONS
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid, Rejected
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.contract import Call
from switchgear.gates.kill_switches.keeper import READINGS
from switchgear.gates.kill_switches.switches import KEY, SPACE, STREAM
from switchgear.ledger.events import read
from switchgear.storage.abilities import Append, Write
from switchgear.testing import VirtualClock


def tenant(name: str = "acme", actor: str = "person:ada") -> Principal:
    """Return a caller with every permission within its tenant."""
    return Principal(name, actor, frozenset({"main"}), frozenset(TENANT_PERMISSIONS))


def platform(actor: str = "person:ada", name: str = PLATFORM_TENANT) -> Principal:
    """Return a caller who acts for the platform; `name` is the tenant of its token."""
    return Principal(name, actor, frozenset(), frozenset(PERMISSIONS))


def with_tools(gear: Switchgear) -> Switchgear:
    """Register two tools of two dependencies."""

    @gear.tool("crm.update", effect="keyed", requires=("crm", "mail"))
    async def update(call: Call, number: int = 0) -> int:
        return number

    @gear.tool("search.find", effect="read_only")
    async def find(call: Call) -> str:
        return call.tenant

    return gear


@asynccontextmanager
async def running(*, start: bool = True) -> AsyncIterator[Switchgear]:
    """Run a gear in memory, on virtual time."""
    clock = VirtualClock()
    async with Switchgear.open(store="memory://", clock=clock, start=start) as opened:
        yield with_tools(opened)
        draining = asyncio.ensure_future(opened.drain(0.0))
        while not draining.done():
            await clock.elapse(1.0)


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A running gear in memory."""
    async with running() as opened:
        yield opened


async def trip(gear: Switchgear, who: Principal, target: str, mode: str = "freeze") -> int:
    """Trip a switch and return how many tools it covers."""
    return (await gear.control.kill_switches.trip(who, target, mode=mode, reason="because")).switch.tools


async def accepted(gear: Switchgear, name: str, tool: str = "search.find") -> bool:
    """Return whether a submission of a tenant is not stopped by a kill switch."""
    try:
        await gear.acting_as(tenant=name, account="main", actor="service:orders").submit(tool, {})
    except Rejected as refusal:
        return refusal.code is not Code.KILL_SWITCH_ACTIVE
    return True


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("global", False),
        ("tenant:acme", True),
        ("tenant:globex", False),
        ("connector:search", True),
        ("tool:search.find", True),
    ],
)
async def test_a_tenant_stops_itself_and_nobody_else(gear: Switchgear, target: str, *, allowed: bool) -> None:
    """Law 9: its tenant, and connectors and tools within it; what it may not set says the same for all."""
    if allowed:
        await trip(gear, tenant(), target)
    else:
        with pytest.raises(Denied) as refusal:
            await trip(gear, tenant(), target)
        assert refusal.value.code is Code.PERMISSION_DENIED
    assert await accepted(gear, "acme") is not allowed
    assert await accepted(gear, "globex")


@pytest.mark.parametrize("name", [PLATFORM_TENANT, "acme"])
@pytest.mark.parametrize(
    ("target", "stops"),
    [
        ("global", {"acme", "globex"}),
        ("tenant:globex", {"globex"}),
        ("connector:search", {"acme", "globex"}),
        ("tool:search.find", {"acme", "globex"}),
    ],
)
async def test_the_platform_stops_everybody(gear: Switchgear, name: str, target: str, stops: set[str]) -> None:
    """Whoever has `platform:kill` sets switches for all tenants, whatever tenant its token is of."""
    await trip(gear, platform(name=name), target)
    assert {one for one in ("acme", "globex") if not await accepted(gear, one)} == stops


async def test_the_platforms_name_is_not_enough(gear: Switchgear) -> None:
    """The permission counts, also for a principal of the platform itself."""
    who = Principal(PLATFORM_TENANT, "person:ada", frozenset(), frozenset({"kill:trip"}))
    with pytest.raises(Denied) as refusal:
        await trip(gear, who, "global")
    assert "platform:kill" in str(refusal.value)


@pytest.mark.parametrize(
    ("tripper", "releaser", "allowed"),
    [
        ("person:ada", "person:bob", True),
        ("person:ada", "person:ada", False),
        ("person:ada", "agent:helper", False),
        ("agent:helper", "person:ada", True),
        ("agent:helper", "agent:other", False),
        ("service:watch", "person:ada", True),
    ],
)
async def test_who_releases(gear: Switchgear, tripper: str, releaser: str, *, allowed: bool) -> None:
    """Agents may trip, never release; a person releases what another one, or a machine, has tripped."""
    await trip(gear, tenant(actor=tripper), "tenant:acme")
    release = gear.control.kill_switches.release(tenant(actor=releaser), "tenant:acme", reason="fixed")
    if allowed:
        assert (await release).scope == "tenant"
    else:
        with pytest.raises(Denied) as refusal:
            await release
        assert refusal.value.code is Code.PERMISSION_DENIED
    assert await accepted(gear, "acme") is allowed


async def test_a_tenant_does_not_release_what_the_platform_has_set(gear: Switchgear) -> None:
    """Scopes are apart: each releases its own, and to the other it is not there."""
    await trip(gear, platform(), "tenant:acme")
    with pytest.raises(Denied) as refusal:
        await gear.control.kill_switches.release(tenant(actor="person:bob"), "tenant:acme", reason="we want on")
    assert refusal.value.code is Code.NOT_FOUND
    assert not await accepted(gear, "acme")


async def test_a_single_operator_is_explicit(tmp_path: Path) -> None:
    """Only a configuration that says so lets one person do both."""
    file = tmp_path / "switchgear.toml"
    file.write_text('[store]\nurl = "memory://"\n[kill_switches]\nsingle_operator = true\n', encoding="utf-8")
    async with Switchgear.open(file) as gear:
        await trip(gear, tenant(), "tenant:acme")
        await gear.control.kill_switches.release(tenant(), "tenant:acme", reason="fixed")
        assert gear.control.kill_switches.list(tenant()).items == []


@pytest.mark.parametrize(
    ("target", "mode", "reason"),
    [("tool", "freeze", "r"), ("tenant:acme", "slow", "r"), ("tenant:acme", "freeze", " ")],
)
async def test_what_means_nothing_is_refused(gear: Switchgear, target: str, mode: str, reason: str) -> None:
    """A target, a mode and a reason are checked before anything is written."""
    with pytest.raises(Invalid):
        await gear.control.kill_switches.trip(tenant(), target, mode=mode, reason=reason)
    assert gear.control.kill_switches.list(tenant()).items == []


async def test_each_sees_what_stops_it(gear: Switchgear) -> None:
    """A tenant sees its own switches, and of the platform's those that cover it, without reason and person."""
    await trip(gear, platform(), "tenant:globex")
    await trip(gear, platform(), "connector:crm")
    await trip(gear, tenant(), "tool:crm.update", "stop_new")
    seen = {
        who.tenant: [(item.target, item.scope, item.mode, item.reason) for item in found.items]
        for who in (tenant(), tenant("globex"), platform())
        for found in [gear.control.kill_switches.list(who)]
    }
    assert seen == {
        "acme": [
            ("connector:crm", "platform", "freeze", None),
            ("tool:crm.update", "tenant", "stop_new", "because"),
        ],
        "globex": [("connector:crm", "platform", "freeze", None), ("tenant:globex", "platform", "freeze", None)],
        PLATFORM_TENANT: [
            ("connector:crm", "platform", "freeze", "because"),
            ("tenant:globex", "platform", "freeze", "because"),
        ],
    }


@pytest.mark.parametrize(
    ("target", "tools"),
    [("global", 2), ("tenant:acme", 2), ("connector:mail", 1), ("tool:search.find", 1), ("tool:serch.find", 0)],
)
async def test_the_answer_counts_the_tools_that_it_covers(gear: Switchgear, target: str, tools: int) -> None:
    """A name with a slip covers nothing, and whoever tripped it sees that at once."""
    assert await trip(gear, platform(), target) == tools


async def test_what_had_left_already_is_listed(gear: Switchgear) -> None:
    """In-flight work is told honestly: no switch calls it back, and a tenant is told of its own alone."""
    answer = asyncio.Event()

    @gear.tool("slow.act", effect="keyed")
    async def act(call: Call) -> str:
        await answer.wait()
        return "done"

    flying = {}
    for name in ("acme", "globex"):
        acting = gear.acting_as(tenant=name, account="main", actor="service:orders")
        flying[name] = await acting.submit("slow.act", {}, key="k")
    assert isinstance(gear.clock, VirtualClock)
    await gear.clock.elapse(1.0)
    own = await gear.control.kill_switches.trip(tenant(), "connector:slow", mode="freeze", reason="r")
    assert (own.in_flight_count, [item.id for item in own.in_flight]) == (1, [flying["acme"].id])
    whole = await gear.control.kill_switches.trip(platform(), "global", mode="freeze", reason="r")
    assert {item.tenant for item in whole.in_flight} == {"acme", "globex"}
    (reading,) = [read(entry) for entry in await gear.store.stream(PLATFORM_TENANT, READINGS)]
    assert (reading.type, reading.actor, reading.facts["count"]) == ("platform.in_flight_read", "person:ada", 2)
    other = await gear.control.kill_switches.trip(platform(), "tool:search.find", mode="freeze", reason="r")
    assert other.in_flight_count == 0
    answer.set()
    await gear.clock.elapse(1.0)
    assert (await flying["acme"].refresh()).state == "succeeded"


async def test_held_intents_are_counted_and_go_on_after_the_release() -> None:
    """What was frozen in its place is looked at again, and leaves by itself."""
    async with running(start=False) as gear:
        assert isinstance(gear.clock, VirtualClock)
        acting = gear.acting_as(tenant="acme", account="main", actor="service:orders")
        intent = await acting.submit("crm.update", {"number": 7}, key="k")
        await trip(gear, platform(), "connector:mail")
        gear.engine.start()
        await gear.clock.elapse(2.0)
        assert (await intent.refresh()).waiting_for == "KILL_SWITCH_ACTIVE"
        released = await gear.acting_as_platform(actor="person:bob").kill_switches.release(
            "connector:mail", reason="ok"
        )
        assert (released.held, released.scope) == (1, "platform")
        await gear.clock.elapse(5.0)
        assert (await intent.refresh()).state == "succeeded"


async def test_the_ledger_tells_who_and_why(gear: Switchgear) -> None:
    """Trip and release stand in the chain of their scope, in words that other tenants do not see."""
    acme = gear.acting_as(tenant="acme", account="main", actor="person:ada")
    await acme.kill_switches.trip("tool:crm.update", reason="wrong orders", mode="stop_new")
    await gear.acting_as(tenant="acme", account="main", actor="person:bob").kill_switches.release(
        "tool:crm.update", reason="fixed"
    )
    events = [read(entry) for entry in await gear.store.stream("acme", STREAM)]
    told = [(event.type, event.actor, event.facts["mode"], (event.payload or {})["reason"]) for event in events]
    assert told == [
        ("kill_switch.tripped", "person:ada", "stop_new", "wrong orders"),
        ("kill_switch.released", "person:bob", "stop_new", "fixed"),
    ]
    assert await gear.store.stream(PLATFORM_TENANT, STREAM) == []
    assert acme.kill_switches.list().items == []


async def test_a_restart_keeps_what_is_on(tmp_path: Path) -> None:
    """What was tripped stays tripped in the next process on the same file."""
    url = f"sqlite:///{tmp_path / 'gear.db'}"
    async with Switchgear.open(store=url) as gear:
        await trip(with_tools(gear), platform(), "connector:search")
        await trip(gear, tenant(), "tool:crm.update")
    async with Switchgear.open(store=url) as gear:
        with_tools(gear)
        assert not await accepted(gear, "globex")
        assert len(gear.control.kill_switches.list(tenant()).items) == 2


async def test_law_6_a_corrupted_row_stops_everything_and_the_gear_is_not_ready(tmp_path: Path) -> None:
    """Nobody can tell what is on, so nothing is started, and readiness says why."""
    url = f"sqlite:///{tmp_path / 'gear.db'}"
    async with Switchgear.open(store=url) as gear:
        await gear.store.append(Append("apd_1", PLATFORM_TENANT, (), (Write(SPACE, KEY, 0, b"\xff", "on"),)))
    async with Switchgear.open(store=url) as gear:
        with_tools(gear)
        with pytest.raises(Rejected) as refusal:
            await gear.acting_as(tenant="acme", account="main", actor="service:orders").submit("search.find", {})
        assert refusal.value.code is Code.KILL_SWITCH_UNREADABLE
        ready = await gear.control.readiness.check()
        assert (ready.ready, ready.parts["kill_switches"]) == (False, "KILL_SWITCH_UNREADABLE")
        seen = gear.control.kill_switches.list(tenant())
        assert (seen.readable, seen.last_proven_at) == (False, None)


async def test_the_self_probe_runs_on_its_schedule(gear: Switchgear) -> None:
    """The switches are proven at the start and every minute, and everybody can see when."""
    assert isinstance(gear.clock, VirtualClock)
    await gear.clock.elapse(45.0)
    assert gear.control.kill_switches.list(tenant()).last_proven_ago == pytest.approx(45.0)
    await gear.clock.elapse(30.0)
    seen = gear.control.kill_switches.list(tenant())
    assert seen.last_proven_ago == pytest.approx(15.0)
    assert seen.last_proven_at == pytest.approx(gear.clock.time() - 15.0)


async def test_a_self_probe_that_gets_through_stops_everything(
    gear: Switchgear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that forgot its gates is found by the probe: the gear takes nothing in and is not ready."""
    assert isinstance(gear.clock, VirtualClock)
    monkeypatch.setattr(gear.engine.kernel, "_gates", ())
    await gear.clock.elapse(60.0)
    with pytest.raises(Rejected) as refusal:
        await gear.acting_as(tenant="acme", account="main", actor="service:orders").submit("search.find", {})
    assert refusal.value.code is Code.KILL_SWITCH_UNREADABLE
    assert not (await gear.control.readiness.check()).ready


async def test_a_trip_that_covers_nothing_names_what_is_near() -> None:
    """It is set, since the tool may come later; a slip of the pen in a name shows at once, with the right one."""
    async with running(start=False) as gear:
        for slip, near in (("tool:crm.updaet", ["tool:crm.update"]), ("connector:cmr", ["connector:crm"])):
            tripped = await gear.control.kill_switches.trip(tenant(), slip, mode="freeze", reason="stop")
            assert (tripped.switch.tools, list(tripped.similar)) == (0, near)
        right = await gear.control.kill_switches.trip(tenant(), "tool:crm.update", mode="freeze", reason="stop")
        assert list(right.similar) == []
