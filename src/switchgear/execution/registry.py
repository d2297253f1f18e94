"""The tools that this engine knows, each with the connector that reaches its remote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from switchgear.core.errors import OptionError
from switchgear.execution.contract import Connector, Tool

TOOLS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Registered:
    """A tool and the connector that executes it."""

    tool: Tool
    connector: Connector


class Registry:
    """Tools by name."""

    def __init__(self) -> None:
        """Start empty."""
        self._tools: dict[str, Registered] = {}

    def register(self, tool: Tool, connector: Connector) -> None:
        """Add a tool.

        Raises `OptionError` when its name is taken, or there are 10,000 tools already.
        """
        known = self._tools.get(tool.name)
        if known is not None:
            raise OptionError(f"tool {tool.name!r} is registered already; give one of the two another name")
        if len(self._tools) >= TOOLS_MAX:
            raise OptionError(f"an engine knows at most {TOOLS_MAX} tools")
        self._tools[tool.name] = Registered(tool, connector)

    def get(self, name: str) -> Registered | None:
        """Return a tool by name, or None."""
        return self._tools.get(name)

    def __iter__(self) -> Iterator[Tool]:
        """Iterate over the tools, sorted by name."""
        return (self._tools[name].tool for name in sorted(self._tools))
