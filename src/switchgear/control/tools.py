"""Use cases about tools: list what is registered, accept one that has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from switchgear.control.permissions import Permissions
from switchgear.core.errors import Denied
from switchgear.core.scope import Principal
from switchgear.execution.contract import Tool
from switchgear.execution.engine import Engine
from switchgear.execution.registry import Registry
from switchgear.gates.contracts.book import ContractBook, ContractDifference
from switchgear.gates.contracts.keeper import ContractKeeper


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolView:
    """A registered tool and its contract."""

    name: str
    description: str
    effect: str
    requires: list[str]
    version: str
    contract: str
    timeout: float
    attempts: int
    cost: int
    needs_key: bool
    arguments_schema: dict[str, Any] | None
    destructive: bool
    resource: str | None
    lookup: str | None
    compensate: str | None
    revert: str | None
    changed: bool
    """Whether it is not what was accepted: nothing of it leaves until somebody accepts the change."""
    accepted_version: str | None
    """The version that was accepted last, None when none is on record yet."""
    accepted_contract: str | None
    """The contract that was accepted last, None when none is on record yet."""
    differences: list[ContractDifference]
    """In which parts it differs from what was accepted; empty also where it is not on record what that was made of."""


class Tools:
    """What can be asked about the tools of this gear. They are the same for every tenant."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("tools:read",), platform=("platform:tools",))

    def __init__(self, engine: Engine, contracts: ContractKeeper) -> None:
        """Ask `engine`, which holds the registry, and `contracts` about what was accepted."""
        self._engine = engine
        self._contracts = contracts

    def list(self, principal: Principal) -> Sequence[ToolView]:
        """Return the registered tools by name."""
        principal.require("tools:read")
        return [tool_view(tool, self._contracts.book) for tool in self._engine.registry]

    async def accept(self, principal: Principal, name: str, *, contract: str) -> ToolView:
        """Accept the present contract of a tool, for new actions and for open ones of its earlier contracts.

        Raises `Denied` (NOT_FOUND) when there is no such tool, `Conflict` (TOOL_CHANGED) when `contract` is not the
        present one.
        """
        principal.require("platform:tools")
        await self._contracts.accept(name, contract, actor=principal.actor)
        registered = self._engine.registry.get(name)
        assert registered is not None  # what the book knows is registered
        return tool_view(registered.tool, self._contracts.book)


def suggest_tool(refusal: Denied, name: str, principal: Principal, registry: Registry) -> bool:
    """Add to a refusal for a tool that is not there which one was probably meant; nothing to who may not see tools.

    Return whether anything was added.
    """
    if registry.get(name) is not None or "tools:read" not in principal.permissions:
        return False
    near = registry.nearest(name)
    if near is not None:
        refusal.message += f"; did you mean {near}?"
    return near is not None


def tool_view(tool: Tool, book: ContractBook) -> ToolView:
    """Return a tool and its contract, beside the one that `book` says was accepted."""
    accepted = book.accepted.get(tool.name)
    return ToolView(
        name=tool.name,
        description=tool.description,
        effect=str(tool.effect),
        requires=list(tool.requires),
        version=tool.version,
        contract=tool.contract,
        timeout=tool.timeout,
        attempts=tool.attempts,
        cost=tool.cost,
        needs_key=tool.needs_key,
        arguments_schema=dict(tool.arguments_schema) if tool.arguments_schema is not None else None,
        destructive=tool.destructive,
        resource=tool.resource,
        lookup=tool.lookup,
        compensate=tool.compensate,
        revert=tool.revert,
        changed=book.changed(tool.name),
        accepted_version=accepted.version if accepted is not None else None,
        accepted_contract=accepted.contract if accepted is not None else None,
        differences=book.differences(tool.name),
    )
