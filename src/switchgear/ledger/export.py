"""One tenant's chain as JSON Lines, and the reader of such a file. Streams; memory stays at one page.

A header line, one line an entry, a trailer with the head and the count::

    {"format":"switchgear-ledger","version":1,"tenant":"acme"}
    {"seq":1,"prev":"00…","hash":"5f…","stream":"int_…","body":"{…}","payload":null}
    {"head":{"tenant":"acme","seq":1,"hash":"5f…"},"count":1}

`body` is the text exactly as it is hashed; `payload` is base64, or null when there is none or it was erased. Nothing is
exported that the chain does not protect, so positions and append ids are not. An export
shows what is stored, damaged or not: judging it is the verifier's.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.ledger.chain import HASH_BYTES
from switchgear.ledger.folding import chain_entries
from switchgear.storage.abilities import Entry, Head, Journal

FORMAT = "switchgear-ledger"
FORMAT_VERSION = 1


async def export_lines(journal: Journal, tenant: str) -> AsyncIterator[str]:
    """Yield the lines of the tenant's export, without line ends, up to the head that the chain has now.

    Raises `StoreError` (LEDGER_CORRUPT) when a body is not UTF-8, which no event of ours ever was.
    """
    head = await journal.head(tenant)
    yield _line({"format": FORMAT, "version": FORMAT_VERSION, "tenant": tenant})
    count = 0
    async for entry in chain_entries(journal, head):
        count += 1
        yield _line(_exported(entry))
    yield _line({"head": {"tenant": tenant, "seq": head.seq, "hash": head.hash.hex()}, "count": count})


class ExportReader:
    """Reads an export line by line: iterate for the entries, then ask for `tenant`, `head` and `count`.

    `head` is None until the trailer was read, and stays None in a file that was cut off. `line` is the number of the
    line read last, from 1. Positions and append ids are not exported; entries carry 0 and "".
    """

    def __init__(self, lines: Iterable[str]) -> None:
        """Read the header at once. Raises `StoreError` (LEDGER_CORRUPT) when it is not one of ours."""
        self._lines = iter(lines)
        self.line = 0
        self.tenant = self._header(self._next() or {})
        self.head: Head | None = None
        self.count = 0

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries. Raises `StoreError` (LEDGER_CORRUPT), naming the line, at one that cannot be read."""
        while (fields := self._next()) is not None:
            if self.head is not None:
                raise self._bad("stands after the trailer")
            if "head" in fields:
                self._trailer(fields)
            else:
                yield self._entry(fields)

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

    def _header(self, fields: Mapping[str, Any]) -> str:
        if fields.get("format") != FORMAT or not isinstance(fields.get("tenant"), str):
            raise self._bad(f"is not the header of a {FORMAT} export")
        if fields.get("version") != FORMAT_VERSION:
            raise self._bad(f"has format version {fields.get('version')!r}; this reader knows {FORMAT_VERSION}")
        return str(fields["tenant"])

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
                body=_text(fields["body"]).encode(),
                payload=_payload(fields["payload"]),
            )
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise self._bad(f"is not an entry ({error!r})") from error

    def _bad(self, problem: str) -> StoreError:
        return StoreError(f"line {self.line or 1} {problem}", code=Code.LEDGER_CORRUPT)


def _exported(entry: Entry) -> dict[str, object]:
    try:
        body = entry.body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(
            f"entry {entry.seq} of tenant {entry.tenant!r} has a body that is not UTF-8",
            code=Code.LEDGER_CORRUPT,
        ) from error
    return {
        "seq": entry.seq,
        "prev": entry.prev.hex(),
        "hash": entry.hash.hex(),
        "stream": entry.stream,
        "body": body,
        "payload": None if entry.payload is None else base64.b64encode(entry.payload).decode("ascii"),
    }


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
