"""What an idempotency key is bound to: the record of that, and the row that holds it. Pure.

When a key is bound, and when it is free again, is decided in `admission`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any

import msgspec

from switchgear.ledger.values import read_value
from switchgear.storage.abilities import Row

KEYS = "key"
"""The space of the rows of keys."""

EARLIER_MAX = 8
"""The most digests that are kept of what a key was bound to before."""


class KeyRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an idempotency key is bound to. `generation` counts its bindings; a key that was free for long has one.

    `earlier` holds the digests of what it was bound to before, newest first: at most 8.
    """

    intent_id: str
    digest: str
    generation: int = 1
    earlier: tuple[str, ...] = ()

    def facts_of_next(self, digest: str) -> dict[str, object]:
        """Return what the next binding, to a payload of `digest`, records of the ones before."""
        return {
            "key_generation": self.generation + 1,
            "key_earlier": (self.digest, *self.earlier)[:EARLIER_MAX],
            "key_reused_for_another_payload": digest not in (self.digest, *self.earlier),
        }


def bound(facts: Mapping[str, Any]) -> KeyRecord:
    """Return the binding of a key that an `accepted` event with these facts makes."""
    if "key_generation" not in facts:
        return KeyRecord(facts["id"], facts["digest"])
    return KeyRecord(facts["id"], facts["digest"], facts["key_generation"], tuple(facts.get("key_earlier", ())))


_decode_key = msgspec.json.Decoder(KeyRecord).decode


def key_name(account: str, tool: str, key: str) -> str:
    """Return the row key of an idempotency key."""
    return f"[{encode_basestring(account)},{encode_basestring(tool)},{encode_basestring(key)}]"


def key_of(row: Row) -> KeyRecord:
    """Return what the row of a key says. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    return read_value(_decode_key, row.value, "the row of an idempotency key")


encoded_key: Callable[[KeyRecord], bytes] = msgspec.json.Encoder().encode
"""Returns the row value of a key."""
