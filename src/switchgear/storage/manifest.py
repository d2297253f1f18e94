"""What stands beside a backup: when it was made, where its chains end, and the hash of the file. As JSON.

The manifest is written last, so a file without one is no backup. Making copies is the adapters'; bringing one back
into use, and what that means for keys, is decided above.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError
from switchgear.storage.abilities import GENESIS, Head, Manifest

FORMAT = "switchgear-backup"
FORMAT_VERSION = 1

_SUFFIX = ".manifest.json"
_PRIVATE = 0o600
_BYTES_AT_ONCE = 1024 * 1024


def manifest_path(backup: Path) -> Path:
    """Return where the manifest of a backup stands."""
    return backup.with_name(backup.name + _SUFFIX)


def checked_backup(backup: Path) -> Manifest:
    """Return the manifest of `backup` once the file beside it is found to be the one that it describes.

    Reads the whole file. Raises `Invalid` when there is no such backup, `StoreError` (LEDGER_CORRUPT) when manifest or
    file are damaged, or not of each other.
    """
    manifest = read_manifest(backup)
    try:
        found = file_digest(backup, lambda: None)
    except OSError as error:
        raise Invalid(f"{backup} cannot be read: {error.strerror}") from error
    if found != (manifest.bytes, manifest.sha256):
        raise StoreError(f"{backup} is not the file that its manifest describes", code=Code.LEDGER_CORRUPT)
    return manifest


def read_manifest(backup: Path) -> Manifest:
    """Return the manifest of `backup`, without looking at the file itself.

    Raises `Invalid` when there is none, `StoreError` (LEDGER_CORRUPT) when it cannot be understood.
    """
    path = manifest_path(backup)
    try:
        fields = json.loads(path.read_bytes())
        return _decoded(fields)
    except OSError as error:
        raise Invalid(f"{path} cannot be read ({error.strerror}); a file without a manifest is no backup") from error
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is not a manifest of a backup: {error!r}", code=Code.LEDGER_CORRUPT) from error


def write_manifest(backup: Path, manifest: Manifest) -> None:
    """Write the manifest of `backup` and bring it and its name to the disk. Raises `OSError`, also when it exists."""
    path = manifest_path(backup)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor that was made private at once
        file.write(json.dumps(_encoded(manifest), indent=1).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def file_digest(path: Path, pause: Callable[[], object]) -> tuple[int, str]:
    """Return size and SHA-256 of a file, calling `pause` at every MiB; it may raise to end this. Raises `OSError`."""
    hasher, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_BYTES_AT_ONCE):
            hasher.update(piece)
            size += len(piece)
            pause()
    return size, hasher.hexdigest()


def sync_directory(folder: Path) -> None:
    """Bring the names in `folder` to the disk. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encoded(manifest: Manifest) -> dict[str, object]:
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "created_at": manifest.created_at,
        "bytes": manifest.bytes,
        "sha256": manifest.sha256,
        "heads": [{"tenant": head.tenant, "seq": head.seq, "hash": head.hash.hex()} for head in manifest.heads],
    }


def _decoded(fields: dict[str, Any]) -> Manifest:
    if (fields["format"], fields["version"]) != (FORMAT, FORMAT_VERSION):
        raise ValueError(f"format {fields['format']!r} version {fields['version']!r} is not known here")
    heads = tuple(Head(str(head["tenant"]), int(head["seq"]), _hash(head["hash"])) for head in fields["heads"])
    return Manifest(float(fields["created_at"]), int(fields["bytes"]), str(fields["sha256"]), heads)


def _hash(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != len(GENESIS):
        raise ValueError(f"a hash has {len(GENESIS)} bytes, not {len(found)}")
    return found
