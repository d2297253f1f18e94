"""Authorisation, tenancy and translation of every use case, on a gear in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import get_type_hints

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.replays import ReplayFilter
from switchgear.control.use_cases import PERMISSIONS, TENANT_PERMISSIONS, Control
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.core.scope import Principal
from switchgear.execution.contract import Call
from switchgear.health import Dependency
from switchgear.ledger.verify import verify_export
from switchgear.testing import VirtualClock

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
    seen = await gear.control.intents.submit(
        who, tool="crm.update", arguments={"email": "a@b.c"}, account="main", key=key
    )
    return (await gear.control.intents.wait(who, seen.intent.id, 10.0)).intent.id


async def _tools(control: Control, who: Principal) -> object:
    return control.tools.list(who)


async def _doubts(control: Control, who: Principal) -> object:
    return control.doubts.report(who)


async def _kill_switches(control: Control, who: Principal) -> object:
    return control.kill_switches.list(who)


async def _breakers(control: Control, who: Principal) -> object:
    return control.breakers.list(who)


async def _dependencies(control: Control, who: Principal) -> object:
    return control.dependencies.list(who)


async def _dependency(control: Control, who: Principal) -> object:
    return control.dependencies.show(who, "redis")


async def _destructive(control: Control, who: Principal) -> object:
    return control.dependencies.destructive(who)


USE_CASES: dict[str, tuple[str, UseCase]] = {
    "intents.submit": (
        "intents:submit",
        lambda control, who: control.intents.submit(who, tool="crm.update", arguments={}, account="main", key="k"),
    ),
    "intents.wait": ("intents:read", lambda control, who: control.intents.wait(who, MISSING, 0.0)),
    "intents.show": ("intents:read", lambda control, who: control.intents.show(who, MISSING)),
    "intents.show_by_key": (
        "intents:read",
        lambda control, who: control.intents.show_by_key(who, tool="crm.update", key="k"),
    ),
    "intents.list": ("intents:read", lambda control, who: control.intents.list(who)),
    "intents.events": ("intents:read", lambda control, who: control.intents.events(who, MISSING)),
    "intents.cancel": ("intents:cancel", lambda control, who: control.intents.cancel(who, MISSING)),
    "approvals.approve": (
        "intents:approve",
        lambda control, who: control.approvals.approve(who, MISSING, channel="rest"),
    ),
    "approvals.reject": (
        "intents:approve",
        lambda control, who: control.approvals.reject(who, MISSING, channel="rest", reason="no"),
    ),
    "approvals.withdraw": (
        "intents:approve",
        lambda control, who: control.approvals.withdraw(who, MISSING, channel="rest"),
    ),
    "doubts.report": ("intents:read", _doubts),
    "doubts.resolve": (
        "intents:resolve",
        lambda control, who: control.doubts.resolve(who, MISSING, verdict="applied", evidence="seen"),
    ),
    "forced.force": (
        "destructive:force",
        lambda control, who: control.forced.force(who, MISSING, reason="because", seconds=60.0),
    ),
    "dead_letters.list": ("deadletters:read", lambda control, who: control.dead_letters.list(who)),
    "dead_letters.requeue": ("deadletters:requeue", lambda control, who: control.dead_letters.requeue(who, MISSING)),
    "dead_letters.requeue_all": ("deadletters:requeue", lambda control, who: control.dead_letters.requeue_all(who)),
    "dead_letters.discard": (
        "deadletters:discard",
        lambda control, who: control.dead_letters.discard(who, MISSING, reason="because"),
    ),
    "time_boxes.list": ("time_boxes:read", lambda control, who: control.time_boxes.list(who)),
    "time_boxes.show": ("time_boxes:read", lambda control, who: control.time_boxes.show(who, MISSING)),
    "time_boxes.events": ("time_boxes:read", lambda control, who: control.time_boxes.events(who, MISSING)),
    "time_boxes.revert": (
        "time_boxes:change",
        lambda control, who: control.time_boxes.revert(who, MISSING, reason="because"),
    ),
    "time_boxes.extend": (
        "time_boxes:change",
        lambda control, who: control.time_boxes.extend(who, MISSING, seconds=1.0, reason="because"),
    ),
    "time_boxes.close": (
        "time_boxes:change",
        lambda control, who: control.time_boxes.close(who, MISSING, reason="because"),
    ),
    "replays.replay": (
        "intents:replay",
        lambda control, who: control.replays.replay(who, MISSING, mode="verify", reason="because"),
    ),
    "replays.replay_all": (
        "intents:replay",
        lambda control, who: control.replays.replay_all(
            who, ReplayFilter(state="held"), mode="resume", reason="because"
        ),
    ),
    "sagas.submit": (
        "sagas:submit",
        lambda control, who: control.sagas.submit(who, steps=[], account="main", key="k"),
    ),
    "sagas.wait": ("sagas:read", lambda control, who: control.sagas.wait(who, MISSING, 0.0)),
    "sagas.show": ("sagas:read", lambda control, who: control.sagas.show(who, MISSING)),
    "sagas.list": ("sagas:read", lambda control, who: control.sagas.list(who)),
    "sagas.events": ("sagas:read", lambda control, who: control.sagas.events(who, MISSING)),
    "sagas.cancel": ("sagas:cancel", lambda control, who: control.sagas.cancel(who, MISSING)),
    "sagas.resume": (
        "sagas:resume",
        lambda control, who: control.sagas.resume(who, MISSING, how="done", reason="because"),
    ),
    "tools.list": ("tools:read", _tools),
    "tools.accept": ("platform:tools", lambda control, who: control.tools.accept(who, "crm.update", contract="0" * 64)),
    "breakers.list": ("breakers:read", _breakers),
    "dependencies.list": ("dependencies:read", _dependencies),
    "dependencies.show": ("dependencies:read", _dependency),
    "dependencies.destructive": ("dependencies:read", _destructive),
    "kill_switches.list": ("kill:read", _kill_switches),
    "kill_switches.trip": (
        "kill:trip",
        lambda control, who: control.kill_switches.trip(who, "tenant:acme", mode="freeze", reason="r"),
    ),
    "kill_switches.release": (
        "kill:release",
        lambda control, who: control.kill_switches.release(who, "tenant:acme", reason="r"),
    ),
    "budgets.list": ("budgets:read", lambda control, who: control.budgets.list(who)),
    "budgets.report": ("budgets:read", lambda control, who: control.budgets.report(who)),
    "ledger.list": ("ledger:read", lambda control, who: control.ledger.list(who)),
    "ledger.head": ("ledger:read", lambda control, who: control.ledger.head(who)),
    "ledger.verify": ("ledger:read", lambda control, who: control.ledger.verify(who)),
    "ledger.export": ("ledger:read", lambda control, who: control.ledger.export(who)),
    "keeping.checkpoint": ("ledger:read", lambda control, who: control.keeping.checkpoint(who)),
    "keeping.sign": ("ledger:sign", lambda control, who: control.keeping.sign(who)),
    "keeping.archivable": ("ledger:archive", lambda control, who: control.keeping.archivable(who, before=1)),
    "keeping.segment": ("ledger:archive", lambda control, who: control.keeping.segment(who, last_seq=1)),
    "keeping.archive": (
        "ledger:archive",
        lambda control, who: control.keeping.archive(who, last_seq=1, hash="0" * 64, sha256="0" * 64),
    ),
    "backups.make": ("platform:backup", lambda control, who: control.backups.make(who)),
    "backups.list": ("platform:backup", lambda control, who: control.backups.list(who)),
    "backups.thaw": (
        "platform:restore",
        lambda control, who: control.backups.thaw(who, since=0.0, reason="because"),
    ),
    "keeping.erase": ("ledger:erase", lambda control, who: control.keeping.erase(who, MISSING, reason="asked")),
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
    """A new public use case needs a row above; only readiness and health are open to all."""
    public = {
        f"{subject}.{name}"
        for subject, kind in get_type_hints(Control).items()
        for name, member in vars(kind).items()
        if callable(member) and not name.startswith("_")
    }
    assert public - {"readiness.check", "health.report", "health.include"} == set(USE_CASES)


def test_each_permission_is_declared_by_a_subject_that_needs_it() -> None:
    """What a token can carry is what the use cases ask for, in the order of the subjects; platform comes last."""
    platform = PERMISSIONS[len(TENANT_PERMISSIONS) :]
    assert (*TENANT_PERMISSIONS, *platform) == PERMISSIONS
    assert all(permission.startswith("platform:") for permission in platform)
    assert not any(permission.startswith("platform:") for permission in TENANT_PERMISSIONS)
    assert {permission for permission, _ in USE_CASES.values()} <= set(PERMISSIONS)
    assert set(TENANT_PERMISSIONS) <= {permission for permission, _ in USE_CASES.values()}


async def test_the_account_must_be_one_of_the_tokens(gear: Switchgear) -> None:
    """The body's account is checked against the claim."""
    with pytest.raises(Denied) as refusal:
        await gear.control.intents.submit(
            principal(), tool="crm.update", arguments={"email": "x"}, account="other", key="k"
        )
    assert refusal.value.code is Code.PERMISSION_DENIED


@pytest.mark.parametrize("options", [{"limit": 0}, {"state": "proposed"}, {"cursor": MISSING}])
async def test_a_page_of_sagas_that_cannot_be_is_refused(gear: Switchgear, options: dict[str, object]) -> None:
    """Bad paging is an answer with the reason; the id of an intent is no place in a list of sagas."""
    with pytest.raises(Invalid):
        await gear.control.sagas.list(principal(), **options)  # type: ignore[arg-type]  # that is the point


async def test_how_a_saga_goes_on_is_one_of_two_words(gear: Switchgear) -> None:
    """Anything else is refused before the saga is looked at."""
    with pytest.raises(Invalid, match="retry, done"):
        await gear.control.sagas.resume(principal(), MISSING, how="again", reason="because")


@pytest.mark.parametrize("name", ["wait", "show", "events", "cancel"])
async def test_law_9_a_foreign_intent_and_a_missing_one_are_the_same_answer(gear: Switchgear, name: str) -> None:
    """What belongs to another tenant does not exist, word for word."""
    foreign = await submit(gear, principal("globex"))
    calls: dict[str, Callable[[str], Awaitable[object]]] = {
        "wait": lambda intent_id: gear.control.intents.wait(principal(), intent_id, 0.0),
        "show": lambda intent_id: gear.control.intents.show(principal(), intent_id),
        "events": lambda intent_id: gear.control.intents.events(principal(), intent_id),
        "cancel": lambda intent_id: gear.control.intents.cancel(principal(), intent_id),
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
    assert [view.id for view in (await gear.control.intents.list(principal())).items] == [mine]
    entries = (await gear.control.ledger.list(principal())).items
    assert {entry.stream for entry in entries} == {mine}
    exported = b"".join([line async for line in await gear.control.ledger.export(principal())])
    assert theirs.encode() not in exported
    assert (await gear.control.ledger.head(principal())).seq == len(entries)


async def test_pages_go_on_with_their_cursor(gear: Switchgear) -> None:
    """Every intent comes once, newest first, whatever the size of the page."""
    ids = [await submit(gear, key=f"k{number}") for number in range(5)]
    seen, cursor = [], None
    while True:
        page = await gear.control.intents.list(principal(), cursor=cursor, limit=2)
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
        await gear.control.intents.list(principal(), **options)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("deadline", [0.0, -1.0, float("nan"), float("inf"), 31 * 86_400.0])
async def test_a_deadline_that_cannot_be_is_refused(gear: Switchgear, deadline: float) -> None:
    """Seconds from now, bounded."""
    with pytest.raises(Invalid):
        await gear.control.intents.submit(
            principal(), tool="crm.update", arguments={"email": "x"}, account="main", key="k", deadline=deadline
        )


async def test_the_export_verifies_offline_and_the_store_agrees(gear: Switchgear) -> None:
    """What is exported is what is stored, and both verify."""
    await submit(gear)
    lines = [line.decode() async for line in await gear.control.ledger.export(principal())]
    offline, online = verify_export(lines), await gear.control.ledger.verify(principal())
    assert (offline.ok, online.ok, offline.count) == (True, True, online.entries)
    assert (online.intents, online.fold_matches) == (1, True)


async def test_what_has_ended_cannot_be_cancelled(gear: Switchgear) -> None:
    """The answer names the state that stands in the way."""
    with pytest.raises(Conflict) as refusal:
        await gear.control.intents.cancel(principal(), await submit(gear))
    assert (refusal.value.code, refusal.value.state) == (Code.ILLEGAL_TRANSITION, "succeeded")


@pytest.mark.parametrize("what", ["intents", "sagas"])
async def test_a_reason_to_cancel_is_bounded(gear: Switchgear, what: str) -> None:
    """It stays in the ledger for ever, so no surface may record one of any length."""
    with pytest.raises(Invalid, match="at most 500 characters"):
        await getattr(gear.control, what).cancel(principal(), MISSING, reason="x" * 501)


async def test_readiness_is_about_ourselves(gear: Switchgear) -> None:
    """Ready while the ledger can record; not once the door is closed."""
    assert (await gear.control.readiness.check()).ready
    await gear.drain(0.0)
    stopped = await gear.control.readiness.check()
    assert (stopped.ready, stopped.parts["admission"]) == (False, "stopping")


async def test_tools_and_breakers_are_listed_with_their_facts(gear: Switchgear) -> None:
    """What is registered is shown, and so is the guard that protects it."""
    await submit(gear)
    (tool,) = gear.control.tools.list(principal())
    (breaker,) = gear.control.breakers.list(principal())
    assert (tool.name, tool.effect, tool.needs_key, tool.requires) == ("crm.update", "keyed", True, ["crm"])
    assert (breaker.dependency, breaker.state, breaker.successes) == ("crm", "closed", 1)


async def test_the_platforms_chain_is_read_by_who_may_and_that_is_recorded_first(gear: Switchgear) -> None:
    """Law 9: what belongs to no tenant has a chain of its own; each reading from a tenant is on record in it."""
    reader = principal()
    page = await gear.control.ledger.list(reader, limit=200, platform=True)
    last = page.items[-1]
    assert (last.type, last.actor) == ("platform.ledger_read", "service:orders")
    assert last.facts == {"tenant": "acme", "asked": "list", "after": 0, "limit": 200}
    asked = [gear.control.ledger.head(reader, platform=True), gear.control.ledger.verify(reader, platform=True)]
    head, verified = [await one for one in asked]
    assert (getattr(head, "tenant", ""), getattr(verified, "ok", False)) == ("@platform", True)
    exported = b"".join([line async for line in await gear.control.ledger.export(reader, platform=True)])
    assert verify_export(exported.decode().splitlines()).ok
    newest = await gear.control.ledger.list(reader, after=last.seq, platform=True)
    assert [event.facts["asked"] for event in newest.items] == ["head", "verify", "export", "list"]
    mine = await gear.control.ledger.list(reader)
    assert all(not event.type.startswith("platform.") for event in mine.items)


async def test_without_the_permission_the_platforms_chain_is_closed_and_untouched(gear: Switchgear) -> None:
    """A tenant's permission to read its own ledger says nothing of the platform's; a refusal writes nothing there."""
    nobody = principal(permissions=("ledger:read",))
    before = (await gear.acting_as_platform(actor="person:ops").ledger.head()).seq
    with pytest.raises(Denied) as caught:
        await gear.control.ledger.list(nobody, platform=True)
    assert caught.value.code is Code.PERMISSION_DENIED
    with pytest.raises(Invalid):
        await gear.control.ledger.list(principal(), limit=201, platform=True)
    assert (await gear.acting_as_platform(actor="person:ops").ledger.head()).seq == before


async def test_what_changes_at_a_dependency_can_be_read_by_the_platform() -> None:
    """Transitions are on record so that somebody can read them: in Python, with the platform's own principal."""
    clock = VirtualClock()
    async with Switchgear.open(store="memory://", clock=clock) as gear:
        gear.dependency(Dependency("redis", kind="redis", down_after=1))
        gear.health.observe("redis", "absent", "probe", detail="timed out")
        await clock.elapse(1.0)
        ledger = gear.acting_as_platform(actor="person:ops").ledger
        kinds = [event.type for event in (await ledger.list()).items]
        assert "dependency.unhealthy" in kinds
        assert "platform.ledger_read" not in kinds, "the platform reads its own"
        assert (await ledger.verify()).ok
