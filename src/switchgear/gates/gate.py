"""The shape of a gate and what it sees. Gates decide from what is at hand: no I/O, no waiting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GateRequest:
    """An action about to be accepted or dispatched. `requires` names its dependencies, `cost` is in units."""

    tenant: str
    tool: str
    requires: tuple[str, ...]
    cost: int


class Gate(Protocol):
    """Something that can say no."""

    def check(self, request: GateRequest) -> None:
        """Return to let the request pass; raise a `Rejected` with all its facts to refuse it."""


def check_all(gates: Iterable[Gate], request: GateRequest) -> None:
    """Ask every gate in order; the first refusal is raised."""
    for gate in gates:
        gate.check(request)
