"""Checks what undoes tools of a file, by `revert` or `compensate`: a tool of that file that changes something."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from switchgear.assembly.configuration.problems import Problems, shown, suggestion
from switchgear.assembly.configuration.tooling import DeclaredTool


def check_reverts(tools: Sequence[DeclaredTool], named: Collection[str], problems: Problems) -> None:
    """Add what is wrong with what `tools` are reverted or compensated by.

    `named` are all that the file has, also those that are wrong.
    """
    by_name = {declared.tool.name: declared for declared in tools}
    for declared in tools:
        for key, name in (("revert", declared.tool.revert), ("compensate", declared.tool.compensate)):
            if name is None or (name not in by_name and name in named):
                continue  # it is there, and something else is wrong with it
            if wrong := _wrong(declared.tool.name, name, by_name):
                problems.add(("tools", declared.tool.name, key), *wrong)


def _wrong(tool: str, name: str, by_name: Mapping[str, DeclaredTool]) -> tuple[str, str] | None:
    """Return what is wrong with `name` as what undoes `tool`, and what to write; None when nothing is."""
    if name not in by_name:
        return f"there is no tool {shown(name)} in this file", suggestion(name, by_name.keys() - {tool})
    if not by_name[name].tool.effect.writes:
        return f"{shown(name)} changes nothing", "name the tool that undoes this one"
    return None
