"""Checks the lookups that tools of a file name: each is a read-only tool of that file whose answer says something."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from switchgear.assembly.configuration.problems import Problems, shown, suggestion
from switchgear.assembly.configuration.tooling import DeclaredTool
from switchgear.connectors.http import HttpOperation


def check_lookups(tools: Sequence[DeclaredTool], named: Collection[str], problems: Problems) -> None:
    """Add what is wrong with the lookups of `tools`; `named` are all that the file has, also those that are wrong."""
    by_name = {declared.tool.name: declared for declared in tools}
    for declared in tools:
        if declared.tool.lookup is None:
            continue
        if declared.tool.lookup not in by_name:
            if declared.tool.lookup in named:
                continue  # it is there, and something else is wrong with it
            near = suggestion(declared.tool.lookup, by_name.keys() - {declared.tool.name})
            wrong, write = f"there is no tool {shown(declared.tool.lookup)} in this file", near
        else:
            wrong, write = _wrong(by_name[declared.tool.lookup])
        if wrong:
            problems.add(("tools", declared.tool.name, "lookup"), wrong, write)


def _wrong(lookup: DeclaredTool) -> tuple[str, str]:
    """Return what is wrong with a tool as a lookup, and what to write; empty when nothing is."""
    if lookup.tool.effect.writes:
        return f"{shown(lookup.tool.name)} may change something", 'write effect = "read_only" there'
    means = lookup.means
    if isinstance(means, HttpOperation) and (means.method == "HEAD" or means.result == "none"):
        return f"{shown(lookup.tool.name)} has no value in its answer", 'write method = "GET" and result = "auto" there'
    return "", ""
