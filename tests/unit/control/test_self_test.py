"""The start-up self-test: what is proven, what is tried again, and what ends readiness for good."""

from __future__ import annotations

import asyncio

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.intents import Intents
from switchgear.control.self_test import LET_THROUGH, NOT_PROVEN, SelfTest, Trial
from switchgear.core.codes import Code
from switchgear.core.scope import Principal
from switchgear.gates.gate import NO_CONDITIONS
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.switches import SELF_PROBE

FROZEN = Code.KILL_SWITCH_ACTIVE


class Surface:
    """A surface that answers with `code`; `tried` counts how often it was asked."""

    def __init__(self, code: Code | None) -> None:
        """Answer with `code`."""
        self.code = code
        self.tried = 0

    async def drive(self) -> Code | None:
        """Answer."""
        self.tried += 1
        return self.code

    def trial(self, surface: str = "rest") -> Trial:
        """Return a trial of the kill switch."""
        return Trial(surface, "kill_switch", FROZEN, self.drive)


async def test_nothing_tried_is_nothing_proven() -> None:
    """A self-test without a trial does not pass."""
    assert (SelfTest().state.partition(":")[0], await SelfTest().run()) == (NOT_PROVEN, False)


async def test_what_is_refused_as_it_must_be_is_proven_once() -> None:
    """A proof is not repeated: readiness is asked often."""
    subject, surface = SelfTest(), Surface(FROZEN)
    subject.add([surface.trial()])
    assert subject.state == f"{NOT_PROVEN}: rest kill_switch not tried yet"
    assert [await subject.run() for _ in range(3)] == [True, True, True]
    assert (subject.state, subject.proven, surface.tried) == ("ok", ("rest kill_switch",), 1)


async def test_what_is_let_through_is_never_ready_again() -> None:
    """A guard that did not fire once is not trusted because it fires later."""
    subject, surface, other = SelfTest(), Surface(None), Surface(FROZEN)
    subject.add([surface.trial("rest"), other.trial("python")])
    assert not await subject.run()
    surface.code = FROZEN
    assert not await subject.run()
    assert (subject.state, subject.failed) == (f"{LET_THROUGH}: rest kill_switch", True)
    subject.add([surface.trial("rest")])
    assert not await subject.run()


async def test_another_refusal_proves_nothing_and_is_tried_again() -> None:
    """Absence is not evidence: a queue that is full hides whether the gate would have held."""
    subject, surface = SelfTest(), Surface(Code.QUEUE_FULL)
    subject.add([surface.trial()])
    assert not await subject.run()
    assert (subject.state, subject.failed) == (f"{NOT_PROVEN}: rest kill_switch QUEUE_FULL", False)
    surface.code = FROZEN
    assert await subject.run()


async def test_a_surface_that_comes_up_is_tried_before_it_is_trusted() -> None:
    """Each surface brings its trials, and one that comes up anew brings them anew."""
    subject, python, rest = SelfTest(), Surface(FROZEN), Surface(FROZEN)
    subject.add([python.trial("python")])
    await subject.run()
    for tried in (1, 2):
        subject.add([rest.trial("rest")])
        assert subject.state == f"{NOT_PROVEN}: rest kill_switch not tried yet"
        assert (await subject.run(), rest.tried, python.tried) == (True, tried, 1)


async def test_trials_are_made_one_at_a_time() -> None:
    """Many who ask for readiness at once do not multiply them."""
    subject, surface = SelfTest(), Surface(FROZEN)
    subject.add([surface.trial()])
    assert await asyncio.gather(*(subject.run() for _ in range(5))) == [True] * 5
    assert surface.tried == 1


async def test_a_gear_in_python_is_proven_before_it_is_ready() -> None:
    """SEMANTICS §12: at start a denied action is driven through Python and both gates; nothing of it stays."""
    async with Switchgear.open(store="memory://") as gear:
        proven = gear.control.readiness.self_test.proven
        assert proven == ("gates admission", "gates dispatch", "python kill_switch", "python permission")
        assert (await gear.control.readiness.check()).parts["self_test"] == "ok"
        assert [tool.name for tool in gear.engine.registry] == []
        await gear.drain(0.0)
        assert await gear.store.tenants() == []


async def test_a_kill_switch_that_lets_everything_through_is_found_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Break the gate: the gear opens, says what is wrong, and is not ready."""
    monkeypatch.setattr(KillSwitchGate, "check", lambda *_: NO_CONDITIONS)
    async with Switchgear.open(store="memory://") as gear:
        view = await gear.control.readiness.check()
        assert not view.ready
        assert view.parts["self_test"] == f"{LET_THROUGH}: gates admission, gates dispatch, python kill_switch"


async def test_a_missing_permission_that_is_not_asked_for_is_found_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Break the check of permissions: the next guard refuses, which is no proof of this one."""
    monkeypatch.setattr(Principal, "require", lambda *_: None)
    async with Switchgear.open(store="memory://") as gear:
        view = await gear.control.readiness.check()
        assert view.parts["self_test"] == f"{NOT_PROVEN}: python permission KILL_SWITCH_ACTIVE"
        assert not view.ready


async def test_a_surface_that_goes_round_the_gates_is_found_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break Python alone: the gates hold, and the surface is found all the same."""

    async def accepted(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(Intents, "submit", accepted)
    async with Switchgear.open(store="memory://") as gear:
        view = await gear.control.readiness.check()
        assert view.parts["self_test"] == f"{LET_THROUGH}: python kill_switch, python permission"


async def test_the_frozen_tool_is_frozen_for_everybody() -> None:
    """Nobody can use it to do anything, and no tenant finds it on a list."""
    async with Switchgear.open(store="memory://") as gear:
        caller = Principal("acme", "agent:a", frozenset({"main"}), frozenset({"tools:read"}))
        assert gear.control.tools.list(caller) == []
        known = gear.engine.registry.get(SELF_PROBE)
        assert known is not None
        assert not known.tool.effect.writes
