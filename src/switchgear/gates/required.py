"""Refuses an action while a dependency it requires has an open breaker.

The first required dependency is not asked: its own guard admits the attempt right after and knows better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from switchgear.core.codes import Code
from switchgear.core.errors import Rejected
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, Selective
from switchgear.guard import Guard


class RequiredDependencies(Selective):
    """A gate over the guards of dependencies. `guard_of` returns the guard of a dependency."""

    def __init__(self, guard_of: Callable[[str], Guard]) -> None:
        """Keep how to find a guard."""
        self._guard_of = guard_of

    def concerns(self, requires: Sequence[str], *, destructive: bool) -> bool:  # noqa: ARG002 - whatever it does
        """Return whether a tool requires more than its own connector."""
        return len(requires) > 1

    def check(self, request: GateRequest) -> Conditions:
        """Raise `Rejected` (DEPENDENCY_UNHEALTHY) when a further required dependency is open."""
        for name in request.requires[1:]:
            guard = self._guard_of(name)
            if guard.state == "open":
                raise Rejected(
                    code=Code.DEPENDENCY_UNHEALTHY,
                    policy="requires",
                    dependency=name,
                    state="open",
                    retry_after=guard.statistics().retry_after,
                )
        return NO_CONDITIONS
