"""Use cases about dependencies: where each stands, and what may destroy something only while they are well.

Nobody declares a dependency healthy by hand, so nothing writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from switchgear.control.permissions import Permissions
from switchgear.core.codes import Code
from switchgear.core.errors import Denied
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.health.dependency import Dependency
from switchgear.health.inventory import OperationRecord
from switchgear.health.standing import Standing, Standings


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyView:
    """Where a dependency stands. Times are seconds.

    `state_age` is how long it has been in this state, `retry_after` when it is looked at again, None when nobody knows.
    The rest is the platform's, None where the caller may not see it: `age` of the youngest right answer (None as well
    when there never was one), why it stands there, and whether a destructive operation may rest on it now.
    """

    name: str
    state: str
    state_age: float
    retry_after: float | None
    kind: str | None = None
    critical: bool | None = None
    age: float | None = None
    reason: str | None = None
    flapping: bool | None = None
    vouches: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedView:
    """How an operation was held back the last time; `at` is seconds since the epoch."""

    at: float
    code: str
    dependency: str
    state: str
    retry_after: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructiveView:
    """A destructive operation: a tool of this gear, or a function of its process.

    `requires` names the dependencies that have to vouch for it. The rest is the platform's, None where the caller may
    not see it: where it is, how often it was let begin and held back, and how the last time; `last_blocked` is None as
    well when it never was.
    """

    operation: str
    requires: list[str]
    where: str | None = None
    passed: int | None = None
    blocked: int | None = None
    last_blocked: BlockedView | None = None


class Known(Standings, Protocol):
    """Whoever knows which dependencies there are, and where they stand."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that were declared, sorted."""

    def dependency(self, name: str) -> Dependency:
        """Return the dependency of that name."""


class Dependencies:
    """What can be asked about dependencies."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("dependencies:read",), platform=("platform:read",))

    def __init__(self, engine: Engine, known: Known, operations: Callable[[], Iterable[OperationRecord]]) -> None:
        """Look at what is `known`, at the tools of `engine`, and at the destructive `operations` of the process."""
        self._engine = engine
        self._known = known
        self._operations = operations

    def list(self, principal: Principal) -> Sequence[DependencyView]:
        """Return where every dependency stands, by name.

        State, `state_age` and `retry_after` are for every tenant; the rest needs ``platform:read``, since it may say
        what others did.
        """
        principal.require("dependencies:read")
        return [self._view(principal, name) for name in self._known.names]

    def show(self, principal: Principal, name: str) -> DependencyView:
        """Return where one dependency stands, as `list` does. Raises `Denied` (NOT_FOUND)."""
        principal.require("dependencies:read")
        if name not in self._known.names:
            raise Denied(f"there is no dependency {name[:100]!r}", code=Code.NOT_FOUND, policy="dependencies")
        return self._view(principal, name)

    def destructive(self, principal: Principal) -> Sequence[DestructiveView]:
        """Return what may destroy something, by name.

        The tools are for every tenant. Functions of the process, and what became of anything, need ``platform:read``.
        """
        principal.require("dependencies:read")
        whole = "platform:read" in principal.permissions
        known = {record.name: record for record in self._operations()}
        found = [_recorded(record) for record in known.values()] if whole else []
        tools = [tool for tool in self._engine.registry if tool.destructive and not (whole and tool.name in known)]
        found += [DestructiveView(operation=tool.name, requires=list(tool.requires)) for tool in tools]
        return sorted(found, key=lambda view: view.operation)

    def _view(self, principal: Principal, name: str) -> DependencyView:
        standing = self._known.standing(name)
        if "platform:read" not in principal.permissions:
            return DependencyView(
                name=name, state=str(standing.state), state_age=standing.state_age, retry_after=standing.retry_after
            )
        return _whole(standing, str(self._known.dependency(name).kind))


def _whole(standing: Standing, kind: str) -> DependencyView:
    return DependencyView(
        name=standing.name,
        state=str(standing.state),
        state_age=standing.state_age,
        retry_after=standing.retry_after,
        kind=kind,
        critical=standing.critical,
        age=standing.age,
        reason=standing.reason,
        flapping=standing.flapping,
        vouches=standing.vouches,
    )


def _recorded(record: OperationRecord) -> DestructiveView:
    last = record.last_blocked
    return DestructiveView(
        operation=record.name,
        requires=list(record.requires),
        where=record.where,
        passed=record.passed,
        blocked=record.blocked,
        last_blocked=None
        if last is None
        else BlockedView(
            at=last.at,
            code=str(last.code),
            dependency=last.dependency,
            state=last.state,
            retry_after=last.retry_after,
            message=last.message,
        ),
    )
