"""Keys that sign checkpoints, in their text forms. The only module of the ledger that touches cryptography.

Ed25519 (RFC 8032). A private key is the text ``PRIVATE+KEY+name+id+base64``, a public one ``name+id+base64``: the forms
that the tools round C2SP notes know. The name of a key is the name of the ledger that it signs for.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from switchgear.core.errors import Invalid
from switchgear.ledger.notes import ED25519, Note, Signature, checked_key_name, key_id

KEY_BYTES = 32
_PRIVATE = "PRIVATE+KEY+"
_OWNER_ONLY = 0o600
_OTHERS = 0o077
_FILE_BYTES_MAX = 4096


class VerifyingKey:
    """A public key: tells whether a note was signed by the ledger of its name."""

    __slots__ = ("_key", "id", "name")

    def __init__(self, name: str, public_key: bytes) -> None:
        """Take the 32 bytes of a public key. Raises `Invalid` when name or bytes cannot be those of a key."""
        self.name = checked_key_name(name)
        self.id = key_id(name, public_key)
        try:
            self._key = Ed25519PublicKey.from_public_bytes(public_key)
        except ValueError as error:
            raise Invalid(f"the public key {name!r} is not a key of Ed25519") from error

    @classmethod
    def read(cls, text: str) -> VerifyingKey:
        """Return the key that `text` (``name+id+base64``) spells. Raises `Invalid`, also when its id is another's."""
        name, public_key = _decoded(text.strip(), "public")
        found = cls(name, public_key)
        _check_id(text.strip(), found.id)
        return found

    def __str__(self) -> str:
        """Return the text form: what is given to whoever verifies."""
        raw = self._key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _encoded(self.name, self.id, raw)

    def signed(self, note: Note) -> bool:
        """Return whether the note carries a signature of this key; one that is not good spoils the others."""
        ours = [found for found in note.signatures if (found.name, found.key_id) == (self.name, self.id)]
        return bool(ours) and all(self._good(signature, note) for signature in ours)

    def _good(self, signature: Signature, note: Note) -> bool:
        try:
            self._key.verify(signature.value, note.text.encode())
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A private key. Its text form is a secret; neither `repr` nor errors show it."""

    __slots__ = ("_key", "name", "public")

    def __init__(self, name: str, seed: bytes) -> None:
        """Take the 32 bytes of a private key (the seed of RFC 8032). Raises `Invalid`."""
        self.name = checked_key_name(name)
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(seed)
        except ValueError as error:
            raise Invalid(f"the private key {name!r} is not a key of Ed25519") from error
        self.public = VerifyingKey(name, self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def read(cls, text: str) -> SigningKey:
        """Return the key that `text` (``PRIVATE+KEY+name+id+base64``) spells. Raises `Invalid`."""
        plain = text.strip()
        if not plain.startswith(_PRIVATE):
            raise Invalid("this is not a private key: it would start with PRIVATE+KEY+")
        spelled = plain.removeprefix(_PRIVATE)
        found = cls(*_decoded(spelled, "private"))
        _check_id(spelled, found.public.id)
        return found

    def sign(self, text: str) -> Note:
        """Return `text`, which ends in a line end, signed. Raises `Invalid` for another text."""
        if not text.endswith("\n"):
            raise Invalid("a text to sign ends in a line end")
        signature = Signature(self.name, self.public.id, self._key.sign(text.encode()))
        return Note(text, (signature,))

    def secret_text(self) -> str:
        """Return the text form of the private key, for the one file that it is kept in."""
        raw = self._key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return _PRIVATE + _encoded(self.name, self.public.id, raw)


def make_key_file(file: Path, name: str, seed: bytes | None = None) -> SigningKey:
    """Make a key (from the system's randomness unless `seed` is given) in a new file that only its owner can read.

    Raises `Invalid` for a name that cannot be a ledger's, `OSError` when the file is there already or cannot be made.
    """
    key = SigningKey(name, os.urandom(KEY_BYTES) if seed is None else seed)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(key.secret_text() + "\n")
        stream.flush()
        os.fsync(descriptor)
    return key


def read_key_file(file: Path) -> SigningKey:
    """Return the private key of a file.

    Raises `Invalid` when others than its owner may read it or it holds no key, `OSError` when it cannot be read.
    """
    with file.open("rb") as stream:
        if os.fstat(stream.fileno()).st_mode & _OTHERS:
            raise Invalid(f"{file} can be read by others; run `chmod 600 {file}`, and make a new key if they did")
        content = stream.read(_FILE_BYTES_MAX)
    try:
        return SigningKey.read(content.decode("ascii"))
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} holds no key") from error


def signer_of(note: Note, keys: Sequence[VerifyingKey]) -> VerifyingKey | None:
    """Return the first of `keys` that has signed the note, or None."""
    return next((key for key in keys if key.signed(note)), None)


def _encoded(name: str, identity: bytes, raw: bytes) -> str:
    return f"{name}+{identity.hex()}+{base64.b64encode(ED25519 + raw).decode('ascii')}"


def _decoded(text: str, kind: str) -> tuple[str, bytes]:
    parts = text.split("+", 2)
    if len(parts) != len(("name", "id", "key")):
        raise Invalid(f"a {kind} key is written name+id+base64")
    try:
        raw = base64.b64decode(parts[2], validate=True)
    except ValueError as error:
        raise Invalid(f"the {kind} key {parts[0][:50]!r} is not base64") from error
    if raw[:1] != ED25519 or len(raw) != 1 + KEY_BYTES:
        raise Invalid(f"the {kind} key {parts[0][:50]!r} is not a key of Ed25519")
    return parts[0], raw[1:]


def _check_id(text: str, identity: bytes) -> None:
    if text.split("+", 2)[1] != identity.hex():
        raise Invalid("the key does not have the identifier that stands beside it: a character is wrong")
