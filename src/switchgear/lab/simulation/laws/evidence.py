"""What a verdict rests on: the ledger, the rows, the remote, the witness, and the engines that are left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.lab.simulation.history import History, history_of
from switchgear.lab.simulation.machinery import Machinery
from switchgear.lab.simulation.outages import Outages
from switchgear.lab.simulation.remote import Remote
from switchgear.lab.simulation.wall import WallClock
from switchgear.lab.simulation.witness import Witness
from switchgear.lab.simulation.world import World
from switchgear.storage.abilities import Row, Store

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known after a run. `machinery` is what is left of engines."""

    store: Store
    history: History
    intents: dict[str, Intent]
    remote: Remote
    outages: Outages
    witness: Witness
    wall: WallClock
    machinery: tuple[Machinery, ...]


async def gather(world: World) -> Evidence:
    """Return the evidence of a run that has come to its end."""
    store = cast("Store", world.store)
    rows = [row for tenant in await store.tenants() for row in await all_rows(store, INTENTS, tenant)]
    return Evidence(
        store=store,
        history=await history_of(store),
        intents={row.key: intent_of(row) for row in rows},
        remote=world.remote,
        outages=world.outages,
        witness=world.witness,
        wall=world.wall,
        machinery=tuple(life.machinery for life in world.there),
    )


async def all_rows(store: Store, space: str, tenant: str) -> list[Row]:
    """Return every row of a space of a tenant, newest first."""
    rows: list[Row] = []
    while page := await store.page(space, tenant, before=rows[-1].key if rows else None, limit=_PAGE):
        rows += page
    return rows
