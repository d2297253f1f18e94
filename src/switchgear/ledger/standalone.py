"""Verifies exports of a Switchgear ledger with Python's standard library only, so that an auditor installs nothing.

    python standalone.py EXPORT... --key PUBLIC [--checkpoint FILE]

Give archived segments first, oldest first. `--key` is a public key (``name+id+base64``) or a file that holds one. Ends
with 0 when all is well, 10 when something was changed, removed, added, moved or cut off, 2 when it was called wrongly
or a file is no export: its line 1 is not the header of one, or was destroyed.

This file shares no code with the verifier inside the package: two readings of one format, held together by tests.
Nothing imports it. Copy it anywhere; it needs Python 3.11. Formats: C2SP signed notes, Ed25519 (RFC 8032, 5.1.7).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BAD = 10
GENESIS = bytes(32)
TAG = b"switchgear/ledger/entry/1\n"
SALT_BYTES = 16
HASH_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
ED25519 = b"\x01"
DASH = "\N{EM DASH} "
NOTE_CHARACTERS_MAX = 64 * 1024
HEADER_CHARACTERS_MAX = 1024 * 1024
NOT_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
BODY_TYPES: dict[str, tuple[type, ...]] = {
    "stream": (str,),
    "type": (str,),
    "version": (int,),
    "at": (int, float),
    "actor": (str,),
    "account": (str,),
    "trace": (str,),
    "correlation": (str,),
    "causation": (str,),
    "facts": (dict,),
    "payload_digest": (str, type(None)),
}
"""The members of a hashed body; each has to be there, and no other."""


class BadError(Exception):
    """Something is not as it should be; the message says what."""


# --- Ed25519: checking a signature (RFC 8032) ---

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""X, Y, Z and T with x = X/Z, y = Y/Z and x·y = T/Z."""


def signature_fits(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` (64 bytes) over `message` was made by the owner of `public_key` (32 bytes)."""
    point = decompressed(public_key)
    factor = int.from_bytes(signature[32:], "little")
    if point is None or len(signature) != SIGNATURE_BYTES or factor >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % ORDER
    x, y, z, t = times(challenge, point)
    return compressed(plus(times(factor, BASE), (-x % P, y, z, -t % P))) == signature[:32]


def plus(one: Point, other: Point) -> Point:
    """Return the sum of two points."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor: int, point: Point) -> Point:
    """Return `factor` times a point."""
    total: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = plus(total, point)
        point = plus(point, point)
        factor >>= 1
    return total


def compressed(point: Point) -> bytes:
    """Return the 32 bytes of a point: y, with the lowest bit of x on top."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompressed(encoded: bytes) -> Point | None:
    """Return the point that 32 bytes stand for, or None."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if len(encoded) != HASH_BYTES or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE: Point = decompressed((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or (0, 1, 1, 0)
"""The base point: y = 4/5, and x even."""


# --- keys and checkpoints (C2SP signed-note) ---


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the name of the ledger that it signs for."""

    name: str
    id: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says: the chain of `tenant` had `hash` at entry `seq`. `key` names who signed it, or is empty."""

    tenant: str
    seq: int
    hash: bytes
    key: str


def read_key(text: str) -> Key:
    """Return the public key that is written ``name+id+base64``. Raises `BadError`."""
    name, _, rest = text.strip().partition("+")
    id_, _, encoded = rest.partition("+")
    raw = unbase64(encoded)
    public = raw[1:]
    expected = hashlib.sha256(b"%b\n%b" % (name.encode(), raw)).digest()[:KEY_ID_BYTES]
    if raw[:1] != ED25519 or decompressed(public) is None or id_ != expected.hex():
        raise BadError("that is not a public key of Ed25519, written name+id+base64")
    return Key(name, expected, public)


def read_checkpoint(note: str, keys: Sequence[Key]) -> Checkpoint:
    """Return what a note says, signed by one of `keys`; without keys nobody is asked. Raises `BadError`."""
    if len(note) > NOTE_CHARACTERS_MAX or NOT_TEXT.search(note):
        raise BadError("a checkpoint is at most 65,536 characters of plain text")
    body, blank, below = note.rpartition("\n\n")
    lines = body.split("\n")
    ledger, slash, tenant = lines[0].partition("/")
    if not (blank and ledger and slash and tenant and below.endswith("\n")) or len(lines) < len("abc"):
        raise BadError("a checkpoint is a note of three lines with signatures below")
    if not re.fullmatch(r"[1-9][0-9]{0,17}", lines[1]) or len(hash_ := unbase64(lines[2])) != HASH_BYTES:
        raise BadError("a checkpoint names a sequence and a hash")
    signatures = [read_signature(line) for line in below[:-1].split("\n")]
    key = signer(f"{body}\n".encode(), signatures, keys)
    if keys and (key is None or key.name != ledger):
        raise BadError(f"the checkpoint at entry {lines[1]} is not signed by the key of ledger {ledger!r}")
    return Checkpoint(tenant, int(lines[1]), hash_, key.name if key else "")


def read_signature(line: str) -> tuple[str, bytes, bytes]:
    """Return name, key id and signature of a line. Raises `BadError`."""
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    raw = unbase64(encoded)
    if not line.startswith(DASH) or not name or len(raw) <= KEY_ID_BYTES:
        raise BadError("a line below the note is no signature")
    return name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:]


def signer(text: bytes, signatures: Sequence[tuple[str, bytes, bytes]], keys: Sequence[Key]) -> Key | None:
    """Return the first key that has signed `text`; a wrong signature of a key spoils its good ones."""
    for key in keys:
        own = [value for name, id_, value in signatures if (name, id_) == (key.name, key.id)]
        if own and all(signature_fits(key.public, text, value) for value in own):
            return key
    return None


# --- reading an export ---


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an export."""

    seq: int
    prev: bytes
    hash: bytes
    stream: str
    body: bytes
    payload: bytes | None


class Export:
    """One file: its header at once, then its entries; then `head` is (tenant, seq, hash), or None when cut off."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Read the header. Raises `BadError`."""
        self._lines = iter(lines)
        self._line = 0
        header = self._next() or {}
        tenant, version = header.get("tenant"), header.get("version")
        self.checkpoint = header.get("checkpoint")
        if header.get("format") != "switchgear-ledger" or not isinstance(tenant, str) or not tenant.isprintable():
            raise BadError("line 1 is not the header of a ledger's export")
        if type(version) is not int or version not in (1, 2) or not isinstance(self.checkpoint, str | None):
            raise BadError("line 1 is of a format that this verifier does not know")
        self.tenant = tenant
        self.head: tuple[str, int, bytes] | None = None
        self.count = 0

    def items(self) -> Iterator[Entry | BadError]:
        """Yield each entry, or what is wrong with its line."""
        while True:
            try:
                fields = self._next()
                if fields is None:
                    return
                if (found := self._item(fields)) is not None:
                    yield found
            except BadError as error:
                yield error

    def _item(self, fields: dict[str, Any]) -> Entry | None:
        if self.head is not None:
            raise BadError(f"line {self._line} stands after the trailer")
        try:
            if "head" not in fields:
                return entry_of(fields)
            head = fields["head"]
            self.head = (text_of(head["tenant"]), count_of(head["seq"]), hash_of(head["hash"]))
            self.count = count_of(fields["count"])
        except (KeyError, TypeError, ValueError, BadError) as error:
            raise BadError(f"line {self._line} cannot be read ({error!r})") from error
        return None

    def _next(self) -> dict[str, Any] | None:
        text = next(self._lines, None)
        if text is None:
            return None
        self._line += 1
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadError(f"line {self._line} is not JSON") from error
        if not isinstance(fields, dict):
            raise BadError(f"line {self._line} is not a JSON object")
        return fields


def entry_of(fields: dict[str, Any]) -> Entry:
    """Return the entry that a line holds. Raises `BadError`, `KeyError`, `TypeError` or `ValueError`."""
    body = fields["body"]
    return Entry(
        seq=count_of(fields["seq"]),
        prev=hash_of(fields["prev"]),
        hash=hash_of(fields["hash"]),
        stream=text_of(fields["stream"]),
        body=text_of(body).encode() if body is not None else unbase64(text_of(fields["body_base64"])),
        payload=None if fields["payload"] is None else unbase64(text_of(fields["payload"])),
    )


def text_of(value: object) -> str:
    """Return `value`, which is text. Raises `BadError`."""
    if not isinstance(value, str):
        raise BadError("text is expected")
    return value


def count_of(value: object) -> int:
    """Return `value`, which counts. Raises `BadError`."""
    if type(value) is not int or value < 0:
        raise BadError("a number is expected")
    return value


def hash_of(value: object) -> bytes:
    """Return the 32 bytes that `value` spells in hex. Raises `BadError`."""
    raw = bytes.fromhex(text_of(value))
    if len(raw) != HASH_BYTES:
        raise BadError("a hash has 32 bytes")
    return raw


def unbase64(text: str) -> bytes:
    """Return the bytes that `text` spells. Raises `BadError`."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadError("that is not base64") from error


# --- the chain ---


@dataclass(slots=True)
class Chain:
    """Follows one tenant's chain. `problems` are (sequence or None, words), in the order in which they were found."""

    tenant: str
    anchors: Sequence[Checkpoint]
    seq: int = 0
    last: bytes = GENESIS
    lost: int = 0
    begins_after: int = -1
    archived: int = 0
    good: int = 0
    signed: Checkpoint | None = None
    problems: list[tuple[int | None, str]] = field(default_factory=list)

    def take(self, item: Entry | BadError) -> None:
        """Check the next item; what follows is checked against what it says of itself."""
        if isinstance(item, BadError):
            self.problems.append((self.seq + 1, str(item)))
            self.lost += 1
            return
        if self.begins_after < 0:
            self._begin(item)
        try:
            self._check(item)
        except BadError as error:
            self.problems.append((min(max(item.seq, self.seq + 1), self.seq + 1 + self.lost), str(error)))
        self.seq, self.last, self.lost = item.seq, item.hash, 0
        if not self.problems:
            self.good = item.seq

    def end(self, head: tuple[str, int, bytes] | None) -> None:
        """Check that the chain ends in `head`."""
        if head is None:
            self.problems.append((self.seq + 1, "the file is cut off: nothing says where the chain ends"))
            return
        tenant, seq, hash_ = head
        reach = range(self.seq, self.seq + self.lost + 1)
        if tenant != self.tenant or seq not in reach or (seq == self.seq and hash_ != self.last):
            self.problems.append((self.seq + 1, f"the chain does not end in its head, which is entry {seq}"))

    def finish(self) -> None:
        """Check what only the whole chain can tell."""
        if self.begins_after > self.archived:
            self.problems.insert(0, (1, f"entries 1 to {self.begins_after} are missing, and no archive is on record"))
            self.good = 0
        for anchor in self.anchors:
            if anchor.seq > self.seq:
                self.problems.append((self.seq + 1, f"entry {anchor.seq} was signed, and is not there"))

    def _begin(self, entry: Entry) -> None:
        self.begins_after = 0 if self.lost else max(0, entry.seq - 1)
        self.seq = self.begins_after
        self.last = entry.prev if self.begins_after else GENESIS
        for anchor in self.anchors:
            if anchor.seq < self.begins_after:
                self.problems.append((None, f"entry {anchor.seq}, which was signed, is archived: give its segment"))
            elif 0 < anchor.seq == self.begins_after and not self._agrees(anchor, entry.prev):
                self.problems.append((anchor.seq, _rewritten(anchor)))

    def _check(self, entry: Entry) -> None:
        if not self.seq < entry.seq <= self.seq + 1 + self.lost:
            raise BadError(f"entry {entry.seq} stands where entry {self.seq + 1} should")
        if entry.seq == self.seq + 1 and entry.prev != self.last:
            raise BadError(f"entry {entry.seq} does not follow from the entry before it")
        if entry.seq >= 1 << 64 or sealed(entry) != entry.hash:
            raise BadError(f"entry {entry.seq} was edited")
        self.archived = max(self.archived, content_of(entry))
        here = [anchor for anchor in self.anchors if anchor.seq == entry.seq]
        agreed = [self._agrees(anchor, entry.hash) for anchor in here]
        if not all(agreed):
            raise BadError(_rewritten(here[0]))

    def _agrees(self, anchor: Checkpoint, hash_: bytes) -> bool:
        if anchor.hash != hash_:
            return False
        if self.signed is None or self.signed.seq <= anchor.seq:
            self.signed = anchor
        return True


def _rewritten(anchor: Checkpoint) -> str:
    return f"entry {anchor.seq} is not the one that was signed: it, or one before it, was rewritten"


def sealed(entry: Entry) -> bytes:
    """Return the hash that the entry should have."""
    return hashlib.sha256(TAG + entry.prev + entry.seq.to_bytes(8, "big") + entry.body).digest()


def content_of(entry: Entry) -> int:
    """Check what an entry holds. Return up to which entry it says the chain was archived, else 0. Raises `BadError`."""
    body = json_object(entry.body)
    if set(body) != set(BODY_TYPES) or any(type(body[name]) not in types for name, types in BODY_TYPES.items()):
        raise BadError(f"entry {entry.seq} is no event")
    if body["stream"] != entry.stream:
        raise BadError(f"entry {entry.seq} stands in another stream than its body says")
    if entry.payload is not None:
        if hashlib.sha256(entry.payload).hexdigest() != body["payload_digest"]:
            raise BadError(f"entry {entry.seq} has a payload that does not match its digest")
        json_object(entry.payload[SALT_BYTES:])
    last = body["facts"].get("last_seq") if body["type"] == "ledger.archived" else 0
    return last if type(last) is int else 0


def json_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object that `raw` holds. Raises `BadError`, also for what Python reads and JSON does not know."""
    try:
        found = json.loads(raw.decode(), parse_constant=float.fromhex)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadError("a body or payload is not JSON") from error
    if not isinstance(found, dict):
        raise BadError("a body or payload is not a JSON object")
    return found


# --- the whole ---


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `count` is the last sequence before the first bad one, `signed` the newest fitting checkpoint."""

    ok: bool
    count: int
    first_bad_seq: int | None
    problems: tuple[str, ...]
    signed: Checkpoint | None
    begins_after: int = 0


def verify(files: Iterable[Iterable[str]], keys: Sequence[Key] = (), notes: Sequence[str] = ()) -> Verdict:
    """Verify one chain that stands in `files`, oldest first, against its own checkpoints and `notes`."""
    try:
        exports = [Export(lines) for lines in files]
    except BadError as error:
        return Verdict(ok=False, count=0, first_bad_seq=1, problems=(str(error),), signed=None)
    tenant = exports[0].tenant
    carried = [export.checkpoint for export in exports if export.checkpoint is not None]
    anchors, doubts = checkpoints_of([*notes, *carried], keys, tenant)
    chain = Chain(tenant, anchors)
    for export in exports:
        follow(chain, export)
    chain.problems += [(None, doubt) for doubt in doubts]
    chain.finish()
    places = [seq for seq, _ in chain.problems if seq is not None]
    words = tuple(text for _, text in chain.problems)
    first = places[0] if places else None
    return Verdict(not words, chain.good, first, words, chain.signed, max(0, chain.begins_after))


def checkpoints_of(notes: Sequence[str], keys: Sequence[Key], tenant: str) -> tuple[list[Checkpoint], list[str]]:
    """Return the checkpoints of this tenant, and what is wrong with the other notes."""
    anchors, doubts = [], []
    for note in notes:
        try:
            found = read_checkpoint(note, keys)
        except BadError as error:
            doubts.append(str(error))
            continue
        if found.tenant == tenant:
            anchors.append(found)
        else:
            doubts.append(f"a checkpoint is of tenant {found.tenant!r}")
    if keys and not notes:
        doubts.append("nothing is signed: the export carries no checkpoint, and none was given")
    return anchors, doubts


def follow(chain: Chain, export: Export) -> None:
    """Follow the chain through one file."""
    fed = 0
    for item in export.items():
        if isinstance(item, Entry) and export.tenant != chain.tenant:
            chain.take(BadError(f"entry {item.seq} is of tenant {export.tenant!r}"))
        else:
            chain.take(item)
        fed += 1
    chain.end(export.head)
    if not chain.problems and export.count != fed:
        chain.problems.append((chain.seq + 1, f"the trailer counts {export.count} entries where there are {fed}"))


def main(arguments: Sequence[str]) -> int:
    """Verify the files that are named, say what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description="Verify exports of a Switchgear ledger.")
    parser.add_argument("export", nargs="+", type=Path, help="an export; archived segments first, oldest first")
    parser.add_argument("--key", action="append", default=[], help="a public key, or a file that holds one")
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, help="a note that was kept elsewhere")
    options = parser.parse_args(arguments)
    try:
        keys = [read_key(key_text(text)) for text in options.key]
        notes = [file.read_text(encoding="utf-8") for file in options.checkpoint]
        found = verify([lines_of(file) for file in options.export], keys, notes)
    except (OSError, UnicodeDecodeError, BadError) as error:
        parser.error(str(error))
    for line in report(found, keyed=bool(keys)):
        sys.stdout.write(line + "\n")
    return 0 if found.ok else BAD


def key_text(text: str) -> str:
    """Return the key that is written on the command line, or in the file of that name."""
    return text if text.count("+") >= len("++") else Path(text).read_text(encoding="ascii")


def report(found: Verdict, *, keyed: bool) -> Iterator[str]:
    """Yield what was found, line by line."""
    if found.ok:
        yield f"verified up to entry {found.count}"
    if found.ok and found.begins_after:
        yield f"entries 1 to {found.begins_after} are archived: give their segments to verify them as well"
    for problem in found.problems:
        yield f"not intact: {problem}"
    if found.first_bad_seq is not None:
        yield f"first bad entry: {found.first_bad_seq}"
    if found.signed is not None:
        yield f"checkpoint at entry {found.signed.seq}, " + (
            f"signed by {found.signed.key}" if keyed else "signature not checked: no key was given"
        )


def lines_of(file: Path) -> Iterator[str]:
    """Return the lines of an export. Raises `BadError` for a file that is none, and `OSError` as opening it does."""
    lines = _lines(file)
    first = next(lines)
    if first.startswith("SQLite format 3\0"):
        raise BadError(f"{file} is a store (a SQLite database), not an export: nothing was verified")
    if not is_header(first):
        raise BadError(f"{file} is no export: line 1 is not the header of one, or was destroyed. Nothing was verified")
    return itertools.chain([first], lines)


def is_header(line: str) -> bool:
    """Return whether an export begins with `line`, whatever else it says."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and fields.get("format") == "switchgear-ledger"


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as stream:
        yield stream.readline(HEADER_CHARACTERS_MAX)
        yield from stream


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
