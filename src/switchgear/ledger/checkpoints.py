"""Checkpoints: a signed note that says how far a tenant's chain went, and what its hash was there.

Whoever rewrites a chain can make one that is right in itself, but not the signature over the old head. So a checkpoint
that is kept elsewhere proves everything up to its entry. Three lines: the origin (ledger and tenant), the sequence, the
hash of that entry in base64, as in c2sp.org/tlog-checkpoint; the hash is the head of our chain, not a tree's root.

When one is due is decided here, purely; a timer that asks is the assembly's.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.errors import Invalid, OptionError, SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.core.scope import Scope
from switchgear.ledger.appending import append_surely
from switchgear.ledger.chain import HASH_BYTES
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.keys import SigningKey, VerifyingKey, signer_of
from switchgear.ledger.notes import read_note
from switchgear.ledger.values import read_value
from switchgear.storage.abilities import Append, Conflicted, Head, Rows, Store, Write

CHECKPOINT = "ledger.checkpoint"
"""The type of the event that records a checkpoint."""

STREAM = "ledger"
"""The stream of what the ledger records about itself."""

SPACE = "ledger.checkpoint"
NEWEST = "newest"
_LINES = 3
_SEQUENCE = re.compile(r"[1-9][0-9]{0,17}\Z")

_log = logging.getLogger("switchgear.ledger")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says: the chain of `tenant` in `ledger` had `hash` (32 bytes) at entry `seq` (from 1)."""

    ledger: str
    tenant: str
    seq: int
    hash: bytes

    def text(self) -> str:
        """Return the text that is signed."""
        encoded = base64.b64encode(self.hash).decode("ascii")
        return f"{self.ledger}/{self.tenant}\n{self.seq}\n{encoded}\n"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint and the key that signed it; None when no key was there to tell."""

    checkpoint: Checkpoint
    key: VerifyingKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often a chain is signed: after `entries` (at least 1) or `seconds` (above 0), whatever comes first."""

    entries: int = 1000
    seconds: float = 3600.0

    def __post_init__(self) -> None:
        """Check the bounds."""
        if self.entries < 1 or not self.seconds > 0:
            raise OptionError("a checkpoint is due after at least 1 entry, or more than 0 seconds")


class Stored(msgspec.Struct, frozen=True):
    """The newest checkpoint of a chain, as its row has it. `at` is seconds since the epoch."""

    seq: int
    at: float
    note: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What one round over all chains came to: how many were signed, and the tenants whose chain could not be."""

    signed: int
    failed: tuple[str, ...]


_decode = msgspec.json.Decoder(Stored).decode
_encode = msgspec.json.Encoder().encode


def read_checkpoint(text: str) -> Checkpoint:
    """Return what the note `text` says, without asking who signed it. Raises `Invalid` when it is no checkpoint."""
    lines = read_note(text).text.split("\n")
    origin, seq, encoded = (*lines, "", "", "")[:_LINES]
    ledger, slash, tenant = origin.partition("/")
    if not (ledger and slash and tenant) or not _SEQUENCE.match(seq):
        raise Invalid("a checkpoint has three lines: ledger/tenant, the sequence, the hash")
    try:
        found = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise Invalid("the third line of a checkpoint is a hash in base64") from error
    if len(found) != HASH_BYTES:
        raise Invalid(f"the hash of a checkpoint has {HASH_BYTES} bytes, not {len(found)}")
    return Checkpoint(ledger, tenant, int(seq), found)


def witness(text: str, keys: Sequence[VerifyingKey]) -> Witnessed:
    """Return the checkpoint that `text` holds, and which of `keys` signed it; without keys nobody is asked.

    Raises `Invalid` when it is no checkpoint, was signed by none of the keys, or speaks for a ledger that is not its
    key's.
    """
    found = read_checkpoint(text)
    if not keys:
        return Witnessed(found, None)
    signer = signer_of(read_note(text), keys)
    if signer is None:
        raise Invalid(f"the checkpoint at entry {found.seq} is not signed by the given key")
    if signer.name != found.ledger:
        raise Invalid(f"the key of ledger {signer.name!r} signed a checkpoint of ledger {found.ledger!r}")
    return Witnessed(found, signer)


def due(cadence: Cadence, head_seq: int, newest: Stored | None, now: float) -> bool:
    """Return whether a chain that ends in `head_seq` should be signed now (seconds since the epoch).

    The entry that recorded the newest checkpoint does not count, so a chain at rest is not signed again.
    """
    if newest is None:
        return head_seq > 0
    unsigned = head_seq - newest.seq - 1
    return unsigned >= cadence.entries or (unsigned > 0 and now - newest.at >= cadence.seconds)


async def newest_checkpoint(rows: Rows, tenant: str) -> Stored | None:
    """Return the newest checkpoint of the tenant's chain, or None.

    Raises `StoreError` (LEDGER_CORRUPT) when its row cannot be read.
    """
    return (await _row(rows, tenant))[0]


async def signed_here(store: Store, tenant: str, last_seq: int | None = None) -> str | None:
    """Return the newest note about an entry that the store still has, at most `last_seq`; None when there is none."""
    newest = await newest_checkpoint(store, tenant)
    first = await store.entries(tenant, limit=1)
    if newest is None or not first or newest.seq < first[0].seq - 1:
        return None
    return newest.note if last_seq is None or newest.seq <= last_seq else None


class Checkpointer:
    """Signs chains and records the signatures in them. One per engine, with the key of its ledger."""

    def __init__(
        self,
        store: Store,
        key: SigningKey,
        *,
        clock: Clock,
        ids: IdSource,
        encoder: EventEncoder,
        cadence: Cadence | None = None,
    ) -> None:
        """Sign the chains of `store` with `key`, as often as `cadence` says (default: 1,000 entries or an hour)."""
        self._store = store
        self._key = key
        self._clock = clock
        self._ids = ids
        self._encoder = encoder
        self.cadence = cadence or Cadence()

    @property
    def public_key(self) -> VerifyingKey:
        """What a verifier needs."""
        return self._key.public

    async def sign(self, tenant: str, *, actor: str = "switchgear") -> Stored:
        """Sign the tenant's chain as it is now and record that. An engine that does so at the same moment may win.

        Raises `Invalid` when the chain is empty, `StoreError` when nothing could be recorded.
        """
        _, version = await _row(self._store, tenant)
        head = await self._store.head(tenant)
        if not head.seq:
            raise Invalid("there is no entry to sign yet")
        return await self._record(tenant, actor, self._signed(head), version)

    async def sweep(self) -> Swept:
        """Sign every chain that is due. One that cannot be signed is logged and named, and never stops the others."""
        signed, failed = 0, []
        for tenant in await self._store.tenants():
            try:
                signed += await self._sign_if_due(tenant)
            except SwitchgearError as error:
                _log.warning("the chain of %s was not signed: %s", tenant, error)
                failed.append(tenant)
        return Swept(signed, tuple(failed))

    async def _sign_if_due(self, tenant: str) -> bool:
        newest = await newest_checkpoint(self._store, tenant)
        head = await self._store.head(tenant)
        if not due(self.cadence, head.seq, newest, self._clock.time()):
            return False
        await self.sign(tenant)
        return True

    def _signed(self, head: Head) -> Stored:
        checkpoint = Checkpoint(self._key.name, head.tenant, head.seq, head.hash)
        return Stored(head.seq, self._clock.time(), str(self._key.sign(checkpoint.text())))

    async def _record(self, tenant: str, actor: str, signed: Stored, version: int) -> Stored:
        event = self._encoder.encode(
            CHECKPOINT,
            stream=STREAM,
            scope=Scope(tenant, "platform", actor),
            at=signed.at,
            facts={"seq": signed.seq, "note": signed.note},
        )
        write = Write(SPACE, NEWEST, version, _encode(signed))
        outcome = await append_surely(self._store, Append(self._ids.next("apd"), tenant, (event,), (write,)))
        if isinstance(outcome, Conflicted):
            winner = await newest_checkpoint(self._store, tenant)
            assert winner is not None, "what conflicts is there"
            return winner
        return signed


async def _row(rows: Rows, tenant: str) -> tuple[Stored | None, int]:
    row = await rows.get(SPACE, tenant, NEWEST)
    if row is None:
        return None, 0
    return read_value(_decode, row.value, "the newest checkpoint of tenant {!r}", tenant), row.version
