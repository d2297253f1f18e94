"""Authorisation, tenancy and translation of every use case, on a gear in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.use_cases import PERMISSIONS, Control
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.core.scope import Principal
from switchgear.execution.contract import Call
from switchgear.ledger.verify import verify_export

MISSING = "int_" + "0" * 32
UseCase = Callable[[Control, Principal], Awaitable[object]]


def principal(tenant: str = "acme", permissions: tuple[str, ...] = PERMISSIONS) -> Principal:
    """Return a caller of a tenant."""
    return Principal(tenant, "service:orders", frozenset({"main"}), frozenset(permissions))


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A running gear in memory with one tool."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("crm.update", effect="keyed")
        async def update(call: Call, email: str) -> dict[str, str]:
            return {"email": email, "tenant": call.tenant}

        yield gear


async def submit(gear: Switchgear, who: Principal | None = None, key: str = "k") -> str:
    """Submit one action, wait for it, return its id."""
    who = who or principal()
    view = await gear.control.submit(who, tool="crm.update", arguments={"email": "a@b.c"}, account="main", key=key)
    return (await gear.control.wait(who, view.id, 10.0)).id


async def _tools(control: Control, who: Principal) -> object:
    return control.tools(who)


async def _breakers(control: Control, who: Principal) -> object:
    return control.breakers(who)


USE_CASES: dict[str, tuple[str, UseCase]] = {
    "submit": (
        "intents:submit",
        lambda control, who: control.submit(who, tool="crm.update", arguments={}, account="main", key="k"),
    ),
    "wait": ("intents:read", lambda control, who: control.wait(who, MISSING, 0.0)),
    "show": ("intents:read", lambda control, who: control.show(who, MISSING)),
    "intents": ("intents:read", lambda control, who: control.intents(who)),
    "events": ("intents:read", lambda control, who: control.events(who, MISSING)),
    "cancel": ("intents:cancel", lambda control, who: control.cancel(who, MISSING)),
    "tools": ("tools:read", _tools),
    "breakers": ("breakers:read", _breakers),
    "ledger": ("ledger:read", lambda control, who: control.ledger(who)),
    "ledger_head": ("ledger:read", lambda control, who: control.ledger_head(who)),
    "ledger_verify": ("ledger:read", lambda control, who: control.ledger_verify(who)),
    "ledger_export": ("ledger:read", lambda control, who: control.ledger_export(who)),
}


@pytest.mark.parametrize("name", USE_CASES)
async def test_each_use_case_needs_its_permission(gear: Switchgear, name: str) -> None:
    """With every permission but its own, a use case is denied before it looks at anything."""
    permission, use_case = USE_CASES[name]
    others = tuple(p for p in PERMISSIONS if p != permission)
    with pytest.raises(Denied) as refusal:
        await use_case(gear.control, principal(permissions=others))
    assert refusal.value.code is Code.PERMISSION_DENIED
    assert permission in str(refusal.value)


def test_no_use_case_is_missing_from_the_table() -> None:
    """A new public use case needs a row above; readiness alone is open to all."""
    public = {name for name in vars(Control) if not name.startswith("_")}
    assert public - {"readiness"} == set(USE_CASES)


async def test_the_account_must_be_one_of_the_tokens(gear: Switchgear) -> None:
    """The body's account is checked against the claim."""
    with pytest.raises(Denied) as refusal:
        await gear.control.submit(principal(), tool="crm.update", arguments={"email": "x"}, account="other", key="k")
    assert refusal.value.code is Code.PERMISSION_DENIED


@pytest.mark.parametrize("name", ["wait", "show", "events", "cancel"])
async def test_law_9_a_foreign_intent_and_a_missing_one_are_the_same_answer(gear: Switchgear, name: str) -> None:
    """What belongs to another tenant does not exist, word for word."""
    foreign = await submit(gear, principal("globex"))
    calls: dict[str, Callable[[str], Awaitable[object]]] = {
        "wait": lambda intent_id: gear.control.wait(principal(), intent_id, 0.0),
        "show": lambda intent_id: gear.control.show(principal(), intent_id),
        "events": lambda intent_id: gear.control.events(principal(), intent_id),
        "cancel": lambda intent_id: gear.control.cancel(principal(), intent_id),
    }
    answers = []
    for intent_id in (foreign, MISSING):
        with pytest.raises(Denied) as refusal:
            await calls[name](intent_id)
        answers.append(str(refusal.value.to_dict()).replace(intent_id, "ID"))
    assert answers[0] == answers[1]


async def test_lists_and_ledgers_show_one_tenant(gear: Switchgear) -> None:
    """Pages, chains and exports hold nothing of another tenant."""
    mine, theirs = await submit(gear), await submit(gear, principal("globex"))
    assert [view.id for view in (await gear.control.intents(principal())).items] == [mine]
    entries = (await gear.control.ledger(principal())).items
    assert {entry.stream for entry in entries} == {mine}
    exported = b"".join([line async for line in await gear.control.ledger_export(principal())])
    assert theirs.encode() not in exported
    assert (await gear.control.ledger_head(principal())).seq == len(entries)


async def test_pages_go_on_with_their_cursor(gear: Switchgear) -> None:
    """Every intent comes once, newest first, whatever the size of the page."""
    ids = [await submit(gear, key=f"k{number}") for number in range(5)]
    seen, cursor = [], None
    while True:
        page = await gear.control.intents(principal(), cursor=cursor, limit=2)
        seen += [view.id for view in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    "options", [{"limit": 0}, {"limit": 201}, {"state": "asleep"}, {"state": "proposed"}, {"cursor": "int_'; --"}]
)
async def test_a_page_that_cannot_be_is_refused(gear: Switchgear, options: dict[str, object]) -> None:
    """Bad paging is an answer with the reason."""
    with pytest.raises(Invalid):
        await gear.control.intents(principal(), **options)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("deadline", [0.0, -1.0, float("nan"), float("inf"), 31 * 86_400.0])
async def test_a_deadline_that_cannot_be_is_refused(gear: Switchgear, deadline: float) -> None:
    """Seconds from now, bounded."""
    with pytest.raises(Invalid):
        await gear.control.submit(
            principal(), tool="crm.update", arguments={"email": "x"}, account="main", key="k", deadline=deadline
        )


async def test_the_export_verifies_offline_and_the_store_agrees(gear: Switchgear) -> None:
    """What is exported is what is stored, and both verify."""
    await submit(gear)
    lines = [line.decode() async for line in await gear.control.ledger_export(principal())]
    offline, online = verify_export(lines), await gear.control.ledger_verify(principal())
    assert (offline.ok, online.ok, offline.count) == (True, True, online.entries)
    assert (online.intents, online.fold_matches) == (1, True)


async def test_what_has_ended_cannot_be_cancelled(gear: Switchgear) -> None:
    """The answer names the state that stands in the way."""
    with pytest.raises(Conflict) as refusal:
        await gear.control.cancel(principal(), await submit(gear))
    assert (refusal.value.code, refusal.value.state) == (Code.ILLEGAL_TRANSITION, "succeeded")


async def test_readiness_is_about_ourselves(gear: Switchgear) -> None:
    """Ready while the ledger can record; not once the door is closed."""
    assert (await gear.control.readiness()).ready
    await gear.drain(0.0)
    stopped = await gear.control.readiness()
    assert (stopped.ready, stopped.parts["admission"]) == (False, "stopping")


async def test_tools_and_breakers_are_listed_with_their_facts(gear: Switchgear) -> None:
    """What is registered is shown, and so is the guard that protects it."""
    await submit(gear)
    (tool,) = gear.control.tools(principal())
    (breaker,) = gear.control.breakers(principal())
    assert (tool.name, tool.effect, tool.needs_key, tool.requires) == ("crm.update", "keyed", True, ["crm"])
    assert (breaker.dependency, breaker.state, breaker.successes) == ("crm", "closed", 1)
