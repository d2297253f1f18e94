"""Destructive tools in one gear: none may be there that could never run, since nobody knows its dependency."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from switchgear.core.errors import OptionError
from switchgear.execution.contract import Tool


def check_declared(tools: Iterable[Tool], declared: Collection[str]) -> None:
    """Raise `OptionError` for a destructive tool that requires a dependency which is not `declared`."""
    for tool in tools:
        missing = next((name for name in tool.requires if name not in declared), None) if tool.destructive else None
        if missing is not None:
            raise OptionError(undeclared(tool.name, missing))


def undeclared(tool: str, name: str) -> str:
    """Say what to write so that a dependency can vouch."""
    return (
        f"tool {tool!r} is destructive and requires {name!r}, which nobody has declared, so nothing could ever vouch "
        f'for it and it would never run; write before it: gear.dependency(Dependency({name!r}, kind="function"))'
    )
