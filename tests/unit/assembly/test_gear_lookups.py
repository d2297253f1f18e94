"""Lookups as a user declares them: functions, names of tools, and tables of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from switchgear import Code, NotApplied, OptionError, Switchgear
from switchgear.assembly.configuration import Configuration, ConfigurationError, load
from switchgear.connectors.credentials import Credentials
from switchgear.connectors.http import HttpConnection, HttpOperation
from switchgear.connectors.http.request import prepare
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.execution.contract import Call
from switchgear.testing import VirtualClock
from tests.unit.connectors.calling import call_of

FILE = """
[store]
url = "memory://"
[connectors.crm]
kind = "http"
base_url = "https://api.example.com"
[tools."crm.order"]
connector = "crm"
method = "POST"
path = "/orders"
effect = "reconcilable"
lookup = "crm.find"
settle_delay = 2.5
[tools."crm.find"]
connector = "crm"
method = "GET"
path = "/orders/by-key/{about}"
effect = "read_only"
"""


def _loaded(tmp_path: Path, text: str) -> Configuration:
    file = tmp_path / "switchgear.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment={})


async def lost(_call: Call, amount: int) -> None:
    """Leave, and never answer."""
    raise TimeoutError("no answer")


async def find(call: Call, amount: int) -> dict[str, object]:
    """Find what was lost."""
    return {"key": call.about, "amount": amount}


async def test_a_lookup_can_be_a_function() -> None:
    """It becomes a read-only tool of its own, through the same dependency."""
    clock = VirtualClock()
    async with Switchgear.open(store="memory://", clock=clock) as gear:
        gear.tool("crm.order", effect="reconcilable", requires=("crm", "erp"), lookup=find)(lost)
        registered = gear.engine.registry.get("crm.order.lookup")
        assert registered is not None
        assert (registered.tool.effect.writes, registered.tool.requires) == (False, ("crm", "erp"))
        acme = gear.acting_as(tenant="acme", account="main", actor="person:ann")
        intent = await acme.submit("crm.order", {"amount": 20}, key="order-17")
        await clock.elapse(60.0)
        assert (await intent.refresh()).value == {"key": intent.id, "amount": 20}


async def test_a_lookup_can_be_a_tool_that_is_registered_already() -> None:
    """By name; what is not there yet, or writes, is refused on the spot with what to do."""
    async with Switchgear.open(store="memory://") as gear:
        with pytest.raises(OptionError, match="register that one first"):
            gear.tool("crm.order", effect="reconcilable", lookup="crm.find")(lost)
        gear.tool("crm.find", effect="read_only")(find)
        gear.tool("crm.write", effect="opaque")(find)
        with pytest.raises(OptionError, match='write effect="read_only" there'):
            gear.tool("crm.pay", lookup="crm.write")(lost)
        gear.tool("crm.charge", lookup="crm.find")(lost)


async def test_a_lookup_that_does_not_take_the_arguments_is_refused() -> None:
    """It would fail each time, in the middle of an incident."""

    async def too_little(_call: Call) -> None:
        return None

    async def too_much(_call: Call, amount: int, currency: str) -> None:
        return None

    async def anything(_call: Call, **_arguments: object) -> None:
        return None

    async with Switchgear.open(store="memory://") as gear:
        for lookup, words in ((too_little, "does not take 'amount'"), (too_much, "needs 'currency'")):
            with pytest.raises(OptionError, match=words):
                gear.tool("crm.order", lookup=lookup)(lost)
        gear.tool("crm.order", lookup=anything)(lost)


def test_a_file_names_lookups_among_its_tools(tmp_path: Path) -> None:
    """Delay and name are part of the tool; `about` needs no schema."""
    loaded = _loaded(tmp_path, FILE)
    order = next(declared.tool for declared in loaded.tools if declared.tool.name == "crm.order")
    assert (order.lookup, order.settle_delay) == ("crm.find", 2.5)


async def test_the_order_in_the_file_does_not_matter(tmp_path: Path) -> None:
    """What looks up is registered first."""
    (tmp_path / "switchgear.toml").write_text(FILE, encoding="utf-8")
    async with Switchgear.open(tmp_path / "switchgear.toml") as gear:
        assert gear.engine.registry.get("crm.order") is not None
        assert gear.engine.doubts.options.escalate_after == 900.0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'lookup = "crm.find"',
            'lookup = "crm.fnd"',
            'there is no tool "crm.fnd" in this file; did you mean crm.find?',
        ),
        ('effect = "read_only"', 'effect = "keyed"', '"crm.find" may change something; write effect = "read_only"'),
        ('method = "GET"', 'method = "HEAD"', '"crm.find" has no value in its answer'),
        ('method = "GET"', 'method = "GET"\nresult = "none"', '"crm.find" has no value in its answer'),
    ],
)
def test_a_lookup_that_cannot_look_up_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """With file, key, what is wrong and what to write."""
    with pytest.raises(ConfigurationError) as refusal:
        _loaded(tmp_path, FILE.replace(old, new))
    assert f'tools."crm.order".lookup: {words}' in str(refusal.value)


def test_the_engine_s_patience_is_configured(tmp_path: Path) -> None:
    """Age and number of lookups after which a person is called."""
    loaded = _loaded(tmp_path, "[engine]\nescalate_after = 60.0\nlookups_max = 2")
    assert (loaded.engine.escalate_after, loaded.engine.lookups_max) == (60.0, 2)


@pytest.mark.parametrize(
    ("operation", "url"),
    [
        (HttpOperation(method="GET", path="/by-key/{about}"), "/by-key/key-of-parent?amount=20"),
        (HttpOperation(method="GET", path="/by-key/{about}", query=()), "/by-key/key-of-parent"),
        (HttpOperation(method="GET", path="/orders", query=("about",)), "/orders?about=key-of-parent"),
        (HttpOperation(method="GET", path="/orders", query=("amount",)), "/orders?amount=20"),
        (HttpOperation(method="GET", path="/orders"), "/orders?amount=20"),
    ],
)
def test_an_http_lookup_asks_by_key_or_by_arguments(operation: HttpOperation, url: str) -> None:
    """`about` is the key that the remote got; arguments that have no place in the request are left out."""
    call = structs.replace(call_of(arguments={"amount": 20}), purpose="lookup", about="key-of-parent")
    request = prepare(
        HttpConnection(name="crm", base_url="https://a.example"), operation, call, Credentials({}, Path())
    )
    assert request.url == f"https://a.example{url}"


async def test_a_person_settles_what_is_in_doubt_in_python() -> None:
    """The handle says what became of it; agents cannot, and evidence is asked for."""
    async with Switchgear.open(store="memory://") as gear:
        gear.tool("mail.send", effect="opaque")(lost)
        ann = gear.acting_as(tenant="acme", account="main", actor="person:ann")
        agent = gear.acting_as(tenant="acme", account="main", actor="agent:helper")
        intent = await ann.submit("mail.send", {"amount": 1}, key="k")
        assert (await intent.result()).state == "in_doubt"
        assert (ann.doubts().in_doubt, ann.doubts().complete) == (1, True)
        with pytest.raises(Denied):
            await (await agent.intent(intent.id)).resolve("applied", evidence="I think so")
        with pytest.raises(Invalid, match="there is no verdict"):
            await intent.resolve("done", evidence="seen")
        view = await intent.resolve("applied", evidence="asked the postmaster", value={"id": 9})
        assert (view.state, view.value, view.final) == ("succeeded", {"id": 9}, True)
        again = await ann.submit("mail.send", {"amount": 1}, key="k")
        assert ((await again.result()).value, ann.doubts().in_doubt) == ({"id": 9}, 0)


async def test_dead_letters_are_listed_requeued_and_discarded_in_python() -> None:
    """One by one, or many at a rate."""
    async with Switchgear.open(store="memory://") as gear:
        open_for_orders = False

        @gear.tool("crm.order", effect="keyed", backoff_base=0.001)
        async def order(_call: Call, number: int) -> int:
            if not open_for_orders:
                raise NotApplied("closed")
            return number

        acme = gear.acting_as(tenant="acme", account="main", actor="person:ann")
        letters = [await acme.submit("crm.order", {"number": n}, key=f"k{n}") for n in range(4)]
        for letter in letters:
            assert (await letter.result()).state == "failed"
        assert [found.id for found in await acme.dead_letters()] == [letter.id for letter in letters[::-1]]
        assert await acme.dead_letters(tool="crm.other") == []
        await letters[0].discard("not wanted any more")
        open_for_orders = True
        await letters[1].requeue()
        assert (await letters[1].result()).value == 1
        for options in ({"per_second": 0.0}, {"per_second": 1e9}, {"limit": 0}, {"limit": 201}, {"before": "x"}):
            with pytest.raises(Invalid):
                await acme.requeue_dead_letters(**options)
        done = await acme.requeue_dead_letters(per_second=1_000.0)
        assert (done.requeued, done.refused, done.next_cursor) == ([letters[3].id, letters[2].id], [], None)
        assert (await letters[2].result()).value == 2
        with pytest.raises(Conflict) as refusal:
            await letters[2].requeue()
        assert refusal.value.code is Code.ILLEGAL_TRANSITION
