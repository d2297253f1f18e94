"""Checks the reverts that tools of a file name: each is a tool of that file that changes something."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from switchgear.assembly.configuration.problems import Problems, shown, suggestion
from switchgear.assembly.configuration.tooling import DeclaredTool


def check_reverts(tools: Sequence[DeclaredTool], named: Collection[str], problems: Problems) -> None:
    """Add what is wrong with the reverts of `tools`; `named` are all that the file has, also those that are wrong."""
    by_name = {declared.tool.name: declared for declared in tools}
    for declared in tools:
        name = declared.tool.revert
        if name is None:
            continue
        place = ("tools", declared.tool.name, "revert")
        if name not in by_name and name in named:
            continue  # it is there, and something else is wrong with it
        if name not in by_name:
            near = suggestion(name, by_name.keys() - {declared.tool.name})
            problems.add(place, f"there is no tool {shown(name)} in this file", near)
        elif not by_name[name].tool.effect.writes:
            problems.add(place, f"{shown(name)} changes nothing", "name the tool that undoes this one")
