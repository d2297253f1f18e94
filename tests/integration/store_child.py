"""The other process of the store's integration tests: run with a URL and a task, prints what it was acknowledged.

Tasks: ``append`` appends for ever, 16 at a time, and prints each acknowledged append before the next of that worker;
``hold`` opens the store, prints ``open``, and waits for its end of input; ``fill`` appends under a limit of the file
size until it is refused, lifts the limit, appends again, and prints what happened as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.core.ids import IdSource
from switchgear.core.scope import Scope
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.verify import verify_chain
from switchgear.storage.abilities import Append, Committed, Store, Unknown, Write
from switchgear.storage.opening import open_store

_IN_FLIGHT = 16
_FILE_BYTES_MAX = 512 * 1024

IDS, ENCODER = IdSource(), EventEncoder()


def make_append(tenant: str, key: str, expected: int) -> Append:
    """Return an append of two events and one row."""
    scope = Scope(tenant, "main", "service:test")
    events = tuple(
        ENCODER.encode("noted", stream=key, scope=scope, at=0.0, facts={"n": expected}, payload={"text": "x" * 500})
        for _ in range(2)
    )
    return Append(IDS.next("app"), tenant, events, (Write("intents", key, expected, b"v" * 300, "ready"),))


async def append_for_ever(store: Store, tenant: str) -> None:
    """Append to one row after the other, and tell of each acknowledgement."""
    while True:
        key = IDS.next("int")
        for expected in range(3):
            append = make_append(tenant, key, expected)
            fate = await store.append(append)
            assert isinstance(fate, Committed)
            os.write(1, f"{tenant} {key} {append.id} {fate.seq_last} {expected + 1}\n".encode())


async def fill(store: Store) -> dict[str, object]:
    """Meet a full disk, recover, and tell what is left."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES_MAX, hard))
    acknowledged: list[Append] = []
    turned_away: list[Append] = []
    refused: list[str] = []
    while len(refused) < 20:
        group = [make_append("acme", IDS.next("int"), 0) for _ in range(4)]
        for append, fate in zip(group, await asyncio.gather(*(told(store, one) for one in group)), strict=True):
            if fate == "committed":
                acknowledged.append(append)
            else:
                refused.append(fate)
                turned_away.append(append)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    after = [await told(store, make_append("acme", IDS.next("int"), 0)) for _ in range(3)]
    lost = [append.id for append in acknowledged if not await found(store, append)]
    ghosts = [append.id for append in turned_away if await found(store, append)]
    verified = await verify_chain(store, "acme")
    return {
        "acknowledged": len(acknowledged),
        "refused": sorted(set(refused)),
        "after": after,
        "lost": lost,
        "ghosts": ghosts,
        "verified": verified.ok,
        "problem": verified.problem,
    }


async def found(store: Store, append: Append) -> bool:
    """Whether the store has the append."""
    return await store.appended(append.tenant, append.events[0].stream, append.id) is not None


async def told(store: Store, append: Append) -> str:
    """Append, and return a word for what came of it."""
    try:
        fate = await store.append(append)
    except StoreError as error:
        return "refused" if error.code is Code.LEDGER_UNAVAILABLE else str(error)
    return "unknown" if isinstance(fate, Unknown) else "committed"


async def main(url: str, task: str) -> None:
    """Do one task."""
    store = await open_store(url, seal=seal)
    if task == "append":
        await asyncio.gather(*(append_for_ever(store, f"t{number % 3}") for number in range(_IN_FLIGHT)))
    elif task == "hold":
        os.write(1, b"open\n")
        await asyncio.to_thread(sys.stdin.read)
    else:
        os.write(1, json.dumps(await fill(store)).encode() + b"\n")
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
