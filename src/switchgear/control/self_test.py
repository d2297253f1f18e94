"""The start-up self-test: denied actions go through each surface that is up, and each has to be refused.

A surface adds its trials when it comes up. While one has not been refused as it must be, the process is not ready. One
that was let through is a defect: from then on it is never ready, until somebody has looked and it is started again.
Nothing here knows a surface.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from switchgear.core.codes import Code

_log = logging.getLogger("switchgear.self_test")

LET_THROUGH = "GUARD_DID_NOT_FIRE"
"""What readiness shows of a trial that was not refused."""
NOT_PROVEN = "NOT_PROVEN"
"""What readiness shows while a trial was refused for another reason, or could not be made yet."""


@dataclass(frozen=True, slots=True)
class Trial:
    """An action that `guard` has to refuse at `surface`, with the code `expected`.

    `drive` sends it the way that a caller would, and returns the code that it was refused with, None when it was
    not refused. It leaves nothing behind.
    """

    surface: str
    guard: str
    expected: Code
    drive: Callable[[], Awaitable[Code | None]]

    @property
    def name(self) -> str:
        """Surface and guard in two words."""
        return f"{self.surface} {self.guard}"


class SelfTest:
    """The trials of one gear, and what came of them."""

    def __init__(self) -> None:
        """Start without a trial: nothing is proven."""
        self._pending: dict[str, Trial] = {}
        self._why: dict[str, str] = {}
        self._proven: set[str] = set()
        self._failed: set[str] = set()
        self._running = asyncio.Lock()

    @property
    def failed(self) -> bool:
        """Whether a guard did not fire. That does not change any more."""
        return bool(self._failed)

    @property
    def proven(self) -> tuple[str, ...]:
        """The trials that were refused as they must be, by surface and guard."""
        return tuple(sorted(self._proven))

    @property
    def state(self) -> str:
        """Return "ok", or what is wrong: a word, a colon, and the trials."""
        if self._failed:
            return f"{LET_THROUGH}: {', '.join(sorted(self._failed))}"
        if self._pending or not self._proven:
            return f"{NOT_PROVEN}: {', '.join(f'{name} {self._why[name]}' for name in sorted(self._pending))}"
        return "ok"

    def add(self, trials: Iterable[Trial]) -> None:
        """Take the trials of a surface that comes up. Those of the same names are made again."""
        for trial in trials:
            self._proven.discard(trial.name)
            self._pending[trial.name] = trial
            self._why[trial.name] = "not tried yet"

    async def run(self) -> bool:
        """Make the trials that are not proven yet, and return whether all is well. What is proven costs nothing."""
        if self._pending:
            async with self._running:
                for trial in tuple(self._pending.values()):
                    self._judge(trial, await trial.drive())
        return self.state == "ok"

    def _judge(self, trial: Trial, code: Code | None) -> None:
        if self._pending.get(trial.name) is not trial:
            return  # its surface came up anew meanwhile
        if code is None:
            _log.critical("not ready until a new start: %s let a denied action through", trial.name)
            self._failed.add(trial.name)
        if code in (None, trial.expected):
            del self._pending[trial.name]
        if code is trial.expected:
            self._proven.add(trial.name)
        else:
            self._why[trial.name] = str(code)
