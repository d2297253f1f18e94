"""What a caller is told who names a tool that is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.use_cases import TENANT_PERMISSIONS
from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import Denied
from switchgear.core.scope import Principal
from switchgear.execution.contract import Call, Tool
from switchgear.execution.registry import Registry
from switchgear.execution.sagas.definition import StepDefinition
from switchgear.testing import VirtualClock


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """Run a gear that knows one tool."""
    async with Switchgear.open(store="memory://", clock=VirtualClock()) as opened:

        @opened.tool("crm.update_contact", effect="keyed")
        async def update_contact(call: Call) -> str:
            return call.tenant

        yield opened


async def _refused(gear: Switchgear, tool: str, permissions: tuple[str, ...] = TENANT_PERMISSIONS) -> Denied:
    principal = Principal("acme", "person:ada", frozenset({"main"}), frozenset(permissions))
    with pytest.raises(Denied) as caught:
        await gear.control.intents.submit(principal, tool=tool, arguments={}, account="main", key="k-1")
    return caught.value


async def test_a_slip_of_the_pen_is_told_with_the_tool_that_was_meant(gear: Switchgear) -> None:
    """Who mistypes a tool reads its right name; the advice is not about ids alone."""
    refusal = await _refused(gear, "crm.update_contcat")
    assert refusal.message == "there is no tool 'crm.update_contcat'; did you mean crm.update_contact?"
    assert refusal.code is Code.NOT_FOUND
    assert "name" in FACTS[refusal.code].advice


@pytest.mark.parametrize(
    ("permissions", "words"),
    [
        (TENANT_PERMISSIONS, "there is no tool 'crm.update_contcat'; did you mean crm.update_contact?"),
        (("sagas:submit",), "there is no tool 'crm.update_contcat'"),
    ],
)
async def test_a_slip_in_a_saga_is_told_like_one_in_an_action(
    gear: Switchgear, permissions: tuple[str, ...], words: str
) -> None:
    """A step of a saga that names no tool is told with the one that was meant, to who may see the tools."""
    who = Principal("acme", "person:ada", frozenset({"main"}), frozenset(permissions))
    steps = [StepDefinition(tool="crm.update_contact", pivot=True), StepDefinition(tool="crm.update_contcat")]
    with pytest.raises(Denied) as caught:
        await gear.control.sagas.submit(who, steps=steps, key="k-1")
    assert caught.value.message == f"step crm.update_contcat: {words}"


async def test_a_tool_like_no_other_is_told_as_it_is(gear: Switchgear) -> None:
    """Nothing is guessed."""
    assert (await _refused(gear, "billing.charge")).message == "there is no tool 'billing.charge'"


async def test_who_may_not_see_the_tools_learns_no_name(gear: Switchgear) -> None:
    """A refusal tells nothing that its caller could not have asked for."""
    assert (await _refused(gear, "crm.update_contcat", ("intents:submit",))).message.endswith("'crm.update_contcat'")


def _registry(*names: str, unlisted: str = "") -> Registry:
    registry = Registry()
    for name in (*names, unlisted):
        if name:
            registry.register(Tool(name=name, requires=("crm",)), None, listed=name != unlisted)  # type: ignore[arg-type] # nothing is executed
    return registry


def test_a_tool_that_nobody_offers_is_no_suggestion() -> None:
    """What is found by its name alone is named to nobody."""
    assert _registry(unlisted="probe.kill_switch").nearest("probe.kill_swich") is None


def test_a_name_is_compared_with_a_bounded_number() -> None:
    """Law 10: a wrong name costs no time that grows with the tools; among many, those that begin alike are compared."""
    registry = _registry("z.find", *(f"crm.update_{number}" for number in range(150)), "crm.zzz_remove")
    assert registry.nearest("z.fnid") == "z.find"
    assert registry.nearest("x.find") is None
    assert registry.nearest("crm.zzz_remoev") is None
    assert registry.nearest("z.find" * 10_000) is None
