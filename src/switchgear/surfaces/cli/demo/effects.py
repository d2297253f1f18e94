"""The upstream's own record of what it did: a JSON line for each applied effect, on disk before the answer.

This file is the demo's independent witness. It belongs to the upstream; Switchgear never writes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Effect:
    """One applied effect. `key` is what the caller sent to name its action; `answer` is what it was told.

    `at` is seconds since the epoch.
    """

    at: float
    operation: str
    key: str
    answer: dict[str, Any]


class EffectLog:
    """Appends effects to a file and syncs each. One process writes; not safe for several threads at once."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending; a line torn by a crash is cut off first, since it was never answered."""
        cut_torn_line(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(self, effect: Effect) -> None:
        """Write one effect. It is on disk when this returns."""
        line = json.dumps(asdict(effect), separators=(",", ":")) + "\n"
        os.write(self._descriptor, line.encode())
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_effects(path: Path) -> Iterator[Effect]:
    """Yield the effects in `path`, oldest first; a missing file has none.

    Raises `ValueError` for a line that is no effect. A last line without its end was never applied.
    """
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield Effect(**json.loads(line))


def cut_torn_line(path: Path) -> None:
    """Shorten `path` to its last whole line. A missing file stays missing."""
    if path.exists():
        data = path.read_bytes()
        os.truncate(path, data.rfind(b"\n") + 1)
