"""Natural writes: a repeat sets the same value again, unless a later action has touched the resource."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.execution.contract import Call, Result, Succeeded, Tool, Uncertain
from switchgear.execution.engine import Engine
from switchgear.execution.intent import Intent
from switchgear.execution.refold import Refold
from switchgear.execution.transitions import State
from switchgear.ledger.chain import seal
from switchgear.storage.abilities import Append, Appended, Store
from switchgear.storage.opening import open_store
from tests.unit.execution.rig import ACME, GLOBEX, Flaky, Rig, Script, engine_on, running

SILENCE = Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer")
RENAME = Tool(
    name="crm.rename",
    requires=("crm",),
    effect=Effect.NATURAL,
    resource="contact/{contact}",
    backoff_base=2.0,
    attempts=3,
)


@dataclass
class Contacts:
    """A remote that keeps the last name it was sent, and loses the answers that it is told to lose."""

    lose: set[tuple[str, int]] = field(default_factory=set)
    calls: list[tuple[str, int]] = field(default_factory=list)
    name: str = ""

    async def execute(self, call: Call) -> Result:
        """Set the name; answer, or not."""
        name = str(call.arguments["name"])
        self.calls.append((name, call.attempt))
        self.name = name
        return SILENCE if (name, call.attempt) in self.lose else Succeeded(name)

    async def close(self) -> None:
        """Nothing to release."""

    def repeats_after_another(self) -> list[tuple[str, int]]:
        """Return the repeats that came after another action had reached the remote meanwhile."""
        wrong = []
        for place, (name, attempt) in enumerate(self.calls):
            earlier = [at for at in range(place) if self.calls[at] == (name, attempt - 1)]
            if earlier and any(other != name for other, _ in self.calls[earlier[-1] : place]):
                wrong.append((name, attempt))
        return wrong


async def rename(rig: Rig, name: str, contact: str = "7", tenant: str = "acme") -> Intent:
    """Submit one renaming."""
    scope = ACME if tenant == "acme" else GLOBEX
    return await rig.submit("crm.rename", key=name, scope=scope, name=name, contact=contact)


def contacts(rig: Rig, *lose: tuple[str, int]) -> Contacts:
    """Register the tool on a remote that loses these answers."""
    remote = Contacts(set(lose))
    rig.engine.registry.register(RENAME, remote)
    return remote


async def test_what_nobody_touched_is_repeated() -> None:
    """The same value again leads to the same state."""
    async with running() as rig:
        remote = contacts(rig, ("ada", 1))
        done = await rig.settled(await rig.submit("crm.rename", name="ada", contact="7"))
        assert (done.state, remote.calls) == (State.SUCCEEDED, [("ada", 1), ("ada", 2)])


async def test_what_a_later_action_touched_goes_to_a_person() -> None:
    """A repeat would undo the later action; so it is not made, and nobody waits for the doubt to grow old."""
    async with running() as rig:
        remote = contacts(rig, ("ada", 1))
        first = await rename(rig, "ada")
        await rig.clock.elapse(0.0)
        second = await rename(rig, "bea")
        done = [await rig.settled(intent) for intent in (first, second)]
        assert [intent.state for intent in done] == [State.NEEDS_OPERATOR, State.SUCCEEDED]
        assert (remote.name, remote.calls) == ("bea", [("ada", 1), ("bea", 1)])
        assert "a later action has changed contact/7" in done[0].message


@pytest.mark.parametrize(("contact", "tenant"), [("8", "acme"), ("7", "globex")])
async def test_another_resource_and_another_tenant_touch_nothing(contact: str, tenant: str) -> None:
    """A resource is one of a tenant."""
    async with running() as rig:
        contacts(rig, ("ada", 1))
        first = await rename(rig, "ada")
        await rig.clock.elapse(0.0)
        await rename(rig, "bea", contact, tenant)
        assert (await rig.settled(first)).state is State.SUCCEEDED


async def test_two_in_doubt_on_one_resource_repeat_the_later_alone() -> None:
    """The last one dispatched is the last one to have touched it."""
    async with running() as rig:
        remote = contacts(rig, ("ada", 1), ("bea", 1))
        first, second = await rename(rig, "ada"), await rename(rig, "bea")
        assert (await rig.settled(first)).state is State.NEEDS_OPERATOR
        assert (await rig.settled(second)).state is State.SUCCEEDED
        assert remote.name == "bea"


async def test_a_read_touches_nothing() -> None:
    """Only writes are ordered by a resource."""
    async with running() as rig:
        contacts(rig, ("ada", 1))
        read = Tool(name="crm.read", requires=("crm",), effect=Effect.READ_ONLY, resource="contact/{contact}")
        rig.engine.registry.register(read, Script())
        first = await rename(rig, "ada")
        await rig.clock.elapse(0.0)
        await rig.submit("crm.read", key=None, contact="7")
        assert (await rig.settled(first)).state is State.SUCCEEDED


@dataclass
class Dying:
    """A store that dies with its engine once so many appends are on record; nobody learns of the last one."""

    store: Flaky
    appends: int
    dead: bool = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        """Everything else is the store's own."""
        return getattr(self.store, name)

    async def append(self, append: Append) -> Appended:
        """Append, or never answer."""
        if self.dead:
            await asyncio.Event().wait()
        outcome = await self.store.append(append)
        self.appends -= bool(append.events)  # that an engine is there is no event
        if not self.appends:
            self.dead = True
            await asyncio.Event().wait()
        return outcome


async def crash() -> None:
    """End every task but this one on the spot."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def begin(store: object, clock: VirtualClock, remote: Contacts, seed: int) -> Engine:
    """Start an engine on what is there."""
    engine = engine_on(cast("Flaky", store), clock, guards={}, seed=seed)
    engine.registry.register(RENAME, remote)
    await engine.recover()
    engine.start()
    return engine


@pytest.mark.parametrize("appends", range(1, 11))
@pytest.mark.parametrize("pause", [0.0, 0.5, 3.0])
@pytest.mark.parametrize(
    "lose", [(("ada", 1),), (("bea", 1),), (("ada", 1), ("bea", 1)), (("ada", 1), ("ada", 2))], ids=str
)
async def test_no_crash_lets_a_repeat_undo_a_later_action(
    appends: int, pause: float, lose: tuple[tuple[str, int], ...]
) -> None:
    """Two actions on one resource, in every order of their appends, with a crash after each of them."""
    clock, remote = VirtualClock(), Contacts(set(lose))
    store = Flaky(await open_store("memory://", seal=seal, clock=clock))
    engine = await begin(Dying(store, 1 + appends), clock, remote, 1)  # the first is that of its start
    rig = Rig(engine, store, clock, Script(), {})
    submitting = []
    for name in ("ada", "bea"):
        submitting.append(asyncio.ensure_future(rename(rig, name)))
        await clock.elapse(pause)
    await clock.elapse(20.0)
    await crash()
    engine = await begin(store, clock, remote, 2)
    rig = Rig(engine, store, clock, Script(), {})
    ends = {name: await rig.settled(await rename(rig, name), 2_000.0) for name in ("ada", "bea")}
    assert remote.repeats_after_another() == []
    for name, end in ends.items():
        assert end.state in (State.SUCCEEDED, State.IN_DOUBT, State.NEEDS_OPERATOR), name
        assert any(called == name for called, _ in remote.calls) or end.state is not State.SUCCEEDED
    assert (await Refold(cast("Store", store)).intents("acme")).first_different is None
    await crash()
    await store.close()
