"""How many small syncs a second this disk does. It bounds every engine that waits for each action's own sync."""

from __future__ import annotations

import os
import time
from pathlib import Path

_BLOCK = bytes(4096)


def syncs_per_second(folder: Path, seconds: float) -> float:
    """Write and fdatasync 4 KiB after 4 KiB in `folder` for `seconds`, one at a time."""
    path = folder / "sync-probe"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            os.write(descriptor, _BLOCK)
            os.fdatasync(descriptor)
            done += 1
        return done / (time.perf_counter() - start)
    finally:
        os.close(descriptor)
        path.unlink()
