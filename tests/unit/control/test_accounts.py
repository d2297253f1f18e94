"""Which account is meant where a caller leaves it out: one rule for intents, keys and sagas, within one tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.accounts import scope_for
from switchgear.control.use_cases import TENANT_PERMISSIONS, Control
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid, Rejected
from switchgear.core.scope import Principal, Scope
from switchgear.execution.contract import Call
from switchgear.execution.sagas.definition import StepDefinition

TOOL = "crm.update"


def principal(*accounts: str, tenant: str = "acme") -> Principal:
    """Return a caller who may do everything within a tenant, for these accounts."""
    return Principal(tenant, "service:orders", frozenset(accounts), frozenset(TENANT_PERMISSIONS))


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    """The use cases of a gear in memory that knows one tool."""
    async with Switchgear.open(store="memory://", start=False) as gear:

        @gear.tool(TOOL, effect="keyed", compensate=TOOL)
        async def update(call: Call) -> None:
            """Do nothing."""

        yield gear.control


async def submit(control: Control, who: Principal, **said: Any) -> str:
    """Submit an action, and return its account."""
    return (await control.intents.submit(who, tool=TOOL, arguments={}, key="order-17", **said)).view.account


async def submit_saga(control: Control, who: Principal, **said: Any) -> str:
    """Submit a saga, and return its account."""
    return (await control.sagas.submit(who, steps=[StepDefinition(tool=TOOL)], key="order-17", **said)).account


async def show_by_key(control: Control, who: Principal, **said: Any) -> str:
    """Return the account of the action that a key is bound to."""
    return (await control.intents.show_by_key(who, tool=TOOL, key="order-17", **said)).account


Ask = Callable[..., Awaitable[str]]
EVERYWHERE = pytest.mark.parametrize("ask", [submit, submit_saga, show_by_key])


@EVERYWHERE
async def test_the_only_account_of_a_token_need_not_be_said(control: Control, ask: Ask) -> None:
    """Who has one account acts for it; saying it makes no difference, so a repeat finds the first request."""
    await submit(control, principal("branch"), account="branch")
    assert await ask(control, principal("branch")) == "branch"


@EVERYWHERE
async def test_who_has_several_accounts_says_which(control: Control, ask: Ask) -> None:
    """Nothing is guessed, and nothing is recorded: the refusal names what there is to choose from."""
    with pytest.raises(Invalid, match="say which account: this token has branch, main") as refusal:
        await ask(control, principal("main", "branch"))
    assert refusal.value.code is Code.INVALID_ARGUMENT


@EVERYWHERE
async def test_who_has_no_account_acts_for_none(control: Control, ask: Ask) -> None:
    """A token without an account is refused as one that lacks a right, whatever it leaves out."""
    with pytest.raises(Denied) as refusal:
        await ask(control, principal())
    assert refusal.value.code is Code.PERMISSION_DENIED


async def test_law_9_an_account_that_is_left_out_is_never_anothers(control: Control) -> None:
    """Two tenants whose only accounts have one name use two keys, and neither sees what the other did."""
    await submit(control, principal("main"))
    with pytest.raises(Denied):
        await show_by_key(control, principal("main", tenant="globex"))
    assert scope_for(principal("main", tenant="globex"), None) == Scope("globex", "main", "service:orders")


def test_many_accounts_are_named_in_part() -> None:
    """Law 10: the refusal of a token with hundreds of accounts is still a line."""
    with pytest.raises(Rejected, match=r"a00, .*, a09 and 90 more$"):
        scope_for(principal(*(f"a{number:02}" for number in range(100))), None)
