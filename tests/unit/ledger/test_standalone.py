"""The verifier in one file: its signatures are those of RFC 8032, and it runs where nothing is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.ledger import standalone
from switchgear.ledger.notes import Note, Signature
from tests.effort import examples
from tests.unit.ledger.signing import KEY, OTHER_KEY, Book, resealed

FILE = Path(standalone.__file__)
# RFC 8032, section 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
]


def raw(key: Ed25519PrivateKey) -> bytes:
    """Return the public key's 32 bytes."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_standard_verify(public: str, message: str, signature: str) -> None:
    """Ed25519 is what RFC 8032 says."""
    assert standalone.signature_fits(bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature))


@settings(max_examples=examples(25), deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64), st.integers(0, 511))
def test_signatures_are_judged_as_the_library_judges_them(seed: bytes, message: bytes, bit: int) -> None:
    """A good signature fits, and no single bit of it may be another."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    good = key.sign(message)
    flipped = (int.from_bytes(good, "little") ^ 1 << bit).to_bytes(64, "little")
    assert standalone.signature_fits(raw(key), message, good)
    assert not standalone.signature_fits(raw(key), message, flipped)
    assert not standalone.signature_fits(raw(key), message + b"x", good)


def test_a_signature_has_one_form() -> None:
    """The same signature with the group's order added to its factor is another text, and refused (RFC 8032, 5.1.7)."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    good = key.sign(b"x")
    again = int.from_bytes(good[32:], "little") + standalone.ORDER
    assert not standalone.signature_fits(raw(key), b"x", good[:32] + again.to_bytes(32, "little"))
    assert not standalone.signature_fits(raw(key), b"x", good[:63])
    assert not standalone.signature_fits(raw(key)[:31], b"x", good)


def test_bytes_that_are_no_point_are_no_key() -> None:
    """A number outside the field, and one without a square root, stand for nothing."""
    outside = (2**255 - 1).to_bytes(32, "little")
    nowhere = (2).to_bytes(32, "little")
    negative_zero = (1 | 1 << 255).to_bytes(32, "little")
    assert [standalone.decompressed(found) for found in (outside, nowhere, negative_zero)] == [None, None, None]


async def files_of(folder: Path) -> tuple[Path, Path, Path]:
    """Return a signed export, a rewritten one, and the checkpoint."""
    book = Book()
    await book.write(3)
    signed = await book.checkpointer().sign("acme")
    lines = await book.lines()
    good, bad, note = folder / "good.jsonl", folder / "bad.jsonl", folder / "note.txt"
    good.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bad.write_text("\n".join(resealed(lines, 2)) + "\n", encoding="utf-8")
    note.write_text(signed.note, encoding="utf-8")
    return good, bad, note


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the file by its path, with nothing of ours or of others to import."""
    return subprocess.run(
        [sys.executable, "-E", "-S", str(FILE), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=FILE.parent,
    )


async def test_it_runs_by_its_path_with_nothing_installed(tmp_path: Path) -> None:
    """An auditor needs a Python, this file, the export and a public key; the exit code says what was found."""
    good, bad, note = await files_of(tmp_path)
    fine = run(good, "--key", KEY.public, "--checkpoint", note)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert "verified up to entry 4" in fine.stdout
    assert "checkpoint at entry 3, signed by ledger.example.org" in fine.stdout
    found = run(bad, "--key", KEY.public)
    assert found.returncode == standalone.BAD
    assert "first bad entry: 3" in found.stdout


async def test_a_key_may_stand_in_a_file(tmp_path: Path) -> None:
    """As it came from whoever published it."""
    good, _, _ = await files_of(tmp_path)
    (tmp_path / "public.txt").write_text(f"{KEY.public}\n", encoding="ascii")
    assert run(good, "--key", tmp_path / "public.txt").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["missing.jsonl"],
        ["good.jsonl", "--key", "missing.txt"],
        ["good.jsonl", "--key", "name+00000000+AAAA"],
        ["good.jsonl", "--checkpoint", "missing.txt"],
    ],
)
async def test_a_wrong_call_is_not_a_verdict(tmp_path: Path, arguments: list[str]) -> None:
    """What was not verified is neither good nor bad: the exit code is 2, and nothing is said of the chain."""
    await files_of(tmp_path)
    named = [str(tmp_path / word) if "." in word else word for word in arguments]
    result = run(*named)
    assert (result.returncode, result.stdout) == (2, "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SQLite format 3\0" + bytes(range(256)), "is a store"),
        (b"\x1f\x8b\x08 packed", "is no export"),
        (b'{"format":"other"}\n', "is no export"),
        (b"[]\n", "is no export"),
        (b"", "is no export"),
    ],
)
async def test_a_file_that_is_no_export_is_no_verdict(
    tmp_path: Path, content: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a store nor a file whose header was destroyed is a forged chain, and neither passes: the code is 2."""
    good, _, _ = await files_of(tmp_path)
    other = tmp_path / "other.db"
    other.write_bytes(content)
    for files in ([other], [good, other]):
        with pytest.raises(SystemExit) as ended:
            standalone.main([str(file) for file in files])
        said = capsys.readouterr()
        assert (ended.value.code, said.out) == (2, "")
        assert words in said.err


async def test_damage_in_a_header_is_a_finding(tmp_path: Path) -> None:
    """A header that can still be told as one is judged, and not taken for another kind of file."""
    good, _, _ = await files_of(tmp_path)
    changed = tmp_path / "changed.jsonl"
    changed.write_text(good.read_text(encoding="utf-8").replace('"version":2', '"version":9', 1), encoding="utf-8")
    assert standalone.main([str(changed)]) == standalone.BAD


async def test_without_a_key_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A chain may be checked without a key; nobody is told that it was signed."""
    good, _, _ = await files_of(tmp_path)
    assert standalone.main([str(good)]) == 0
    assert "signature not checked" in capsys.readouterr().out
    assert standalone.main([str(good), "--key", str(OTHER_KEY.public)]) == standalone.BAD


def test_a_wrong_signature_spoils_a_good_one_here_too() -> None:
    """As in the verifier inside the package."""
    note = KEY.sign("ledger.example.org/acme\n3\n" + "A" * 43 + "=\n")
    keys = [standalone.read_key(str(KEY.public))]
    assert standalone.read_checkpoint(str(note), keys).seq == 3
    forged = Signature(KEY.name, KEY.public.id, bytes(64))
    with pytest.raises(standalone.BadError):
        standalone.read_checkpoint(str(Note(note.text, (*note.signatures, forged))), keys)


def test_a_key_speaks_for_its_own_ledger_only() -> None:
    """A checkpoint of another ledger, well signed, proves nothing here."""
    note = KEY.sign("other.example/acme\n3\n" + "A" * 43 + "=\n")
    with pytest.raises(standalone.BadError, match=r"not signed by the key of ledger 'other.example'"):
        standalone.read_checkpoint(str(note), [standalone.read_key(str(KEY.public))])
