"""The upstream as a process: started, killed when the schedule says so, started again on the same port."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from switchgear.surfaces.cli.demo.schedule import Phase, Schedule

_MODULE = "switchgear.surfaces.cli.demo.crm"
_START_SECONDS_MAX = 15.0
_END_SECONDS_MAX = 3.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """How the upstream is run. `log` is its effect log, `output` takes what it prints."""

    port: int
    log: Path
    output: Path
    schedule: Schedule
    seed: int


class Upstream:
    """One upstream. As a context manager it is running inside and has ended outside, whatever happens."""

    def __init__(self, plan: UpstreamPlan) -> None:
        """Prepare; nothing is started yet."""
        self.plan = plan
        self.url = f"http://127.0.0.1:{plan.port}"
        self.started_at = 0.0
        self.kills = 0
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start the process and wait until it answers; the schedule starts now."""
        self.started_at = time.time()
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        await self._end()

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.returncode is None

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.time() - self.started_at

    def phase(self) -> Phase:
        """Return the phase of this moment."""
        return self.plan.schedule.phase_at(self.elapsed())

    async def follow_schedule(self) -> None:
        """Kill and restart as the schedule says, until cancelled."""
        while True:
            if self.phase().dead and self.alive:
                self.kills += 1
                await self._kill()
            elif not self.phase().dead and not self.alive:
                await self._start()
            await asyncio.sleep(_LOOK_SECONDS)

    async def recover(self) -> None:
        """Make sure that it runs, for the end of the demo."""
        if not self.alive:
            await self._start()

    async def _start(self) -> None:
        plan = self.plan
        options = {
            "--port": plan.port,
            "--log": plan.log,
            "--seconds": plan.schedule.seconds,
            "--started-at": self.started_at,
            "--seed": plan.seed + self.kills,
        }
        words = [str(word) for option in options.items() for word in option]
        with plan.output.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                _MODULE,
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is ours to handle; it would hit the child too
            )
        await self._answering()

    async def _answering(self) -> None:
        until = time.monotonic() + _START_SECONDS_MAX
        async with httpx2.AsyncClient(trust_env=False, timeout=1.0) as http:
            while not await _healthy(http, f"{self.url}/health"):
                if not self.alive or time.monotonic() > until:
                    raise RuntimeError(f"the demo's upstream did not start; see {self.plan.output}")
                await asyncio.sleep(_LOOK_SECONDS)

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await asyncio.wait_for(self._process.wait(), _END_SECONDS_MAX)

    async def _end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        await self._kill()


async def _healthy(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).is_success
    except httpx2.HTTPError:
        return False  # not yet: the caller asks again, within a bound
