"""Chains, keys and exports that the tests of the ledger share."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import cast

from switchgear.core.clock import VirtualClock
from switchgear.core.ids import IdSource
from switchgear.core.scope import Scope
from switchgear.ledger.chain import seal
from switchgear.ledger.checkpoints import Cadence, Checkpointer
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.export import export_lines
from switchgear.ledger.keys import SigningKey
from switchgear.storage.abilities import Append, Store
from switchgear.storage.memory import MemoryStore

KEY = SigningKey("ledger.example.org", bytes(range(32)))
OTHER_KEY = SigningKey("ledger.example.org", bytes(32))
SCOPE = Scope("acme", "main", "service:orders")


@dataclass
class Book:
    """A store with a chain, and what signs it."""

    store: Store = field(default_factory=lambda: cast("Store", MemoryStore(seal)))
    clock: VirtualClock = field(default_factory=VirtualClock)
    encoder: EventEncoder = field(default_factory=lambda: EventEncoder(random.Random(1).randbytes))

    def __post_init__(self) -> None:
        """Make ids from the virtual clock."""
        self.ids = IdSource(self.clock, random.Random(1))

    def checkpointer(self, key: SigningKey = KEY, cadence: Cadence | None = None) -> Checkpointer:
        """Return what signs this store's chains."""
        return Checkpointer(self.store, key, clock=self.clock, ids=self.ids, encoder=self.encoder, cadence=cadence)

    async def write(self, count: int, *, tenant: str = "acme") -> None:
        """Append entries, one at a time, in three streams, each with a payload."""
        for number in range(count):
            event = self.encoder.encode(
                "noted",
                stream=f"s{number % 3}",
                scope=Scope(tenant, "main", "me"),
                at=self.clock.time(),
                payload={"text": f"secret {number}"},
            )
            await self.store.append(Append(self.ids.next("apd"), tenant, (event,)))

    async def lines(self, *, tenant: str = "acme", last_seq: int | None = None) -> list[str]:
        """Return the lines of an export."""
        return [line async for line in export_lines(self.store, tenant, last_seq=last_seq)]


def resealed(lines: list[str], seq: int | None = None) -> list[str]:
    """Return the export as somebody would forge it who can rewrite everything: entry `seq` changed, and all hashes.

    Only what was signed, and what is kept elsewhere, is out of the forger's reach.
    """
    entries = [json.loads(line) for line in lines[1:-1]]
    trailer = json.loads(lines[-1])
    prev = bytes.fromhex(entries[0]["prev"])
    for fields in entries:
        if fields["seq"] == seq:
            body = json.loads(fields["body"])
            fields["body"] = json.dumps({**body, "at": body["at"] + 1.0}, separators=(",", ":"))
        fields["prev"] = prev.hex()
        prev = seal(prev, fields["seq"], fields["body"].encode())
        fields["hash"] = prev.hex()
    trailer["head"]["hash"] = prev.hex()
    return [lines[0], *(json.dumps(fields) for fields in entries), json.dumps(trailer)]


def cut(lines: list[str], kept: int) -> list[str]:
    """Return the export as if the chain had ended at entry `kept`, in itself quite right."""
    last = json.loads(lines[kept])
    head = {"tenant": "acme", "seq": kept, "hash": last["hash"]}
    return [*lines[: kept + 1], json.dumps({"head": head, "count": kept})]
