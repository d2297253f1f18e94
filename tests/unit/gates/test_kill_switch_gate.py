"""The gate of kill switches: what is stopped where, what a pass rests on, and when it is closed."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec import structs

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.gates.gate import GateRequest, Stage
from switchgear.gates.kill_switches import gate as gate_module
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.probe import SelfProbe
from switchgear.gates.kill_switches.switches import KEY, NO_SWITCHES, SPACE, Mode, Switch, Switches
from switchgear.storage.abilities import Expect

REQUEST = GateRequest(
    stage=Stage.ADMISSION,
    intent_id="int_1",
    tenant="acme",
    account="main",
    actor="service:orders",
    tool="crm.update",
    contract="",
    requires=("crm", "mail"),
    effect=Effect.KEYED,
    destructive=False,
    cost=1,
    payload="",
    at=0.0,
    deadline_at=60.0,
)
DISPATCH = structs.replace(REQUEST, stage=Stage.DISPATCH)
MODES = (None, Mode.STOP_NEW, Mode.FREEZE)


def switches(**modes: Mode) -> Switches:
    """Return switches that are on, by target with ``__`` for its colon."""
    targets = {name.replace("__", ":"): mode for name, mode in modes.items()}
    return Switches({target: Switch(target, mode, "", ("person:ada",), 1.0) for target, mode in targets.items()})


def gate_with(platform: Switches = NO_SWITCHES, tenant: Switches | None = None) -> KillSwitchGate:
    """Return a gate that has been told what is on."""
    gate = KillSwitchGate(VirtualClock())
    gate.learn(PLATFORM_TENANT, 4, platform)
    if tenant is not None:
        gate.learn("acme", 2, tenant)
    return gate


def stopped(gate: KillSwitchGate, request: GateRequest) -> Code | None:
    """Return the code of the refusal, None when it passes."""
    try:
        gate.check(request)
    except Rejected as refusal:
        return refusal.code if refusal.policy == "kill_switch" else None
    return None


@pytest.mark.parametrize("target", ["global", "tenant__acme", "connector__crm", "connector__mail", "tool__crm.update"])
@pytest.mark.parametrize("own", [False, True], ids=["of the platform", "of the tenant"])
def test_each_mode_stops_its_stages(target: str, *, own: bool) -> None:
    """stop_new refuses what is new and lets go on what was accepted; freeze stops both."""
    for mode, admission, dispatch in ((Mode.STOP_NEW, True, False), (Mode.FREEZE, True, True)):
        on = switches(**{target: mode})
        gate = gate_with(NO_SWITCHES, on) if own else gate_with(on)
        assert (stopped(gate, REQUEST) is Code.KILL_SWITCH_ACTIVE) is admission
        assert (stopped(gate, DISPATCH) is Code.KILL_SWITCH_ACTIVE) is dispatch


@pytest.mark.parametrize("target", ["tenant__globex", "connector__search", "tool__crm"])
def test_what_is_not_covered_passes(target: str) -> None:
    """A switch stops what it names and nothing else."""
    assert stopped(gate_with(switches(**{target: Mode.FREEZE})), REQUEST) is None


def test_the_strictest_over_all_levels_wins() -> None:
    """Whatever the others say, one freeze at any level of any scope holds, and one stop_new refuses what is new."""
    levels = ("global", "tenant__acme", "connector__crm", "connector__mail", "tool__crm.update")
    for modes in product(MODES, repeat=len(levels)):
        on = {level: mode for level, mode in zip(levels, modes, strict=True) if mode is not None}
        gate = gate_with(
            switches(**{name: mode for name, mode in on.items() if name in levels[::2]}),
            switches(**{name: mode for name, mode in on.items() if name in levels[1::2]}),
        )
        assert (stopped(gate, REQUEST) is not None) is bool(on)
        assert (stopped(gate, DISPATCH) is not None) is (Mode.FREEZE in on.values())


def test_the_refusal_names_the_switch_and_not_the_reason() -> None:
    """Why the platform stopped something is not for every tenant to read."""
    on = Switches({"connector:crm": Switch("connector:crm", Mode.FREEZE, "globex leaks", ("person:ada",), 1.0)})
    with pytest.raises(Rejected) as refusal:
        gate_with(on).check(REQUEST)
    facts = refusal.value.to_dict()
    assert (facts["code"], facts["dependency"], facts["state"]) == ("KILL_SWITCH_ACTIVE", "crm", "freeze")
    assert "connector:crm" in facts["message"]
    assert "globex" not in facts["message"]


def test_law_9_a_tenants_switches_touch_nobody_else() -> None:
    """What one tenant freezes, even everything of its own, goes on for the others."""
    on = switches(**dict.fromkeys(("global", "connector__crm", "tool__crm.update"), Mode.FREEZE))
    gate = gate_with(NO_SWITCHES, on)
    assert stopped(gate, DISPATCH) is Code.KILL_SWITCH_ACTIVE
    assert stopped(gate, structs.replace(DISPATCH, tenant="globex")) is None


def test_a_pass_rests_on_both_rows_at_their_versions() -> None:
    """A switch that changes before the append is written makes it fail; 0 is a row that must not exist."""
    gate = gate_with()
    platform, own = (Expect(SPACE, tenant, KEY, version) for tenant, version in ((PLATFORM_TENANT, 4), ("acme", 0)))
    conditions = gate.check(DISPATCH)
    assert (conditions.expects, dict(conditions.facts)) == ((platform, own), {"kill_switch": [4, 0]})
    assert gate.check(REQUEST) is conditions
    gate.learn("acme", 1, NO_SWITCHES)
    assert gate.check(REQUEST).facts == {"kill_switch": [4, 1]}


def test_law_10_ready_made_conditions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tenants act, only so many are kept; the others are made anew and mean the same."""
    monkeypatch.setattr(gate_module, "TENANTS_AT_HAND", 2)
    gate = gate_with()
    seen = [gate.check(structs.replace(REQUEST, tenant=f"t{number}")).expects[1].tenant for number in range(5)]
    assert seen == [f"t{number}" for number in range(5)]


def test_law_6_a_gate_that_was_told_nothing_is_closed() -> None:
    """Before the switches are read nobody can tell, so nothing is started."""
    assert stopped(KillSwitchGate(VirtualClock()), REQUEST) is Code.KILL_SWITCH_UNREADABLE


def test_law_6_a_version_that_goes_back_closes() -> None:
    """Something was taken back behind our back: for a tenant it closes that tenant, for the platform everything."""
    gate = gate_with(NO_SWITCHES, NO_SWITCHES)
    gate.learn("acme", 1, NO_SWITCHES)
    assert stopped(gate, REQUEST) is Code.KILL_SWITCH_UNREADABLE
    assert stopped(gate, structs.replace(REQUEST, tenant="globex")) is None
    gate.learn("acme", 2, NO_SWITCHES)
    assert stopped(gate, REQUEST) is None
    gate.learn(PLATFORM_TENANT, 3, NO_SWITCHES)
    assert stopped(gate, structs.replace(REQUEST, tenant="globex")) is Code.KILL_SWITCH_UNREADABLE


def test_law_6_what_was_not_heard_of_for_too_long_is_closed() -> None:
    """With others on the store, what is older than the bound counts for nothing; without, memory is the truth."""
    clock = VirtualClock()
    gate, own = KillSwitchGate(clock, stale_after=2.0), KillSwitchGate(clock)
    for one in (gate, own):
        one.learn(PLATFORM_TENANT, 0, NO_SWITCHES)
    clock.advance(2.0)
    assert stopped(gate, REQUEST) is None
    clock.advance(0.1)
    assert stopped(gate, REQUEST) is Code.KILL_SWITCH_UNREADABLE
    assert stopped(own, REQUEST) is None
    gate.heard()
    assert stopped(gate, REQUEST) is None


def probe_of(gate: KillSwitchGate, clock: VirtualClock) -> SelfProbe:
    """Return a self-probe of the gate at both stages."""
    return SelfProbe(gate, dict.fromkeys(Stage, gate.check), clock=clock, every=60.0)


def test_the_self_probe_proves_that_the_gate_stops() -> None:
    """A made-up action that is always frozen is refused at both stages; when that was is remembered."""
    clock = VirtualClock()
    gate = gate_with()
    probe = probe_of(gate, clock)
    proven = [probe.proven_at]
    probe.prove()
    assert [*proven, probe.proven_at, gate.broken] == [None, clock.time(), None]


def test_the_self_probe_proves_nothing_on_a_closed_gate() -> None:
    """A gate that refuses everything says nothing of its switches."""
    gate = KillSwitchGate(VirtualClock())
    probe = probe_of(gate, VirtualClock())
    probe.prove()
    assert (probe.proven_at, gate.broken) == (None, None)


@pytest.mark.parametrize("stage", Stage)
def test_a_self_probe_that_gets_through_closes_everything(stage: Stage) -> None:
    """A gate that no longer stops, or that is not asked at one place any more, is broken for good."""
    gate = gate_with()
    ask = {**dict.fromkeys(Stage, gate.check), stage: lambda _: gate_with().check(REQUEST)}
    SelfProbe(gate, ask, clock=VirtualClock(), every=60.0).prove()
    assert str(stage) in (gate.broken or "")
    assert stopped(gate, REQUEST) is Code.KILL_SWITCH_UNREADABLE
    gate.learn(PLATFORM_TENANT, 9, NO_SWITCHES)
    assert not gate.readable_for("acme")
