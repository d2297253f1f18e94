"""The envelope of an event: what is hashed, encoded once, and the payload that stands beside it.

`facts` are what the machine knows (attempt, code, epoch, wait) and never a user's data; they are hashed for ever.
A payload is the user's data (arguments, values, messages): it is stored as a salt of 16 random bytes and JSON, and the
body holds only SHA-256(salt | JSON). So it can be erased without breaking the chain, and not be guessed afterwards.

`decoded` is what was written, for who judges a chain; `read` is what it means today, for who folds it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError
from switchgear.core.scope import Scope
from switchgear.ledger.upcasting import Table, lifted, newest
from switchgear.storage.abilities import Entry, Event

SALT_BYTES = 16

_SALTS_AT_ONCE = 256
_NO_FACTS: Mapping[str, object] = {}


class Context(msgspec.Struct, frozen=True, gc=False):
    """What an event belongs to: the trace of the request, what it correlates with, what caused it. Empty when none."""

    trace: str = ""
    correlation: str = ""
    causation: str = ""


NO_CONTEXT = Context()


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry, decoded. `at` is seconds since the epoch; `version` is that of the event's type.

    `payload` is None when there never was one, and when it was erased; `erased` tells which.
    """

    tenant: str
    seq: int
    position: int
    append_id: str
    stream: str
    type: str
    version: int
    at: float
    actor: str
    account: str
    context: Context
    facts: Mapping[str, Any]
    payload: Mapping[str, Any] | None
    payload_digest: str | None

    @property
    def erased(self) -> bool:
        """Whether there was a payload that is gone."""
        return self.payload is None and self.payload_digest is not None


UPCASTERS: Table[Recorded] = {}
"""The functions that lift events of older releases, by type. Each is proved by a stored history of that release."""


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The hashed part, in the order of its JSON."""

    stream: str
    type: str
    version: int
    at: float
    actor: str
    account: str
    trace: str
    correlation: str
    causation: str
    facts: Mapping[str, Any]
    payload_digest: str | None


class Happened(Protocol):
    """What becomes an event: its type, what the machine knows of it, and the user's data (None: there is none)."""

    @property
    def kind(self) -> str:
        """The type of the event."""

    @property
    def actor(self) -> str:
        """Who did it, where that is not who did the rest; else empty."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is hashed for ever."""

    @property
    def payload(self) -> Mapping[str, Any] | None:
        """What stands beside it."""


class _Told(msgspec.Struct, frozen=True, gc=False):
    kind: str
    facts: Mapping[str, Any]
    payload: Mapping[str, Any] | None
    actor: str = ""


class EventEncoder:
    """Makes events. Draws its salts from `entropy` (a number of bytes to as many random ones), many at once."""

    __slots__ = ("_entropy", "_salts", "_to_json")

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        """Use the system's randomness unless a simulation brings its own."""
        self._entropy = entropy
        self._salts: list[bytes] = []
        self._to_json = msgspec.json.Encoder().encode

    def encode(
        self,
        type: str,
        *,
        stream: str,
        scope: Scope,
        at: float,
        facts: Mapping[str, object] = _NO_FACTS,
        payload: Mapping[str, object] | None = None,
        context: Context = NO_CONTEXT,
        version: int | None = None,
    ) -> Event:
        """Return the event to append for the tenant of `scope`, encoded.

        `at` is seconds since the epoch. `version` is the newest of its type unless given. Raises
        `Invalid` when facts or payload do not fit into JSON.
        """
        return self.events(
            (_Told(type, facts, payload),),
            stream=stream,
            at=at,
            actor=scope.actor,
            account=scope.account,
            trace=context.trace,
            correlation=context.correlation,
            causation=context.causation,
            version=version,
        )[0]

    def events(  # noqa: PLR0913 - what events of one moment have in common, each by name: it is said for every action
        self,
        happened: Iterable[Happened],
        *,
        stream: str,
        at: float,
        actor: str,
        account: str,
        trace: str = "",
        correlation: str = "",
        causation: str = "",
        version: int | None = None,
    ) -> list[Event]:
        """Return the events of what has `happened` in one stream in one moment, as `encode` does.

        The names of actor and account were checked where they came in.
        """
        events, to_json = [], self._to_json
        try:
            for one in happened:
                kind, payload = one.kind, one.payload
                stored = digest = None
                if payload is not None:
                    stored = (self._salts or self._drawn()).pop() + to_json(payload)
                    digest = payload_digest(stored)
                number = version
                if number is None:
                    number = newest(UPCASTERS, kind) if kind in UPCASTERS else 1
                by = one.actor or actor
                body = Body(stream, kind, number, at, by, account, trace, correlation, causation, one.facts, digest)
                events.append(Event(stream, to_json(body), stored))
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
            raise Invalid(f"an event must fit into JSON: {error}") from error
        return events

    def _drawn(self) -> list[bytes]:
        """Return many salts, which are taken from the end: one call of the system serves as many events."""
        self._salts = list(reversed(_salts_of(self._entropy(SALT_BYTES * _SALTS_AT_ONCE))))
        return self._salts


_salts_of = struct.Struct(f"{SALT_BYTES}s" * _SALTS_AT_ONCE).unpack
_decode_body = msgspec.json.Decoder(Body).decode
_decode_payload = msgspec.json.Decoder(dict[str, Any]).decode


def read(entry: Entry, upcasters: Table[Recorded] = UPCASTERS) -> Recorded:
    """Return `entry` decoded, and lifted to the newest version of its type.

    Raises `StoreError` (LEDGER_CORRUPT) as `decoded` does, and for an event that a newer release wrote.
    """
    found = decoded(entry)
    try:
        now = lifted(upcasters, found, found.type, found.version)
    except StoreError as error:
        raise _corrupt(entry, error.message) from error
    return now if now is found else replace(now, version=newest(upcasters, found.type))


def decoded(entry: Entry) -> Recorded:
    """Return `entry` decoded, as its release wrote it.

    Raises `StoreError` (LEDGER_CORRUPT), naming tenant and sequence, when the body is not an envelope, names another
    stream, or its payload does not match its digest. The chain itself is checked by `verify`.
    """
    try:
        body = _decode_body(entry.body)
        payload = _read_payload(entry.payload, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _corrupt(entry, f"cannot be decoded: {error}") from error
    except ValueError as error:
        raise _corrupt(entry, str(error)) from error
    if body.stream != entry.stream:
        raise _corrupt(entry, f"stands in stream {entry.stream!r}, but its body says {body.stream!r}")
    return Recorded(
        tenant=entry.tenant,
        seq=entry.seq,
        position=entry.position,
        append_id=entry.append_id,
        stream=body.stream,
        type=body.type,
        version=body.version,
        at=body.at,
        actor=body.actor,
        account=body.account,
        context=Context(body.trace, body.correlation, body.causation),
        facts=body.facts,
        payload=payload,
        payload_digest=body.payload_digest,
    )


def payload_digest(stored: bytes) -> str:
    """Return the SHA-256 of a stored payload (salt and JSON) as 64 hex digits."""
    return sha256(stored).hexdigest()


def _read_payload(stored: bytes | None, body: Body) -> dict[str, Any] | None:
    if stored is None:
        return None
    if body.payload_digest is None:
        raise ValueError("has a payload, but its body knows of none")
    if payload_digest(stored) != body.payload_digest:
        raise ValueError("has a payload that does not match its digest")
    return _decode_payload(stored[SALT_BYTES:])


def _corrupt(entry: Entry, problem: str) -> StoreError:
    return StoreError(f"entry {entry.seq} of tenant {entry.tenant!r} {problem}", code=Code.LEDGER_CORRUPT)
