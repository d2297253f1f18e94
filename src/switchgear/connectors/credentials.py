"""Header values that must not stand in a file, a log, an error or the ledger: given by reference, read when needed.

A reference names an environment variable or a file. Files are read again when they change, so a rotated secret is
taken up without a restart. The environment comes in as a mapping; nothing here reads the process's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from switchgear.core.errors import OptionError

SECRET_BYTES_MAX = 65_536
_STAMP = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a value stands: the environment variable or the file `name`. `prefix` (``"Bearer "``) is put before it."""

    kind: Literal["env", "file"]
    name: str
    prefix: str = ""

    def __str__(self) -> str:
        """Name the place, never the value."""
        return f"environment variable {self.name}" if self.kind == "env" else f"file {self.name}"


@dataclass(frozen=True, slots=True)
class PerTenant:
    """A value for each tenant. A tenant that is not listed has none, and nothing is sent for it."""

    tenants: Mapping[str, str | Reference] = field(repr=False)


HeaderValue = str | Reference | PerTenant


class Credentials:
    """Reads references. `environment` holds the variables; relative files stand in `folder`."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        """Read nothing yet."""
        self._environment = environment
        self._folder = folder
        self._files: dict[str, tuple[_STAMP, str]] = {}

    def read(self, reference: Reference) -> str:
        """Return the value without its prefix.

        Raises `OptionError` naming the reference, never the value, when it is missing, empty or no header value.
        """
        value = self._from_file(reference) if reference.kind == "file" else self._environment.get(reference.name, "")
        if not value:
            raise OptionError(f"{reference} is missing or empty; it is needed")
        if not is_header_value(value):
            raise OptionError(f"{reference} holds characters that a header cannot carry")
        return value

    def _from_file(self, reference: Reference) -> str:
        try:
            return self._read_changed(reference.name)
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"{reference} cannot be read ({type(error).__name__}); it is needed") from None

    def _read_changed(self, name: str) -> str:
        path = self._folder / name
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp[1] > SECRET_BYTES_MAX:
            raise OSError("too large")
        known = self._files.get(name)
        if known is None or known[0] != stamp:
            known = self._files[name] = (stamp, path.read_text(encoding="utf-8").strip())
        return known[1]


def is_header_value(value: str) -> bool:
    """Whether `value` may stand in a header: visible ASCII, spaces and tabs inside, no line ends."""
    return value == value.strip() and all(" " <= c <= "~" or c == "\t" for c in value)
