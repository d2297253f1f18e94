"""Asking for an action by its idempotency key: whose key it is, and which account is meant."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.intents import Intents
from switchgear.control.use_cases import PERMISSIONS
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid
from switchgear.core.scope import Principal
from switchgear.execution.contract import Call

KEY = {"tool": "crm.update", "key": "order-17"}


def principal(
    tenant: str = "acme", accounts: tuple[str, ...] = ("main",), permissions: tuple[str, ...] = PERMISSIONS
) -> Principal:
    """Return a caller of a tenant."""
    return Principal(tenant, "service:orders", frozenset(accounts), frozenset(permissions))


@pytest.fixture
async def intents() -> AsyncIterator[Intents]:
    """The use cases of a gear in memory where the account main of acme has used the key order-17."""
    async with Switchgear.open(store="memory://", start=False) as gear:

        @gear.tool("crm.update", effect="keyed")
        async def update(call: Call) -> None:
            """Do nothing."""

        await gear.control.intents.submit(principal(), tool="crm.update", arguments={}, account="main", key="order-17")
        yield gear.control.intents


async def test_law_9_a_foreign_key_and_a_missing_one_are_the_same_answer(intents: Intents) -> None:
    """Another tenant's key looks like one that was never used, word for word; so does that of another account."""
    answers = []
    for who, account, key in (
        (principal("globex"), "main", "order-17"),
        (principal("globex"), "main", "order-18"),
        (principal(accounts=("main", "branch")), "branch", "order-17"),
    ):
        with pytest.raises(Denied) as refusal:
            await intents.show_by_key(who, tool="crm.update", key=key, account=account)
        assert refusal.value.code is Code.NOT_FOUND
        answers.append(str(refusal.value.to_dict()).replace(key, "KEY").replace(account, "ACCOUNT"))
    assert len(set(answers)) == 1


async def test_the_account_of_a_key_is_one_of_the_principals(intents: Intents) -> None:
    """Who has no right to an account learns nothing of its keys; who has one account need not say which."""
    with pytest.raises(Denied) as refusal:
        await intents.show_by_key(principal(accounts=("branch",)), account="main", **KEY)
    assert refusal.value.code is Code.PERMISSION_DENIED
    with pytest.raises(Invalid, match="which account"):
        await intents.show_by_key(principal(accounts=("main", "branch")), **KEY)
    found = await intents.show_by_key(principal(), **KEY)
    assert (await intents.show_by_key(principal(accounts=("main", "branch")), account="main", **KEY)).id == found.id
    assert (found.key, found.account) == ("order-17", "main")


async def test_an_empty_account_is_no_account(intents: Intents) -> None:
    """An empty word is not taken for one that was left out."""
    with pytest.raises(Denied) as refusal:
        await intents.show_by_key(principal(), account="", **KEY)
    assert refusal.value.code is Code.PERMISSION_DENIED


async def test_a_key_that_nobody_used_says_that_submitting_is_safe(intents: Intents) -> None:
    """Who looks a key up at night wants to know whether to submit; of a tool that is not there nothing is promised."""
    with pytest.raises(Denied, match=r"submitting it with this key is safe.* backup, ask the remote first"):
        await intents.show_by_key(principal(), tool="crm.update", key="order-18")
    with pytest.raises(Denied) as refusal:
        await intents.show_by_key(principal(), tool="crm.updat", key="order-18")
    assert "safe" not in refusal.value.message


async def test_a_tool_that_is_not_there_may_be_a_slip(intents: Intents) -> None:
    """Who may see the tools is told which one was probably meant, and nobody else."""
    with pytest.raises(Denied, match=r"did you mean crm\.update\?"):
        await intents.show_by_key(principal(), tool="crm.updat", key="order-17")
    with pytest.raises(Denied) as refusal:
        await intents.show_by_key(principal(permissions=("intents:read",)), tool="crm.updat", key="order-17")
    assert "did you mean" not in str(refusal.value)
