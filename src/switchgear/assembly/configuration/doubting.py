"""Finds tools of a file that promise to settle their own doubts and lack what it takes: each doubt is a person's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from switchgear.assembly.configuration.problems import Part
from switchgear.assembly.configuration.tooling import DeclaredTool
from switchgear.core.effects import Effect
from switchgear.execution.contract import Tool


def never_settling(tools: Iterable[DeclaredTool]) -> Iterator[tuple[tuple[Part, ...], str]]:
    """Return each tool whose effect promises more than it can keep, with the place of what it lacks and the reason."""
    for declared in tools:
        tool = declared.tool
        if tool.lookup is None and (lack := _lack(tool)):
            key, wrong = lack
            yield ("tools", tool.name, key), wrong


def _lack(tool: Tool) -> tuple[str, str] | None:
    """Return the key that a tool without a lookup lacks, and what follows from that; None when it lacks none."""
    if tool.effect is Effect.RECONCILABLE:
        return "lookup", _told(tool, "a read-only tool that finds out whether it happened")
    if tool.effect is Effect.NATURAL and tool.resource is None:
        return "resource", _told(tool, 'what it writes to, such as resource = "contact/{contact_id}"')
    return None


def _told(tool: Tool, write: str) -> str:
    return f"there is none, so each doubt of this {tool.effect} tool waits for a person; name {write}"
