"""One tenant's chain as JSON Lines, and the reader of such a file. Streams; memory stays at one page.

A header line, one line an entry, a trailer with the head and the count::

    {"format":"switchgear-ledger","version":2,"tenant":"acme","checkpoint":null}
    {"seq":1,"prev":"00…","hash":"5f…","stream":"int_…","body":"{…}","payload":null}
    {"head":{"tenant":"acme","seq":1,"hash":"5f…"},"count":1}

`checkpoint` is the newest signed note about an entry of this file, or null; it stands in front, so that a verifier
that reads the file once knows which hash to compare. Files of version 1, which had none, are read as well. `body` is
the text exactly as it is hashed (null, and `body_base64` beside it, when it was damaged into no text); `payload` is
base64, or null when there is none or it was erased. Nothing is exported that the chain does not protect, so positions
and append ids are not. A chain whose beginning was archived starts at a later sequence. An export shows what is stored,
damaged or not: judging it is the verifier's.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError
from switchgear.ledger.chain import HASH_BYTES
from switchgear.ledger.checkpoints import signed_here
from switchgear.ledger.folding import chain_entries
from switchgear.storage.abilities import Entry, Head, Store

FORMAT = "switchgear-ledger"
FORMAT_VERSION = 2
READABLE_VERSIONS = (1, FORMAT_VERSION)


async def export_lines(store: Store, tenant: str, *, last_seq: int | None = None) -> AsyncIterator[str]:
    """Yield the lines of the tenant's export, without line ends: up to `last_seq`, or the head that the chain has now.

    Raises `Invalid` when there is no entry `last_seq`.
    """
    note = await signed_here(store, tenant, last_seq)
    head = await store.head(tenant)
    end = head if last_seq is None or last_seq >= head.seq else await _end_at(store, tenant, last_seq)
    yield _line({"format": FORMAT, "version": FORMAT_VERSION, "tenant": tenant, "checkpoint": note})
    count = 0
    async for entry in chain_entries(store, end):
        count += 1
        yield _line(_exported(entry))
    yield _line({"head": {"tenant": tenant, "seq": end.seq, "hash": end.hash.hex()}, "count": count})


def is_header(line: str) -> bool:
    """Return whether an export begins with `line`. What else it says may be damaged: that is for a verifier to find."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and fields.get("format") == FORMAT


async def _end_at(store: Store, tenant: str, seq: int) -> Head:
    found = await store.entries(tenant, after_seq=seq - 1, limit=1)
    if not found or found[0].seq != seq:
        raise Invalid(f"there is no entry {seq} here")
    return Head(tenant, seq, found[0].hash)


class ExportReader:
    """Reads an export line by line: iterate for the entries, then ask for `head` and `count`.

    `head` is None until the trailer was read, and stays None in a file that was cut off. `line` is the number of the
    line read last, from 1. Positions and append ids are not exported; entries carry 0 and "".
    """

    def __init__(self, lines: Iterable[str]) -> None:
        """Read the header at once. Raises `StoreError` (LEDGER_CORRUPT) when it is not one of ours."""
        self._lines = iter(lines)
        self.line = 0
        self.tenant, self.checkpoint = self._header(self._next() or {})
        self.head: Head | None = None
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries."""
        return self

    def __next__(self) -> Entry:
        """Return the next entry.

        Raises `StoreError` (LEDGER_CORRUPT), naming the line, at one that cannot be read; the next call goes on behind.
        """
        while (fields := self._next()) is not None:
            if self.head is not None:
                raise self._bad("stands after the trailer")
            if "head" not in fields:
                return self._entry(fields)
            self._trailer(fields)
        raise StopIteration

    def _next(self) -> Mapping[str, Any] | None:
        """Return the fields of the next line, or None at the end."""
        text = next(self._lines, None)
        if text is None:
            return None
        self.line += 1
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._bad(f"is not JSON ({error})") from error
        if not isinstance(fields, dict):
            raise self._bad("is not a JSON object")
        return fields

    def _header(self, fields: Mapping[str, Any]) -> tuple[str, str | None]:
        tenant = fields.get("tenant")
        if fields.get("format") != FORMAT or not isinstance(tenant, str) or not tenant.isprintable():
            raise self._bad(f"is not the header of a {FORMAT} export")
        version = fields.get("version")
        if type(version) is not int or version not in READABLE_VERSIONS:
            raise self._bad(f"has format version {version!r}; this reader knows up to {FORMAT_VERSION}")
        checkpoint = fields.get("checkpoint")
        if checkpoint is not None and not isinstance(checkpoint, str):
            raise self._bad("has a checkpoint that is not text")
        return tenant, checkpoint

    def _trailer(self, fields: Mapping[str, Any]) -> None:
        try:
            head = fields["head"]
            self.head = Head(_text(head["tenant"]), _integer(head["seq"]), _hash(head["hash"]))
            self.count = _integer(fields["count"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._bad(f"is not a trailer ({error!r})") from error

    def _entry(self, fields: Mapping[str, Any]) -> Entry:
        try:
            return Entry(
                position=0,
                tenant=self.tenant,
                seq=_integer(fields["seq"]),
                prev=_hash(fields["prev"]),
                hash=_hash(fields["hash"]),
                append_id="",
                stream=_text(fields["stream"]),
                body=_body(fields),
                payload=_payload(fields["payload"]),
            )
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise self._bad(f"is not an entry ({error!r})") from error

    def _bad(self, problem: str) -> StoreError:
        return StoreError(f"line {self.line or 1} {problem}", code=Code.LEDGER_CORRUPT)


def _exported(entry: Entry) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "prev": entry.prev.hex(),
        "hash": entry.hash.hex(),
        "stream": entry.stream,
        **_exported_body(entry.body),
        "payload": None if entry.payload is None else _base64(entry.payload),
    }


def _exported_body(body: bytes) -> dict[str, str | None]:
    """Return the body as text; one that was damaged until it is no text any more goes as base64."""
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": _base64(body)}


def _body(fields: Mapping[str, Any]) -> bytes:
    if fields["body"] is None:
        return base64.b64decode(_text(fields["body_base64"]), validate=True)
    return _text(fields["body"]).encode()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _line(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {value!r}")
    return value


def _integer(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"a count expected, not {value!r}")
    return value


def _hash(value: object) -> bytes:
    found = bytes.fromhex(_text(value))
    if len(found) != HASH_BYTES:
        raise ValueError(f"{HASH_BYTES} bytes of hash expected, not {len(found)}")
    return found


def _payload(value: object) -> bytes | None:
    return None if value is None else base64.b64decode(_text(value), validate=True)
