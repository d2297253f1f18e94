"""Signed notes: a short text that people can read, and signatures below it. Text only: no key, no file, no clock.

The format is that of C2SP (c2sp.org/signed-note), so other tools can check what is signed here, and witness it::

    ledger.example.org/acme
    1200
    q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=

    — ledger.example.org AAAAAGNvbnRlbnQ=

What stands in a text is known above; `keys` makes and checks signatures.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from hashlib import sha256

from switchgear.core.errors import Invalid

KEY_ID_BYTES = 4
ED25519 = b"\x01"
"""The type of a key of Ed25519 (RFC 8032) in key identifiers and encoded keys."""

NOTE_CHARACTERS_MAX = 64 * 1024
"""What is longer is no note of ours."""

_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: the name of the key, its identifier (4 bytes), and the signature's own bytes."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """Return the line as it stands below a note, with its line end."""
        encoded = base64.b64encode(self.key_id + self.value).decode("ascii")
        return f"{_DASH}{self.name} {encoded}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a line end, and its signatures in their order."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        """Return the note as it is stored and sent."""
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)


def read_note(text: str) -> Note:
    """Return the note that `text` holds. Raises `Invalid` when it is none, or has no signature."""
    if len(text) > NOTE_CHARACTERS_MAX or _CONTROL.search(text):
        raise Invalid("a signed note is at most 65,536 characters of plain text")
    body, blank, below = text.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise Invalid("a signed note is a text, an empty line, and lines of signatures")
    return Note(f"{body}\n", tuple(_signature(line) for line in below[:-1].split("\n")))


def checked_key_name(name: str) -> str:
    """Return `name` when it can name a key and its ledger: 1 to 128 of ``A-Za-z0-9._:-``. Raises `Invalid`."""
    if not _NAME.match(name):
        raise Invalid(f"a ledger is named by 1 to 128 characters of A-Za-z0-9._:-, not {name[:50]!r}")
    return name


def key_id(name: str, public_key: bytes) -> bytes:
    """Return the 4 bytes that tell keys of one name apart (c2sp.org/signed-note)."""
    return sha256(b"%b\n%b%b" % (name.encode(), ED25519, public_key)).digest()[:KEY_ID_BYTES]


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not name:
        raise Invalid("a line below the note is no signature")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise Invalid(f"the signature of {name!r} is not base64") from error
    if len(raw) <= KEY_ID_BYTES:
        raise Invalid(f"the signature of {name!r} is too short")
    return Signature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])
