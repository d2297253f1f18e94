"""What a tool's contract is made of, part by part, so that people see what has changed.

Words where they hold no secret, digests elsewhere: an address may have a key in it, a rule of an argument a value. It
decides nothing; whether two contracts are one is said by their digests alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from switchgear.core.canonical import digest
from switchgear.execution.contract import Tool

ARGUMENTS_MAX = 64
"""Most arguments that are told apart; more of them are one part."""
TEXT_CHARACTERS_MAX = 200
"""The longest part in words."""
_DIGEST_CHARACTERS = 12
_NAMED = ("resource", "lookup", "compensate", "revert")


def parts_of(tool: Tool) -> dict[str, str]:
    """Return the parts of a tool's contract by name. What it does not have is left out."""
    found = {"effect": str(tool.effect), "version": tool.version, "requires": ", ".join(tool.requires)}
    found |= {name: text for name in _NAMED if (text := getattr(tool, name)) is not None}
    if tool.destructive:
        found["destructive"] = "yes"
    if tool.binding is not None:
        found["binding"] = _digest(tool.binding)
    if tool.arguments_schema is not None:
        found.update(_arguments(tool.arguments_schema))
    return {name: text if len(text) <= TEXT_CHARACTERS_MAX else _digest(text) for name, text in found.items()}


def _arguments(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    known, needed = schema.get("properties"), schema.get("required", ())
    if not isinstance(known, Mapping) or not isinstance(needed, (list, tuple)) or len(known) > ARGUMENTS_MAX:
        yield "arguments", _digest(schema)
        return
    for name, rules in known.items():
        yield f"arguments.{name}", _argument(rules, needed=name in needed)
    rest = {name: rule for name, rule in schema.items() if name not in ("properties", "required")}
    in_order = [name for name in known if name in needed]
    told = "required" not in schema or (in_order and list(needed) == in_order)  # another order is another contract
    yield "arguments", _digest([rest, None if told else list(needed)])


def _argument(rules: object, *, needed: bool) -> str:
    """Return one argument in words: of which type it is, whether it is required, and its other rules as a digest."""
    kind = rules.get("type", "any") if isinstance(rules, Mapping) else "any"
    words = " or ".join(map(str, kind)) if isinstance(kind, (list, tuple)) else str(kind)
    further = {name: rule for name, rule in rules.items() if name != "type"} if isinstance(rules, Mapping) else rules
    said = f", rules {_digest(further)}" if further != {} else ""
    return f"{words}, {'required' if needed else 'optional'}{said}"


def _digest(value: object) -> str:
    return digest(value)[:_DIGEST_CHARACTERS]
