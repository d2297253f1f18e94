"""The gate that lets a destructive action leave only while every dependency that it requires vouches for it.

It is asked before each attempt, and once more when `dispatched` is on record: no append can be made conditional on how
a dependency stands. It is not asked at admission, where its answer would be a guess about later. Its words are those of
the destructive gate of the library, but for why a dependency stands where it stands: others' calls may be told there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from switchgear.gates.destructive.force import Force
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, Selective, Stage
from switchgear.health.obstacles import Kind, Obstacle, not_vouched, unreadable
from switchgear.health.standing import Standings


class DestructiveActions(Selective):
    """A gate over where dependencies stand. What cannot be read does not vouch."""

    def __init__(self, standings: Standings) -> None:
        """Go by `standings`, such as a `HealthBoard`."""
        self._standing = standings.standing

    def concerns(self, requires: Sequence[str], *, destructive: bool) -> bool:  # noqa: ARG002 - on whatever it rests
        """Return whether a tool is destructive."""
        return destructive

    def check(self, request: GateRequest) -> Conditions:
        """Let pass what does not destroy, what everything vouches for, and what a force covers: that goes on record.

        Raises `DestructiveBlocked`, with the first dependency that stands in the way.
        """
        if not request.destructive or request.stage is Stage.ADMISSION:
            return NO_CONDITIONS
        standing = self._standing
        try:
            for name in request.requires:
                if standing(name).vouches is not True:
                    break
            else:
                return NO_CONDITIONS
        except Exception:  # noqa: BLE001 - whatever a board raises, it does not vouch; it is read again for its words
            return self._overridden(request)
        return self._overridden(request)

    def obstacles(self, requires: Sequence[str]) -> tuple[Obstacle, ...]:
        """Return what stands in the way now, one a dependency that does not vouch, in their order."""
        return tuple(found for name in requires if (found := self._obstacle(name)) is not None)

    def _obstacle(self, name: str) -> Obstacle | None:
        try:
            standing = self._standing(name)
            return None if standing.vouches is True else not_vouched(name, replace(standing, reason=""))
        except Exception as error:  # noqa: BLE001 - whatever a board raises, it does not vouch
            return unreadable(Kind.STANDING_UNREADABLE, error, name)

    def _overridden(self, request: GateRequest) -> Conditions:
        """Return the record of what a force overrides; refuse what it does not cover."""
        found = self.obstacles(request.requires)
        for obstacle in found:
            if not _covered(request, obstacle.dependency):
                raise obstacle.refusal(request.tool, 0)
        return _forced(request.force, found) if found and request.force is not None else NO_CONDITIONS


def _covered(request: GateRequest, dependency: str) -> bool:
    force = request.force
    return force is not None and force.covers(dependency, contract=request.contract, at=request.at)


def _forced(force: Force, found: Sequence[Obstacle]) -> Conditions:
    overrode = [{"dependency": one.dependency, "state": one.state} for one in found]
    return Conditions(facts={"forced": {"by": force.by, "overrode": overrode}})
