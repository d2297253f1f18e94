"""The tools that this engine knows, each with the connector that reaches its remote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice

from switchgear.core.errors import OptionError
from switchgear.execution.contract import Connector, Tool
from switchgear.execution.decide import Backoff

TOOLS_MAX = 10_000
_COMPARED_MAX = 100
"""A wrong name is compared with so many at most: it takes long. Where there are more, with those that begin alike."""
_CHARACTERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Registered:
    """A tool and the connector that executes it; `backoff` is the tool's waits between attempts."""

    tool: Tool
    connector: Connector
    backoff: Backoff = field(init=False)

    def __post_init__(self) -> None:
        """Make once what every attempt is followed by."""
        object.__setattr__(self, "backoff", Backoff.of(self.tool))


class Registry:
    """Tools by name."""

    def __init__(self) -> None:
        """Start empty."""
        self._tools: dict[str, Registered] = {}
        self._unlisted: set[str] = set()
        self.get: Callable[[str], Registered | None] = self._tools.get
        """Returns a tool by name, or None."""

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

    def nearest(self, name: str) -> str | None:
        """Return the listed tool that `name` was probably meant to be; None when there is none."""
        known = (one for one in self._tools if one not in self._unlisted)
        if len(self._tools) > _COMPARED_MAX:
            known = (one for one in known if one[:1] == name[:1])
        near = get_close_matches(name[:_CHARACTERS_MAX], list(islice(known, _COMPARED_MAX)), n=1)
        return near[0] if near else None

    def __iter__(self) -> Iterator[Tool]:
        """Iterate over the tools that are listed, sorted by name."""
        return (self._tools[name].tool for name in sorted(self._tools.keys() - self._unlisted))
