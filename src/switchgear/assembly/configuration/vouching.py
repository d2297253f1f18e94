"""Checks that a destructive tool of the file can ever run: each dependency that it requires is declared there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from switchgear.assembly.configuration.problems import Problems
from switchgear.assembly.configuration.tooling import DeclaredTool


def check_vouching(tools: Iterable[DeclaredTool], declared: Collection[str], problems: Problems) -> None:
    """Add a problem for each dependency of a destructive tool that is not `declared`: nothing could vouch for it."""
    for one in tools:
        for name in one.tool.requires if one.tool.destructive else ():
            if name not in declared:
                problems.add(
                    ("tools", one.tool.name, "destructive"),
                    f"can never be let through, since nothing vouches for {name!r}",
                    f"write [dependencies.{name}]",
                )
