"""The idempotency record, row by row: what a key is bound to, what a repeat gets, and what stays of it afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from switchgear.core.codes import FACTS, Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Invalid, Rejected, StoreError
from switchgear.core.outcome import Verdict
from switchgear.core.scope import Scope
from switchgear.execution.admission import ACCEPT_WAIT
from switchgear.execution.contract import Refused, Uncertain
from switchgear.execution.intent import Intent
from switchgear.execution.key_records import EARLIER_MAX, KEYS, KeyRecord, encoded_key, key_name, key_of
from switchgear.execution.transitions import State
from switchgear.ledger.events import read
from switchgear.storage.abilities import Append, Appended, Write
from tests.unit.execution.rig import ACME, GLOBEX, Rig, running

RETENTION = 100.0
NAME = key_name("main", "crm.update", "k1")
NO = Refused(Code.TOOL_FAILED, "no", retryable=False, verdict=Verdict.SUCCESS)
OTHER_ACCOUNT = Scope("acme", "branch", "service:orders")


@dataclass(frozen=True)
class Again:
    """What comes after a first submission of key k1 with a=1, and whether it finds the first intent."""

    scope: Scope = ACME
    key: str = "k1"
    value: int = 1
    tool: str = "crm.update"
    same: bool = True
    refused: Code | None = None


ROWS = {
    "the same payload finds the same intent": Again(),
    "another payload is a conflict": Again(value=2, refused=Code.IDEMPOTENCY_CONFLICT),
    "another key is another action": Again(key="k2", same=False),
    "another tool has keys of its own": Again(tool="crm.other", same=False),
    "another account has keys of its own": Again(scope=OTHER_ACCOUNT, same=False),
    "another tenant has keys of its own": Again(scope=GLOBEX, value=2, same=False),
}


@pytest.mark.parametrize("row", ROWS)
async def test_what_a_repeat_gets(row: str) -> None:
    """SEMANTICS §7: (tenant, account, tool, key) is bound to one payload."""
    again = ROWS[row]
    async with running() as rig:
        rig.tool()
        rig.tool("crm.other")
        first = await rig.submit(a=1)
        if again.refused is not None:
            with pytest.raises(Conflict) as refusal:
                await rig.submit(again.tool, key=again.key, scope=again.scope, a=again.value)
            assert refusal.value.code is again.refused
        else:
            found = await rig.submit(again.tool, key=again.key, scope=again.scope, a=again.value)
            assert (found.id == first.id) is again.same


async def test_a_missing_key_is_refused_and_a_read_needs_none() -> None:
    """400 where an effect needs it."""
    async with running() as rig:
        rig.tool()
        rig.tool("crm.read", Effect.READ_ONLY)
        with pytest.raises(Invalid) as refusal:
            await rig.submit(key=None)
        assert refusal.value.code is Code.IDEMPOTENCY_KEY_REQUIRED
        assert (await rig.submit("crm.read", key=None)).key is None


async def test_a_refused_request_binds_no_key() -> None:
    """Correct it and send it again, under the same key."""
    async with running() as rig:
        rig.tool(attempts=1)
        rig.store.plan = ["down"]
        with pytest.raises(StoreError):
            await rig.submit(a=1)
        assert await rig.store.get(KEYS, "acme", NAME) is None
        assert (await rig.submit(a=2)).state is State.DISPATCHED


async def test_many_at_once_are_one_intent() -> None:
    """Those that come while the first is being accepted wait for it, and find it."""
    async with running() as rig:
        rig.tool()
        found = await asyncio.gather(*(rig.submit(a=1) for _ in range(20)))
        assert len({intent.id for intent in found}) == 1


async def test_a_repeat_while_the_first_is_being_accepted_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """409 after a bounded wait, to be sent again; once the first is on record, a repeat finds it."""
    async with running() as rig:
        rig.tool()
        append, released = rig.store.append, asyncio.Event()

        async def slow(sent: Append) -> Appended:
            await released.wait()
            return await append(sent)

        monkeypatch.setattr(rig.store, "append", slow)
        first = asyncio.ensure_future(rig.submit(a=1))
        repeat = asyncio.ensure_future(rig.submit(a=1))
        await rig.clock.elapse(ACCEPT_WAIT + 0.1)
        refusal = repeat.exception()
        assert isinstance(refusal, Conflict)
        assert (refusal.code, refusal.retry_after) == (Code.IDEMPOTENCY_IN_PROGRESS, 1.0)
        assert FACTS[refusal.code].http_status == 409
        released.set()
        assert (await rig.submit(a=1)).id == (await first).id


async def closed(rig: Rig, **arguments: object) -> Intent:
    """Submit, settle, and let the retention of the key pass."""
    done = await rig.settled(await rig.submit(**arguments))  # type: ignore[arg-type]  # arguments of the tool
    await rig.clock.elapse(RETENTION + 1.0)
    return done


async def facts(rig: Rig, intent: Intent) -> dict[str, object]:
    """Return what the birth of an intent records of its key."""
    birth = read((await rig.store.stream("acme", intent.id))[0])
    return {name: value for name, value in birth.facts.items() if name.startswith("key_") and name != "key_retention"}


async def test_after_its_retention_a_key_is_free_and_its_digest_stays() -> None:
    """A reuse for another payload is allowed then, and visible in the birth of the new intent."""
    async with running() as rig:
        rig.tool(key_retention=RETENTION)
        first = await closed(rig, a=1)
        assert await facts(rig, first) == {}
        second = await closed(rig, a=2)
        assert second.id != first.id
        assert await facts(rig, second) == {
            "key_generation": 2,
            "key_earlier": [first.digest],
            "key_reused_for_another_payload": True,
        }
        third = await rig.submit(a=1)
        assert await facts(rig, third) == {
            "key_generation": 3,
            "key_earlier": [second.digest, first.digest],
            "key_reused_for_another_payload": False,
        }
        row = await rig.store.get(KEYS, "acme", NAME)
        assert row is not None
        assert key_of(row) == KeyRecord(third.id, third.digest, 3, (second.digest, first.digest))


async def test_what_is_kept_of_earlier_bindings_is_bounded() -> None:
    """Law 10: the newest eight digests."""
    async with running() as rig:
        rig.tool(key_retention=RETENTION)
        digests = [(await closed(rig, a=number)).digest for number in range(EARLIER_MAX + 3)]
        row = await rig.store.get(KEYS, "acme", NAME)
        assert row is not None
        assert key_of(row).earlier == tuple(digests[-2::-1][:EARLIER_MAX])
        assert key_of(row).generation == EARLIER_MAX + 3


@pytest.mark.parametrize("effect", [Effect.OPAQUE, Effect.KEYED])
async def test_law_3_no_timer_frees_the_key_of_what_is_not_closed(effect: Effect) -> None:
    """In doubt, or dead-lettered and not put away: the key stays bound for as long as it takes."""
    async with running() as rig:
        rig.tool(effect=effect, key_retention=RETENTION, attempts=1)
        rig.script.answers = [Uncertain(Code.DEPENDENCY_FAILED, "silence") if effect is Effect.OPAQUE else NO]
        first = await rig.settled(await rig.submit(a=1))
        assert first.state in (State.IN_DOUBT, State.DEAD_LETTERED)
        await rig.clock.elapse(100 * RETENTION, turns=5)
        assert (await rig.submit(a=1)).id == first.id
        with pytest.raises(Conflict):
            await rig.submit(a=2)


async def test_a_key_whose_intent_is_gone_is_not_free() -> None:
    """Fail closed: nobody can tell whether the action happened."""
    async with running() as rig:
        rig.tool()
        record = encoded_key(KeyRecord("int_" + "0" * 32, "d"))
        await rig.store.append(Append("apd_1", "acme", (), (Write(KEYS, NAME, 0, record),)))
        with pytest.raises(StoreError) as refusal:
            await rig.submit(a=1)
        assert refusal.value.code is Code.LEDGER_CORRUPT


async def test_a_key_that_cannot_be_read_is_not_free() -> None:
    """Fail closed here as well, with the code."""
    async with running() as rig:
        rig.tool()
        await rig.store.append(Append("apd_1", "acme", (), (Write(KEYS, NAME, 0, b"{"),)))
        with pytest.raises((StoreError, Rejected)) as refusal:
            await rig.submit(a=1)
        assert refusal.value.code is Code.LEDGER_CORRUPT
