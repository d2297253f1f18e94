"""A process ends in time, whatever still runs in it."""

from __future__ import annotations

import subprocess
import sys

import pytest

STUBBORN = """
import asyncio
from switchgear.launch.ending import ending_in_time

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def main(recorded):
    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    recorded(7)
    return 7

with ending_in_time(0.1) as recorded:
    raise SystemExit(asyncio.run(main(recorded)))
"""


@pytest.mark.integration
def test_a_task_that_ignores_its_cancellation_does_not_keep_a_process() -> None:
    """SEMANTICS §12: the wait is bounded; the process ends with its own code, and says what happened."""
    ended = subprocess.run([sys.executable, "-c", STUBBORN], capture_output=True, text=True, timeout=240, check=False)
    assert (ended.returncode, "ignores that it was cancelled" in ended.stderr) == (7, True)
