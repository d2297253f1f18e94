"""The link of a chain: the hash of an entry over the hash before it, its sequence and its body. Pure.

The payload is not hashed here: its salted digest stands in the body, so that it can be erased later.
"""

from __future__ import annotations

from hashlib import sha256

TAG = b"switchgear/ledger/entry/1\n"
"""Separates these hashes from all others, and names the version of the scheme."""

HASH_BYTES = 32


def seal(prev: bytes, seq: int, body: bytes) -> bytes:
    """Return SHA-256(tag | prev | seq as 8 bytes, big endian | body): 32 bytes.

    `prev` is the 32 bytes of the entry before, or of the genesis; `seq` counts from 1. The parts before the body have
    fixed lengths, so no two triples hash the same text. Raises `OverflowError` when `seq` does not fit.
    """
    return sha256(TAG + prev + seq.to_bytes(8, "big") + body).digest()
