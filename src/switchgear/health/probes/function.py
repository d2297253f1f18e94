"""A probe made of a function of yours, for whatever has no probe of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.guard.callables import ASYNC, BLOCKING, kind_of, refuse_awaitable
from switchgear.health.probe import ProbeFailed, shortened
from switchgear.health.probes.bounding import Threads, require_timeout, within
from switchgear.policies.checks import refused


@dataclass(frozen=True, slots=True, eq=False)
class FunctionProbe:
    """Calls `function`, a blocking one in a thread, and takes True or a text for a yes.

    function  takes nothing and only reads. It returns True, or a short detail for people. Anything else is a no,
              None as well: a function that forgets to answer does not vouch.
    timeout   seconds, above 0; default 2. A blocking function is left behind then.

    Calling it raises `ProbeFailed` for a no, `TimeoutError` when no answer came, and what the function raises. Raises
    `OptionError` for options that cannot work, `TypeError` for what cannot be called, and for a blocking function that
    returns an awaitable.
    """

    function: Callable[[], object]
    timeout: float = field(default=2.0, kw_only=True)
    clock: Clock = field(default=SYSTEM_CLOCK, kw_only=True, repr=False)
    _threads: Threads = field(default_factory=Threads, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options."""
        require_timeout(self, self.timeout)
        if kind_of(self.function) not in (ASYNC, BLOCKING):
            wants = "takes a function that answers once"
            raise refused("FunctionProbe(function)", wants, self.function, "FunctionProbe(is_well)")

    async def __call__(self) -> str | None:
        """Ask once."""
        answer = await self._answer()
        if answer is True:
            return None
        if isinstance(answer, str) and answer:
            return shortened(answer)
        raise ProbeFailed(f"says {answer!r}, which is no yes; a probe returns True or a detail")

    async def _answer(self) -> object:
        if kind_of(self.function) == ASYNC:
            return await within(self.timeout, self._ask_async(), clock=self.clock)
        return await self._threads.ask(self._ask, seconds=self.timeout, clock=self.clock)

    async def _ask_async(self) -> object:
        answer = self.function()
        return await answer if inspect.isawaitable(answer) else answer

    def _ask(self) -> object:
        answer = self.function()
        if inspect.isawaitable(answer):
            refuse_awaitable(self.function, answer)
        return answer
