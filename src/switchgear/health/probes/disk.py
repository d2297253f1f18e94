"""A probe of a folder on disk: room for more, and a small write that reaches it."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.health.probe import ProbeFailed, described
from switchgear.health.probes.bounding import Threads, require_timeout
from switchgear.policies.checks import require_count

WRITTEN_BYTES = 4_096
_MIB = 1_048_576


@dataclass(frozen=True, slots=True, eq=False)
class DiskProbe:
    """Looks at the disk that holds `folder`: how much is free, and whether a write arrives.

    free_bytes_min  bytes that have to be free for an ordinary user, at least 1; default 256 MiB.
    write           whether to write 4 KiB to a file without a name in `folder`, sync it, and read it back. The file
                    is gone when the probe ends, also when the process is killed. Default: yes.
    timeout         seconds for all of it, above 0; default 5.

    Calling it raises `ProbeFailed` when there is too little room or the disk refuses, `TimeoutError` when it hangs.
    Raises `OptionError` for options that cannot work.
    """

    folder: str | PathLike[str]
    free_bytes_min: int = field(default=256 * _MIB, kw_only=True)
    write: bool = field(default=True, kw_only=True)
    timeout: float = field(default=5.0, kw_only=True)
    clock: Clock = field(default=SYSTEM_CLOCK, kw_only=True, repr=False)
    _threads: Threads = field(default_factory=Threads, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("DiskProbe(free_bytes_min)", self.free_bytes_min, example=256 * _MIB)
        require_timeout(self, self.timeout)

    async def __call__(self) -> str:
        """Ask once."""
        return await self._threads.ask(self._ask, seconds=self.timeout, clock=self.clock)

    def _ask(self) -> str:
        try:
            free_bytes = _free_bytes(Path(self.folder))
            if free_bytes < self.free_bytes_min:
                raise ProbeFailed(f"{free_bytes // _MIB:,} MiB free, fewer than {self.free_bytes_min // _MIB:,}")
            if self.write:
                _write(Path(self.folder))
        except (TimeoutError, ConnectionError):
            raise  # a disk behind a network that does not answer
        except OSError as error:
            raise ProbeFailed(described(error)) from error
        return f"{free_bytes // _MIB:,} MiB free"


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _write(folder: Path) -> None:
    """Write to a file without a name, sync it, and read it back."""
    written = secrets.token_bytes(WRITTEN_BYTES)
    with tempfile.TemporaryFile(dir=folder, prefix=".switchgear-probe-", buffering=0) as file:
        file.write(written)
        os.fsync(file.fileno())
        if os.pread(file.fileno(), WRITTEN_BYTES, 0) != written:
            raise ProbeFailed("gives back something else than was written")
