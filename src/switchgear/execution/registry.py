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
        self._unlisted: set[str] = set()

    def register(self, tool: Tool, connector: Connector, *, listed: bool = True) -> None:
        """Add a tool. One that is not `listed` is found by its name alone: it is no tool that anybody offers.

        Raises `OptionError` when its name is taken, or there are 10,000 tools already.
        """
        known = self._tools.get(tool.name)
        if known is not None:
            raise OptionError(f"tool {tool.name!r} is registered already; give one of the two another name")
        if len(self._tools) - len(self._unlisted) >= TOOLS_MAX:
            raise OptionError(f"an engine knows at most {TOOLS_MAX} tools")
        self._tools[tool.name] = Registered(tool, connector)
        if not listed:
            self._unlisted.add(tool.name)

    def get(self, name: str) -> Registered | None:
        """Return a tool by name, or None."""
        return self._tools.get(name)

    def __iter__(self) -> Iterator[Tool]:
        """Iterate over the tools that are listed, sorted by name."""
        return (self._tools[name].tool for name in sorted(self._tools.keys() - self._unlisted))
