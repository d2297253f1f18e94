"""Signed notes and the keys that sign them: the text forms, and everything that is refused."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest

from switchgear.core.errors import Invalid
from switchgear.ledger.keys import SigningKey, VerifyingKey, make_key_file, read_key_file, signer_of
from switchgear.ledger.notes import Note, Signature, checked_key_name, read_note
from tests.unit.ledger.signing import KEY, OTHER_KEY

TEXT = "ledger.example.org/acme\n3\nAAAA\n"

PUBLIC = "ledger.example.org+4c5f31b6+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
NOTE = """ledger.example.org/acme
3
AAAA

— ledger.example.org TF8xtiqzEoOOpPEWYRcfA63HfraAImo8n1W5kfi6Dy49iBP/8vZgYyT7fPYOAS6ZrtKSNAIdKdLCD28a6EyNj6yo0gM=
"""


def test_keys_and_notes_have_their_published_forms() -> None:
    """Key texts and notes are those of C2SP: what was written once is read for ever, here and by other tools."""
    assert str(KEY.public) == PUBLIC
    assert str(KEY.sign(TEXT)) == NOTE
    assert VerifyingKey.read(PUBLIC).signed(read_note(NOTE))
    assert str(read_note(NOTE)) == NOTE
    assert SigningKey.read(KEY.secret_text() + "\n").secret_text() == KEY.secret_text()


def test_a_key_is_told_by_name_and_bytes() -> None:
    """The identifier is the first 4 bytes of SHA-256 over name, line end, type 1 and key."""
    raw = base64.b64decode(PUBLIC.split("+", 2)[2])
    assert KEY.public.id == hashlib.sha256(b"ledger.example.org\n" + raw).digest()[:4]
    assert raw[:1] == b"\x01"


def test_what_is_signed_is_believed_and_nothing_else() -> None:
    """Neither another key of the same name nor another text fits a signature."""
    note = KEY.sign(TEXT)
    assert KEY.public.signed(note)
    assert not OTHER_KEY.public.signed(note)
    assert not KEY.public.signed(Note(TEXT.replace("3", "4"), note.signatures))
    assert signer_of(note, [OTHER_KEY.public, KEY.public]) is KEY.public
    assert signer_of(note, [OTHER_KEY.public]) is None


def test_a_wrong_signature_spoils_a_good_one() -> None:
    """A note with a forged signature beside a good one of the same key is not believed (C2SP signed-note)."""
    note = KEY.sign(TEXT)
    forged = Signature(KEY.name, KEY.public.id, bytes(64))
    assert not KEY.public.signed(Note(TEXT, (*note.signatures, forged)))


def test_others_may_sign_too() -> None:
    """A witness's signature of a kind that we do not know is carried along."""
    note = KEY.sign(TEXT)
    witnessed = Note(TEXT, (*note.signatures, Signature("witness.example", b"abcd", b"x" * 70)))
    again = read_note(str(witnessed))
    assert again == witnessed
    assert KEY.public.signed(again)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text only\n",
        "text\n\n",
        "text\n\nno dash AAAAAAAA\n",
        "text\n\n— name\n",
        "text\n\n— name ????\n",
        "text\n\n— name ü\n",
        "text\n\n— name AAAAAA==\n",
        "text\n\n— name AAAAAAAAAAAA",
        "te\0xt\n\n— name AAAAAAAAAAAA\n",
        "x" * 70_000 + "\n\n— name AAAAAAAAAAAA\n",
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    """A text without well-formed signatures never passes for a signed one."""
    with pytest.raises(Invalid):
        read_note(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a/b", "ü", "x" * 129, "-a"])
def test_a_name_must_be_safe_in_every_text(name: str) -> None:
    """A ledger's name stands in keys, notes and origins, so it holds none of their separators."""
    with pytest.raises(Invalid):
        checked_key_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        "name+00000000+????",
        "name+00000000+" + base64.b64encode(b"\x01" + bytes(range(32))).decode(),
        "name+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(),
        "name+00000000+" + base64.b64encode(b"\x01" + bytes(31)).decode(),
        PUBLIC.replace(KEY.public.id.hex(), "00000000"),
        PUBLIC.replace("ledger", "ledge"),
    ],
)
def test_a_mistyped_key_is_refused(text: str) -> None:
    """The identifier of a key is a check over name and bytes, so one wrong character is noticed."""
    with pytest.raises(Invalid):
        VerifyingKey.read(text)
    with pytest.raises(Invalid):
        SigningKey.read("PRIVATE+KEY+" + text)


def test_a_public_key_is_no_private_key() -> None:
    """Who gives the wrong half of the pair is told so."""
    with pytest.raises(Invalid, match="not a private key"):
        SigningKey.read(PUBLIC)
    with pytest.raises(Invalid):
        SigningKey("name", b"short")


def test_a_text_to_sign_ends_in_a_line_end() -> None:
    """The format signs whole lines."""
    with pytest.raises(Invalid):
        KEY.sign("no line end")


def test_a_key_file_is_its_owners(tmp_path: Path) -> None:
    """A new key can be read by its owner only, is found again, and is never written over."""
    file = tmp_path / "ledger.key"
    key = make_key_file(file, "ledger.example.org")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(read_key_file(file).public) == str(key.public)
    with pytest.raises(FileExistsError):
        make_key_file(file, "ledger.example.org")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A private key that was open to others proves nothing any more."""
    file = tmp_path / "ledger.key"
    make_key_file(file, "ledger.example.org")
    file.chmod(0o640)
    with pytest.raises(Invalid, match="chmod 600"):
        read_key_file(file)


@pytest.mark.parametrize("content", [b"", b"\xff", b"PRIVATE+KEY+a"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in the file, the answer is a refusal that does not show it."""
    file = tmp_path / "ledger.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(Invalid):
        read_key_file(file)


def test_a_secret_is_not_shown() -> None:
    """Neither printing a private key nor its public half shows the secret."""
    assert KEY.secret_text() not in repr(KEY) + str(KEY) + str(KEY.public)
