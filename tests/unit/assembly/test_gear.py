"""A whole gear in Python, as a user writes it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from switchgear import (
    Code,
    DeadlineExceeded,
    Denied,
    Invalid,
    NotApplied,
    OptionError,
    Rejected,
    StoreError,
    Switchgear,
)
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.contract import Call
from switchgear.ledger.events import read
from switchgear.storage.sqlite.store import SqliteStore
from switchgear.testing import VirtualClock
from tests.turns import turns


async def test_the_example_of_the_design_works_word_for_word() -> None:
    """A tool by decorator, a principal, submit, result, look up by id and by state."""
    async with Switchgear.open(store="memory://", start=True) as gear:

        @gear.tool("crm.update_contact", effect="keyed", requires=("crm",), timeout=5.0, cost=2)
        async def update_contact(call: Call, contact_id: str, email: str) -> dict[str, object]:
            assert call.deadline.remaining() > 0
            return {"key": call.idempotency_key, "tenant": call.tenant, "attempt": call.attempt, "email": email}

        acme = gear.acting_as(tenant="acme", account="main", actor="service:orders")
        arguments = {"contact_id": "7", "email": "a@b.c"}
        intent = await acme.submit("crm.update_contact", arguments, key="order-17")
        outcome = await intent.result(timeout=60)
        assert (outcome.state, outcome.code, outcome.succeeded) == ("succeeded", None, True)
        assert outcome.value == {"key": intent.id, "tenant": "acme", "attempt": 1, "email": "a@b.c"}
        same = await acme.intent(intent.id)
        assert (same.id, same.state) == (intent.id, "succeeded")
        by_key = await acme.intent_by_key("crm.update_contact", "order-17")
        assert (by_key.id, (await by_key.result()).value) == (intent.id, outcome.value)
        with pytest.raises(Denied) as missing:
            await acme.intent_by_key("crm.update_contact", "order-18")
        assert missing.value.code is Code.NOT_FOUND
        assert await acme.intents(state="in_doubt") == []
        await gear.run_until_idle()


async def test_a_blocking_function_is_a_tool_too() -> None:
    """`def` works as `async def` does."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("math.double", effect="read_only")
        def double(call: Call, number: int) -> int:
            return 2 * number

        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        assert (await (await acme.submit("math.double", {"number": 21})).result()).value == 42


async def test_a_gear_that_is_closed_names_no_time_to_come_back() -> None:
    """It never takes anything again; the key stays free for the next gear. One that only stops still names a time."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("math.double", effect="read_only")
        def double(call: Call, number: int) -> int:
            return 2 * number

        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        await gear.drain(0.0)
        with pytest.raises(Rejected, match="Retry after 1 s") as stopping:
            await acme.submit("math.double", {"number": 1})
    with pytest.raises(Rejected, match="this gear is closed") as closed:
        await acme.submit("math.double", {"number": 1})
    with pytest.raises(Rejected, match="this gear is closed") as saga:
        await acme.saga([{"tool": "math.double", "arguments": {"number": 1}}], key="s-1")
    assert {stopping.value.code, closed.value.code, saga.value.code} == {Code.SHUTTING_DOWN}
    assert (closed.value.retry_after, closed.value.state) == (None, "closed")
    assert "Retry after" not in str(closed.value)


async def hanging(gear: Switchgear) -> None:
    """Submit what never comes back."""

    @gear.tool("crm.hang", effect="opaque", timeout=500.0)
    async def hang(_call: Call) -> None:
        await asyncio.Event().wait()

    await gear.acting_as(tenant="acme", account="main", actor="agent:a").submit("crm.hang", {}, key="k1")


async def test_a_gear_whose_end_is_cut_short_leaves_nothing_running() -> None:
    """Nobody waits for its tools any longer, so none of it goes on behind a store that is closed."""
    before, clock = asyncio.all_tasks(), VirtualClock()
    opening = Switchgear.open(store="memory://", clock=clock)
    await hanging(await opening.__aenter__())
    closing = asyncio.ensure_future(opening.__aexit__(None, None, None))
    await clock.elapse(1.0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await turns(20)
    assert asyncio.all_tasks() == before


async def test_a_gear_that_has_lost_its_store_to_another_engine_leaves_nothing_running() -> None:
    """It takes no new work from then on, and has to be stopped all the same when it is closed."""
    before, clock = asyncio.all_tasks(), VirtualClock()
    opening = Switchgear.open(store="memory://", clock=clock)
    gear = await opening.__aenter__()
    await hanging(gear)
    gear.engine.recorder.lease.lose("another engine owns the store")
    closing = asyncio.ensure_future(opening.__aexit__(None, None, None))
    while not closing.done():
        await clock.elapse(1.0)
    await closing
    assert asyncio.all_tasks() == before


async def test_a_gear_that_is_not_started_carries_out_only_when_told() -> None:
    """`start=False` accepts and records; `run_until_idle` carries out."""
    async with Switchgear.open(store="memory://", start=False) as gear:

        @gear.tool("math.double", effect="read_only")
        def double(call: Call, number: int) -> int:
            return 2 * number

        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        intent = await acme.submit("math.double", {"number": 1})
        with pytest.raises(DeadlineExceeded) as late:
            await intent.result(timeout=0.01)
        assert (late.value.sent, intent.state) == (False, "ready")
        await gear.run_until_idle()
        assert (await intent.result(timeout=0)).value == 2


async def test_arguments_that_do_not_fit_the_signature_are_refused_before_anything_is_recorded() -> None:
    """The schema comes from the signature, and the refusal names what is wrong."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("math.double", effect="read_only")
        def double(call: Call, number: int) -> int:
            return 2 * number

        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        for arguments in ({}, {"number": "1"}, {"number": 1, "more": 2}):
            with pytest.raises(Rejected) as refusal:
                await acme.submit("math.double", arguments)
            assert refusal.value.code is Code.INVALID_ARGUMENT
        assert await acme.intents() == []


@pytest.mark.parametrize("tool", [print, None, 5, ["x"], {}])
async def test_a_tool_is_named_by_its_text(tool: object) -> None:
    """A function or another value in its place is refused, whether it can be hashed or not."""
    async with Switchgear.open(store="memory://") as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        with pytest.raises(Invalid, match="a tool is named by its text") as refusal:
            await acme.submit(tool, key="k")  # type: ignore[arg-type]  # that is the point
        assert refusal.value.code is Code.INVALID_ARGUMENT
        assert type(tool).__name__ in refusal.value.message


async def test_a_gear_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """What was accepted before a clean stop is carried out after the next start, and keys still hold."""
    url = f"sqlite:///{tmp_path}/gear.db"
    async with Switchgear.open(store=url, start=False) as gear:
        gear.tool("math.double", effect="keyed")(_double)
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        accepted = await acme.submit("math.double", {"number": 4}, key="k")
    async with Switchgear.open(store=url) as gear:
        gear.tool("math.double", effect="keyed")(_double)
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        assert gear.recovered.queued == 1
        again = await acme.submit("math.double", {"number": 4}, key="k")
        assert (again.id, again.view.replayed) == (accepted.id, True)
        assert (await again.result()).value == 8


async def test_a_handle_that_answers_a_repeat_says_so_ever_after() -> None:
    """Looked at again, and in its outcome, a repeat is a repeat; the first request never is."""
    async with Switchgear.open(store="memory://") as gear:
        gear.tool("math.double", effect="keyed")(_double)
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        first, again = [await acme.submit("math.double", {"number": 1}, key="k") for _ in range(2)]
        for handle, replayed in ((first, False), (again, True), (await acme.intent(first.id), False)):
            assert (await handle.result()).replayed is replayed
            assert handle.view.replayed is replayed
            assert (await handle.refresh()).replayed is replayed
            assert handle.outcome.replayed is replayed


async def test_law_2_one_engine_per_store(tmp_path: Path) -> None:
    """A second engine on the same file is refused with its code."""
    url = f"sqlite:///{tmp_path}/gear.db"
    async with Switchgear.open(store=url):
        with pytest.raises(StoreError) as refusal:
            await Switchgear.open(store=url).__aenter__()
        assert refusal.value.code is Code.STORE_IN_USE


async def test_breaker_transitions_are_on_the_platforms_own_chain(tmp_path: Path) -> None:
    """What belongs to no tenant is recorded where no tenant looks, also what came just before the end."""
    url = f"sqlite:///{tmp_path}/gear.db"
    async with Switchgear.open(store=url) as gear:
        gear.tool("math.double", effect="read_only")(_double)
        guard = gear.guards.of("math")
        for _ in range(10):
            guard.permit_nowait().fail()
        assert guard.state == "open"
    async with Switchgear.open(store=url, start=False) as gear:
        entries = await gear.store.stream(PLATFORM_TENANT, "breaker:math")
        assert [read(entry).type for entry in entries] == ["breaker.opened"]
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        assert (await gear.control.ledger.list(acme.principal)).items == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"effect": "sometimes"}, "read_only"),
        ({"attempts": 0}, "attempts"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": -5}, "timeout needs seconds above 0, not -5; write for example timeout="),
        ({"timeout": "5s"}, "timeout needs seconds above 0, not '5s'; write for example timeout="),
        ({"backoff_base": "1"}, "backoff_base needs seconds above 0, not '1'"),
        ({"backoff_cap": None}, "backoff_cap needs seconds above 0, not None"),
        ({"settle_delay": "5"}, "settle_delay needs seconds at least 0, not '5'"),
        ({"attempts": "3"}, "attempts needs a whole number of at least 1, not '3'; write for example attempts=3"),
        ({"cost": 0.5}, "cost needs a whole number of at least 0, not 0.5"),
    ],
)
async def test_a_tool_that_cannot_work_is_refused_at_birth(options: dict[str, object], words: str) -> None:
    """Options are checked when they are given, and the error says what to write."""
    async with Switchgear.open(store="memory://") as gear:
        with pytest.raises(OptionError, match=words):
            gear.tool("math.double", **options)(_double)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("name", [len, None, 5])
async def test_a_decorator_without_the_name_of_the_tool_is_refused_at_once(name: object) -> None:
    """``@gear.tool`` alone would register nothing, so it says what to write."""
    async with Switchgear.open(store="memory://") as gear:
        with pytest.raises(OptionError, match=r'needs the name of the tool first.*write.*@gear\.tool\("crm'):
            gear.tool(name)  # type: ignore[arg-type]  # that is the point


async def test_the_same_tool_twice_is_refused() -> None:
    """Names are unique: a second contract under one name would be another tool."""
    async with Switchgear.open(store="memory://") as gear:
        gear.tool("math.double", effect="read_only")(_double)
        with pytest.raises(OptionError, match="already"):
            gear.tool("math.double", effect="read_only")(_double)


@pytest.mark.parametrize("options", [{}, {"path": "switchgear.toml", "store": "memory://"}])
def test_a_gear_is_opened_by_a_file_or_on_a_store(options: dict[str, str]) -> None:
    """One way to say where the store is, and never a file that nobody named."""
    with pytest.raises(OptionError, match="not both"):
        Switchgear.open(**options)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///gear.db", "sqlite:///gear.db"),
        ("memory://", "memory://"),
        ("postgresql://ann:secret@db/gear", "postgresql://…"),
    ],
)
def test_the_url_of_a_store_in_place_of_a_file_is_told_where_it_belongs(url: str, shown: str) -> None:
    """It is not looked for on the disk, and what may be a password is not repeated."""
    with pytest.raises(OptionError) as refusal:
        Switchgear.open(url)
    assert f'write store="{shown}"' in str(refusal.value)
    assert "secret" not in str(refusal.value)


async def test_a_gear_on_a_virtual_clock_runs_until_idle_by_itself() -> None:
    """Time that nobody else moves is moved on: a retry in thirty seconds takes no real time."""
    async with Switchgear.open(store="memory://", start=False, clock=VirtualClock()) as gear:
        calls = []

        @gear.tool("crm.get", effect="read_only", backoff_base=30.0)
        async def get(call: Call) -> str:
            calls.append(call.attempt)
            if call.attempt == 1:
                raise NotApplied("not yet", retryable=True, retry_after=20.0)
            return "here"

        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        intent = await acme.submit("crm.get")
        await gear.run_until_idle(timeout=60.0)
        assert (calls, (await intent.result(timeout=0)).value) == ([1, 2], "here")


async def test_a_result_too_large_to_keep_is_a_success_without_its_value() -> None:
    """What happened is recorded as having happened, whatever it returned."""
    async with Switchgear.open(store="memory://") as gear:
        gear.tool("big.one", effect="opaque")(_big)
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        outcome = await (await acme.submit("big.one", {}, key="k")).result()
        assert outcome.state == "succeeded"
        assert "bytes" in outcome.value["unrecorded"]


@pytest.mark.parametrize(
    "options", [{"requires": "crm"}, {"requires": ("a b",)}, {"colour": "red"}, {"requires": ("crm", "")}]
)
async def test_a_tool_is_told_what_to_write_instead(options: dict[str, object]) -> None:
    """A text for requires, a name that is none, an option that is not there: each is refused by name."""
    async with Switchgear.open(store="memory://") as gear:
        with pytest.raises(OptionError):
            gear.tool("math.double", **options)(_double)  # type: ignore[arg-type]  # that is the point


async def test_held_work_of_a_configured_tool_goes_on_after_a_restart(tmp_path: Path) -> None:
    """A tool that is there when the engine recovers releases what was held for it."""
    url = f"sqlite:///{tmp_path}/gear.db"
    async with Switchgear.open(store=url, start=False) as gear:
        gear.tool("math.double", effect="keyed")(_double)
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        intent = await acme.submit("math.double", {"number": 4}, key="k")
    async with Switchgear.open(store=url) as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        await gear.run_until_idle()
        assert (await acme.intent(intent.id)).state == "held"
    async with Switchgear.open(store=url) as gear:
        gear.tool("math.double", effect="keyed")(_double)
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        assert (await (await acme.intent(intent.id)).result()).value == 8


def _big(_call: Call) -> str:
    return "x" * 5_000_000


def _double(call: Call, number: int) -> int:
    return 2 * number


async def test_a_gear_that_cannot_record_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be written is refused at the start, in the store's words, and given back."""
    url = f"sqlite:///{tmp_path}/gear.db"

    async def unwritable(_store: object) -> None:
        raise StoreError("gear.db: attempt to write a readonly database")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "check", unwritable)
        with pytest.raises(StoreError, match="readonly") as raised:
            async with Switchgear.open(store=url):
                raise AssertionError("it has started")
        assert raised.value.code is Code.LEDGER_UNAVAILABLE
    async with Switchgear.open(store=url):
        pass
