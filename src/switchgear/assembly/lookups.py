"""Lookups that are plain functions: the read-only tool that one becomes beside the tool that it looks up.

Lookups that are tools of their own are checked in `switchgear.execution.lookups`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from switchgear.connectors.signatures import name_of, schema_of
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.execution.contract import Tool

SUFFIX = ".lookup"
"""What the name of such a tool ends with."""


def lookup_tool(looked_up: Tool, function: Callable[..., Any]) -> Tool:
    """Return the tool of a function that looks `looked_up` up: read-only, with its dependencies and time.

    Raises `OptionError` when the function does not take the arguments of that tool.
    """
    schema = schema_of(function)
    _check_arguments(looked_up, function, schema)
    return Tool(
        name=looked_up.name + SUFFIX,
        requires=looked_up.requires,
        effect=Effect.READ_ONLY,
        description=f"Finds out whether {looked_up.name} happened.",
        version=looked_up.version,
        timeout=looked_up.timeout,
        arguments_schema=schema,
    )


def _check_arguments(looked_up: Tool, function: Callable[..., Any], schema: dict[str, Any]) -> None:
    known = set((looked_up.arguments_schema or {}).get("properties", {}))
    taken = set(schema["properties"])
    if unknown := sorted(known - taken) if not schema["additionalProperties"] else []:
        raise OptionError(
            f"tool {looked_up.name!r}: its lookup {name_of(function)} gets the same arguments and does not take "
            f"{unknown[0]!r}; add it, or **arguments"
        )
    if missing := sorted(set(schema["required"]) - known) if known else []:
        raise OptionError(
            f"tool {looked_up.name!r}: its lookup {name_of(function)} needs {missing[0]!r}, which the tool has not"
        )
