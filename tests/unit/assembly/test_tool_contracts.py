"""A tool that has changed is stopped until somebody accepts the change, and its earlier intents wait for that too."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Rejected
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.gates.contracts.book import EARLIER_MAX, Accepted, ContractBook, ContractDifference
from switchgear.gates.contracts.keeper import SPACE, ContractKeeper
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Write
from switchgear.storage.opening import open_store

ACTING = {"tenant": "acme", "account": "main", "actor": "service:orders"}


def with_tool(gear: Switchgear, *, version: str = "1", effect: str = "keyed") -> None:
    """Register the one tool of these tests."""

    @gear.tool("crm.update", effect=effect, version=version)
    async def update(call: object, n: int) -> int:
        return n


def contract_of(gear: Switchgear) -> str:
    """Return the present contract of the tool."""
    return next(tool.contract for tool in gear.engine.registry if tool.name == "crm.update")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a store that several gears open, one after the other."""
    return f"sqlite:///{tmp_path}/gear.db"


async def lived(url: str, *, version: str = "1", effect: str = "keyed", start: bool = True) -> str:
    """Open a gear with the tool, submit one action, close it; return the action's id."""
    async with Switchgear.open(store=url, start=start) as gear:
        with_tool(gear, version=version, effect=effect)
        return (await gear.acting_as(**ACTING).submit("crm.update", {"n": 1}, key="first")).id


async def test_the_same_contract_goes_on(url: str) -> None:
    """A restart with the same tool stops nothing."""
    await lived(url)
    async with Switchgear.open(store=url) as gear:
        with_tool(gear)
        intent = await gear.acting_as(**ACTING).submit("crm.update", {"n": 2}, key="second")
        assert (await intent.result(timeout=60)).value == 2


async def test_a_change_under_the_same_version_is_stopped_until_it_is_accepted(url: str) -> None:
    """New actions are refused, and go on once the present contract is accepted, on record."""
    await lived(url)
    async with Switchgear.open(store=url) as gear:
        with_tool(gear, effect="opaque")
        acme, platform = gear.acting_as(**ACTING), gear.acting_as_platform(actor="person:ann")
        with pytest.raises(Rejected) as refusal:
            await acme.submit("crm.update", {"n": 2}, key="second")
        assert refusal.value.code is Code.TOOL_CHANGED
        assert "is not what was accepted (effect differs), and has the same version" in refusal.value.message
        (view,) = acme.tools.list()
        assert view.changed
        assert view.differences == [ContractDifference("effect", "keyed", "opaque")]
        assert (view.accepted_version, view.accepted_contract) != (None, view.contract)
        with pytest.raises(Denied):
            await acme.tools.accept("crm.update", contract=view.contract)
        accepted = await platform.tools.accept("crm.update", contract=view.contract)
        assert (accepted.changed, accepted.differences) == (False, [])
        intent = await acme.submit("crm.update", {"n": 2}, key="second")
        assert (await intent.result(timeout=60)).value == 2
        assert len(await gear.store.stream(PLATFORM_TENANT, "tool:crm.update")) == 2


async def test_only_what_was_looked_at_is_accepted(url: str) -> None:
    """An acceptance names the contract; another one is a conflict, and an unknown tool is not found."""
    async with Switchgear.open(store=url) as gear:
        with_tool(gear)
        platform = gear.acting_as_platform(actor="person:ann").principal
        with pytest.raises(Conflict):
            await gear.control.tools.accept(platform, "crm.update", contract="0" * 64)
        with pytest.raises(Denied):
            await gear.control.tools.accept(platform, "crm.delete", contract="0" * 64)


async def test_an_intent_of_an_earlier_contract_waits_for_the_new_version_to_be_accepted(url: str) -> None:
    """A new version takes new actions at once; what was accepted before is held, and released by the acceptance."""
    earlier = await lived(url, start=False)
    async with Switchgear.open(store=url) as gear:
        with_tool(gear, version="2", effect="opaque")
        acme, platform = gear.acting_as(**ACTING), gear.acting_as_platform(actor="person:ann")
        assert (await (await acme.submit("crm.update", {"n": 2}, key="second")).result(timeout=60)).value == 2
        await gear.run_until_idle(timeout=60)
        held = await acme.intent(earlier)
        assert (held.state, held.view.waiting_for) == ("held", "TOOL_CHANGED")
        assert "has changed since this was accepted (effect, version differ)" in str(held.view.message)
        await gear.control.tools.accept(platform.principal, "crm.update", contract=contract_of(gear))
        assert (await (await acme.intent(earlier)).result(timeout=60)).value == 1


async def test_a_row_that_cannot_be_read_stops_its_tool(url: str) -> None:
    """What was accepted cannot be known, so nothing leaves until a contract is accepted anew."""
    await lived(url)
    async with Switchgear.open(store=url) as gear:
        (row,) = await gear.store.page(SPACE, PLATFORM_TENANT)
        await gear.store.append(
            Append("apd_damage", PLATFORM_TENANT, (), (Write(SPACE, row.key, row.version, b"{", row.facet),))
        )
    async with Switchgear.open(store=url) as gear:
        with_tool(gear)
        acme, platform = gear.acting_as(**ACTING), gear.acting_as_platform(actor="person:ann")
        with pytest.raises(Rejected, match="accept"):
            await acme.submit("crm.update", {"n": 2}, key="second")
        await gear.control.tools.accept(platform.principal, "crm.update", contract=contract_of(gear))
        await acme.submit("crm.update", {"n": 2}, key="second")


def test_a_book_knows_so_many_earlier_contracts_and_no_more() -> None:
    """The oldest are forgotten first: their intents wait rather than leave under what nobody accepted for them."""
    book = ContractBook()
    for number in range(EARLIER_MAX + 3):
        book.register("crm.update", f"c{number}", str(number))
        (book.accepted["crm.update"],) = book.unrecorded().values()
    last = EARLIER_MAX + 2
    assert not book.goes_on("crm.update", f"c{last - 1}")
    book.accepted["crm.update"] = book.succession("crm.update", followed=True)
    assert book.goes_on("crm.update", f"c{last - 1}")
    assert not book.goes_on("crm.update", "c0")
    assert book.goes_on("crm.update", f"c{last}")


def test_what_is_not_on_record_differs_in_nothing_that_is_known() -> None:
    """A row without parts, and a contract from long ago: nobody guesses what they were made of."""
    book = ContractBook({"crm.update": Accepted("c2", "1", ("c0", "c1"), parts={"effect": "keyed"})})
    book.register("crm.update", "c3", "1", {"effect": "opaque", "lookup": "crm.find"})
    assert book.differences("crm.update") == [
        ContractDifference("effect", "keyed", "opaque"),
        ContractDifference("lookup", None, "crm.find"),
    ]
    assert [book.differences("crm.update", contract) for contract in ("c0", "c1", "c3")] == [[], [], []]
    book.accepted["crm.update"] = Accepted("c2", "1")
    assert book.differences("crm.update") == []


def test_a_tool_under_its_own_contract_is_never_changed() -> None:
    """What is accepted and what is registered agree: nothing to record, nothing to stop."""
    book = ContractBook({"crm.update": Accepted("c", "1")})
    book.register("crm.update", "c", "1")
    assert (book.changed("crm.update"), book.unrecorded(), book.goes_on("crm.update", "c")) == (False, {}, True)


def with_lock(gear: Switchgear, *, revert: str | None = "natural", effect: str = "opaque") -> None:
    """Register a tool that locks, and the one that reverts it with the effect `revert`; None leaves that out."""

    @gear.tool("idp.lock", effect=effect, revert="idp.unlock")
    async def lock(call: object, user: str) -> dict[str, object]:
        return {"prior": False, "now": True}

    if revert is not None:

        @gear.tool("idp.unlock", effect=revert)
        async def unlock(call: object, user: str) -> None:
            """Nothing to give back."""


async def test_an_action_whose_revert_may_not_run_is_not_accepted_for_a_time(url: str) -> None:
    """Who asks for an hour would get it for good; without a time-box it is accepted, since nothing is promised."""
    async with Switchgear.open(store=url) as gear:
        with_lock(gear)
    async with Switchgear.open(store=url) as gear:
        with_lock(gear, revert="keyed")
        acme = gear.acting_as(**ACTING)
        with pytest.raises(Rejected, match="which reverts idp") as refusal:
            await acme.submit("idp.lock", {"user": "ada"}, key="1", revert_after=600)
        assert refusal.value.code is Code.TOOL_CHANGED
        assert (await (await acme.submit("idp.lock", {"user": "ada"}, key="2")).result(timeout=60)).succeeded


@pytest.mark.parametrize(("revert", "code"), [("keyed", "TOOL_CHANGED"), (None, "TOOL_UNREGISTERED")])
async def test_an_action_whose_revert_may_not_run_any_more_is_held(url: str, revert: str | None, code: str) -> None:
    """What was accepted waits at dispatch until its revert may run, and says so."""
    async with Switchgear.open(store=url, start=False) as gear:
        with_lock(gear)
        locked = await gear.acting_as(**ACTING).submit("idp.lock", {"user": "ada"}, key="1", revert_after=600)
    async with Switchgear.open(store=url) as gear:
        with_lock(gear, revert=revert)
        await gear.run_until_idle(timeout=60)
        held = (await gear.acting_as(**ACTING).intent(locked.id)).view
        assert (held.state, held.waiting_for) == ("held", code)
        assert "idp.unlock, which reverts idp.lock" in held.message


async def test_what_a_stop_cut_off_after_it_was_recorded_is_nothing_to_warn_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An engine whose own record of a contract was cut off finds it there, and does not speak of another engine."""
    store, clock = await open_store("memory://", seal=seal), VirtualClock()
    keepers = [
        ContractKeeper(ContractBook(), store, clock=clock, ids=IdSource(clock), encoder=EventEncoder())
        for _ in range(2)
    ]
    for keeper in keepers:
        keeper.book.register("crm.update", "c" * 64, "1")
        await keeper.record()
    assert caplog.text == ""
    assert [entry.stream for entry in await store.entries(PLATFORM_TENANT)] == ["tool:crm.update"]
