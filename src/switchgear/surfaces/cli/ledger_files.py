"""Files that the ledger's commands read and write: exports, segments, keys, notes. No server is asked here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from switchgear.core.errors import Invalid
from switchgear.surfaces.cli.failures import CommandFailure, failure_of_usage

if TYPE_CHECKING:
    from switchgear.ledger.keys import VerifyingKey
    from switchgear.ledger.verify import Verification

NOTE_BYTES_MAX = 65_536
_EXPORT_ADVICE = "Make one with `switchgear ledger export`."
_HEADER_CHARACTERS_MAX = 1_048_576
"""Most that is read to find the end of line 1; a header with the longest checkpoint is well below."""
_SQLITE = "SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Written:
    """A new file: how many lines it has, and the SHA-256 of its bytes in hex."""

    lines: int
    sha256: str


def write_new(file: Path, lines: Iterable[str]) -> Written:
    """Write a new file, and sync it to the disk; one that broke off is removed, since half an export looks cut off.

    Raises `CommandFailure` (USAGE) when the file is there already or cannot be made.
    """
    try:
        stream = file.open("x", encoding="utf-8", newline="\n")
    except OSError as error:
        raise failure_of_usage(f"{file}: {error.strerror}", advice="Name a new file.") from error
    try:
        with stream:
            written = _write(stream, lines)
            os.fsync(stream.fileno())
    except BaseException:
        file.unlink()
        raise
    return written


def verified(
    files: Sequence[Path],
    *,
    keys: Sequence[str] = (),
    checkpoints: Sequence[Path] = (),
    watch: Callable[[Iterator[str]], Iterator[str]] = iter,
) -> Verification:
    """Verify one chain in `files`, oldest first, offline. `watch` sees each line as it is read.

    Raises `CommandFailure` (USAGE) for a file that cannot be opened or is no export. What is wrong behind the header of
    an export is a finding, not an error.
    """
    from switchgear.ledger.verify import verify_exports

    public = [key_of(text) for text in keys]
    notes = [_text_of(file, "A checkpoint is what `switchgear ledger checkpoint` wrote.") for file in checkpoints]
    with ExitStack() as closing:
        opened = [watch(_export_in(closing.enter_context(_opened(file)), file)) for file in files]
        return verify_exports(opened, keys=public, checkpoints=notes)


def verified_segment(file: Path, archived_through: int) -> Verification:
    """Verify a segment that was written here: one without a header broke off, which is a finding like any other."""
    from switchgear.ledger.verify import verify_exports

    with _opened(file) as opened:
        return verify_exports([opened], archived_through=archived_through)


def key_of(text: str) -> VerifyingKey:
    """Return the public key that `text` spells or that stands in the file of that name."""
    from switchgear.ledger.keys import VerifyingKey

    spelled = text if text.count("+") >= len("++") else _text_of(Path(text), "Give --key as name+id+base64, or a file.")
    try:
        return VerifyingKey.read(spelled)
    except Invalid as error:
        raise failure_of_usage(error.message, advice="`switchgear ledger key FILE` prints the public key.") from error


def document_of(found: Verification) -> dict[str, Any]:
    """Return what was found as JSON has it."""
    return {
        "ok": found.ok,
        "entries": found.count,
        "first_bad_seq": found.first_bad_seq,
        "problem": found.problem or None,
        "head": {"tenant": found.head.tenant, "seq": found.head.seq, "hash": found.head.hash.hex()},
        "bad": found.bad,
        "findings": [{"seq": finding.seq, "problem": finding.problem} for finding in found.findings],
        "begins_after": found.begins_after,
        "checkpoint": _checkpoint_of(found),
    }


def failure_of_file(file: Path, error: OSError, advice: str) -> CommandFailure:
    """Say that a file cannot be used."""
    return failure_of_usage(f"{file}: {error.strerror or error}", advice=advice)


def _checkpoint_of(found: Verification) -> dict[str, Any] | None:
    if found.witnessed is None:
        return None
    key = found.witnessed.key
    return {
        "seq": found.witnessed.checkpoint.seq,
        "ledger": found.witnessed.checkpoint.ledger,
        "signed_by": None if key is None else str(key),
    }


def _write(stream: TextIO, lines: Iterable[str]) -> Written:
    count, digest = 0, hashlib.sha256()
    for line in lines:
        stream.write(line + "\n")
        digest.update(line.encode() + b"\n")
        count += 1
    stream.flush()
    return Written(count, digest.hexdigest())


def write_lines(stream: TextIO, lines: Iterable[str]) -> None:
    """Write lines to a stream that is open already, such as the terminal."""
    _write(stream, lines)


def _opened(file: Path) -> TextIO:
    try:
        return file.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise failure_of_file(file, error, _EXPORT_ADVICE) from error


def _export_in(stream: TextIO, file: Path) -> Iterator[str]:
    """Return the lines of `stream`, which may be a pipe. Raises `CommandFailure` (USAGE) when it holds no export."""
    from switchgear.ledger.export import is_header

    first = stream.readline(_HEADER_CHARACTERS_MAX)
    if first.startswith(_SQLITE):
        advice = "A backup is checked by restoring it. To check a chain, export it with `switchgear ledger export`."
        raise failure_of_usage(
            f"{file} is a store (a SQLite database), not an export: nothing was verified", advice=advice
        )
    if not is_header(first):
        detail = (
            f"{file} is no export of a ledger: line 1 is not the header of one, or was destroyed. Nothing was verified"
        )
        raise failure_of_usage(detail, advice=_EXPORT_ADVICE)
    return chain([first], stream)


def _text_of(file: Path, advice: str) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(NOTE_BYTES_MAX)
    except OSError as error:
        raise failure_of_file(file, error, advice) from error


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a note, without their ends, so that writing them gives the note again."""
    yield from text.removesuffix("\n").split("\n")
