"""What became of the action with this key: found in its own scope only, and never answered while nobody can tell."""

from __future__ import annotations

import asyncio

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Invalid, StoreError
from switchgear.core.scope import Scope
from switchgear.execution.admission import ACCEPT_WAIT
from switchgear.execution.key_records import KEYS, KeyRecord, encoded_key, key_name
from switchgear.execution.transitions import State
from switchgear.storage.abilities import Append, Appended, Unknown, Write
from tests.unit.execution.rig import ACME, GLOBEX, running

RETENTION = 100.0
OTHER_ACCOUNT = Scope("acme", "branch", "service:orders")


async def test_a_key_finds_its_intent() -> None:
    """Whoever acts for the account finds it, open or settled, by tool and key."""
    async with running() as rig:
        rig.tool()
        sent = await rig.submit(a=1)
        found = await rig.engine.intent_by_key(ACME, "crm.update", "k1")
        assert found is not None
        assert found.id == sent.id
        await rig.settled(sent)
        again = await rig.engine.intent_by_key(Scope("acme", "main", "person:ada"), "crm.update", "k1")
        assert again is not None
        assert (again.id, again.state) == (sent.id, State.SUCCEEDED)


@pytest.mark.parametrize(
    ("scope", "tool", "key"),
    [
        (GLOBEX, "crm.update", "k1"),
        (OTHER_ACCOUNT, "crm.update", "k1"),
        (ACME, "crm.other", "k1"),
        (ACME, "crm.update", "k2"),
        (ACME, "crm.gone", "k1"),
    ],
)
async def test_a_key_is_found_in_its_own_scope_only(scope: Scope, tool: str, key: str) -> None:
    """Law 9: a key belongs to tenant, account and tool; in every other scope there is none."""
    async with running() as rig:
        rig.tool()
        rig.tool("crm.other")
        await rig.submit(a=1)
        assert await rig.engine.intent_by_key(scope, tool, key) is None


@pytest.mark.parametrize("key", ["", "a\x00b", "k" * 256, "\udcff"])
async def test_nothing_was_accepted_with_what_can_be_no_key(key: str) -> None:
    """What admission refuses as a key is bound to nothing; what can be no tool is a mistake of who asks."""
    async with running() as rig:
        assert await rig.engine.intent_by_key(ACME, "crm.update", key) is None
        with pytest.raises(Invalid):
            await rig.engine.intent_by_key(ACME, "", "k")


async def test_a_key_past_its_retention_is_found_until_it_is_bound_again() -> None:
    """A record does not go with the retention of its key. Bound again, the key answers for the newest."""
    async with running() as rig:
        rig.tool(key_retention=RETENTION)
        first = await rig.settled(await rig.submit(a=1))
        await rig.clock.elapse(RETENTION + 1.0)
        found = await rig.engine.intent_by_key(ACME, "crm.update", "k1")
        assert found is not None
        assert found.id == first.id
        second = await rig.submit(a=2)
        found = await rig.engine.intent_by_key(ACME, "crm.update", "k1")
        assert found is not None
        assert found.id == second.id != first.id


async def test_a_key_that_is_just_being_accepted_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """`None` says that nothing was accepted, so it is not said of what is about to be: that is waited for, or 409."""
    async with running() as rig:
        rig.tool()
        append, released = rig.store.append, asyncio.Event()

        async def slow(sent: Append) -> Appended:
            await released.wait()
            return await append(sent)

        monkeypatch.setattr(rig.store, "append", slow)
        first = asyncio.ensure_future(rig.submit(a=1))
        await rig.clock.elapse(0.0)
        look = asyncio.ensure_future(rig.engine.intent_by_key(ACME, "crm.update", "k1"))
        await rig.clock.elapse(ACCEPT_WAIT + 0.1)
        refusal = look.exception()
        assert isinstance(refusal, Conflict)
        assert (refusal.code, refusal.retry_after) == (Code.IDEMPOTENCY_IN_PROGRESS, 1.0)
        look = asyncio.ensure_future(rig.engine.intent_by_key(ACME, "crm.update", "k1"))
        await rig.clock.elapse(0.0)
        released.set()
        found = await look
        assert found is not None
        assert found.id == (await first).id


@pytest.mark.parametrize("lands", [True, False])
async def test_a_key_whose_acceptance_was_not_acknowledged_is_settled_first(
    monkeypatch: pytest.MonkeyPatch, *, lands: bool
) -> None:
    """What was handed in may still land: all that came before is settled first, and only then it is not there."""
    async with running() as rig:
        rig.tool()
        append = rig.store.append
        under_way: list[Append] = []

        async def unheard(sent: Append) -> Appended:
            under_way[:] = [sent]
            return Unknown(sent.id, "no answer")

        async def landing(sent: Append) -> Appended:
            for held in under_way if lands else ():
                await append(held)
            under_way.clear()
            return await append(sent)

        monkeypatch.setattr(rig.store, "append", unheard)
        with pytest.raises(StoreError):
            await rig.submit(a=1)
        monkeypatch.setattr(rig.store, "append", landing)
        found = await rig.engine.intent_by_key(ACME, "crm.update", "k1")
        assert (found is not None) is lands


async def test_a_free_key_that_may_just_have_been_bound_again_is_settled_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its retention a key is free, so what was handed in with it last may land: the one before is no answer."""
    async with running() as rig:
        rig.tool(key_retention=RETENTION)
        first = await rig.settled(await rig.submit(a=1))
        await rig.clock.elapse(RETENTION + 1.0)
        append = rig.store.append
        under_way: list[Append] = []

        async def unheard(sent: Append) -> Appended:
            under_way.append(sent)
            return Unknown(sent.id, "no answer")

        async def landing(sent: Append) -> Appended:
            while under_way:
                await append(under_way.pop(0))
            return await append(sent)

        monkeypatch.setattr(rig.store, "append", unheard)
        with pytest.raises(StoreError):
            await rig.submit(a=2)
        del under_way[1:]
        monkeypatch.setattr(rig.store, "append", landing)
        found = await rig.engine.intent_by_key(ACME, "crm.update", "k1")
        assert found is not None
        assert found.id != first.id


async def test_law_1_a_key_is_waited_for_no_longer_however_many_are_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several who hold a key one after the other, each for nearly the whole wait, do not lengthen it."""
    async with running() as rig:
        rig.tool()

        async def slowly_down(_sent: Append) -> Appended:
            await rig.clock.sleep_async(ACCEPT_WAIT - 1.0)
            raise StoreError("disk full")

        monkeypatch.setattr(rig.store, "append", slowly_down)
        ahead = [asyncio.ensure_future(rig.submit(a=1)) for _ in range(3)]
        await rig.clock.elapse(0.0)
        waiting = (*ahead[2:], asyncio.ensure_future(rig.engine.intent_by_key(ACME, "crm.update", "k1")))
        await rig.clock.elapse(ACCEPT_WAIT + 0.1)
        for one in waiting:
            assert one.done()
            assert isinstance(one.exception(), Conflict)
        await rig.clock.elapse(2 * ACCEPT_WAIT)
        assert [type(one.exception()) for one in ahead] == [StoreError, StoreError, Conflict]


async def test_a_key_whose_intent_is_gone_is_no_key_without_an_action() -> None:
    """Nobody can tell what became of it, and that is the answer."""
    async with running() as rig:
        rig.tool()
        row = Write(KEYS, key_name("main", "crm.update", "k1"), 0, encoded_key(KeyRecord("int_" + "0" * 32, "d")))
        await rig.store.append(Append("apd_1", "acme", (), (row,)))
        with pytest.raises(StoreError) as refusal:
            await rig.engine.intent_by_key(ACME, "crm.update", "k1")
        assert refusal.value.code is Code.LEDGER_CORRUPT
