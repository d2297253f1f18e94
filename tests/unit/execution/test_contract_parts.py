"""The parts of a contract: another part is another contract and the other way round, and none tells a secret."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switchgear.core.effects import Effect
from switchgear.execution.contract import Tool
from switchgear.execution.contract_parts import ARGUMENTS_MAX, TEXT_CHARACTERS_MAX, parts_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"contact": {"type": "string"}, "rank": {"type": ["integer", "null"], "default": 7}},
    "required": ["contact"],
}
TOOL = Tool(
    name="crm.update",
    requires=("crm",),
    effect=Effect.KEYED,
    arguments_schema=SCHEMA,
    binding="POST https://crm.example.org/?key=secret",
)


def test_parts_are_words_where_they_can_be() -> None:
    """Effect, version and arguments are told as people say them."""
    found = parts_of(TOOL)
    assert (found["effect"], found["version"], found["requires"]) == ("keyed", "1", "crm")
    assert found["arguments.contact"] == "string, required"
    assert found["arguments.rank"].startswith("integer or null, optional, rules ")
    assert {"lookup", "destructive"} & set(found) == set()


def test_no_part_tells_what_may_be_secret() -> None:
    """Addresses and the values in rules of arguments are digests."""
    schema = {"properties": {"rank": {"type": "string", "default": "secret-too"}}}
    assert "secret" not in " ".join(parts_of(replace(TOOL, arguments_schema=schema)).values())


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"effect": Effect.OPAQUE}, {"effect"}),
        ({"version": "2"}, {"version"}),
        ({"requires": ("crm", "mail")}, {"requires"}),
        ({"binding": "POST https://elsewhere.example.org"}, {"binding"}),
        ({"destructive": True}, {"destructive"}),
        ({"resource": "contact {contact}"}, {"resource"}),
        ({"lookup": "crm.find"}, {"lookup"}),
        ({"compensate": "crm.undo"}, {"compensate"}),
        ({"revert": "crm.undo"}, {"revert"}),
        ({"arguments_schema": {**SCHEMA, "required": ["contact", "rank"]}}, {"arguments.rank"}),
        ({"arguments_schema": {**SCHEMA, "required": ["rank", "contact"]}}, {"arguments", "arguments.rank"}),
        ({"arguments_schema": {**SCHEMA, "required": []}}, {"arguments", "arguments.contact"}),
        ({"binding": {}}, {"binding"}),
        ({"arguments_schema": {**SCHEMA, "required": ["contact", "other"]}}, {"arguments"}),
        ({"arguments_schema": {**SCHEMA, "additionalProperties": False}}, {"arguments"}),
        (
            {"arguments_schema": {**SCHEMA, "properties": {**SCHEMA["properties"], "contact": {"type": "integer"}}}},
            {"arguments.contact"},
        ),
        (
            {"arguments_schema": {**SCHEMA, "properties": {**SCHEMA["properties"], "rank": True}}},
            {"arguments.rank"},
        ),
    ],
)
def test_whatever_makes_another_contract_is_told_as_its_part(change: dict[str, Any], parts: set[str]) -> None:
    """Nobody sees a changed tool without a part that differs, and only those differ that were changed."""
    other = replace(TOOL, **change)
    before, after = parts_of(TOOL), parts_of(other)
    assert other.contract != TOOL.contract
    assert {name for name in before | after if before.get(name) != after.get(name)} == parts


def test_what_is_no_part_of_the_contract_is_not_told() -> None:
    """Timeouts, attempts, cost and description may be changed as one likes."""
    assert parts_of(replace(TOOL, timeout=3.0, attempts=4, cost=2, description="Another.")) == parts_of(TOOL)


@pytest.mark.parametrize("schema", [{"properties": {str(n): {} for n in range(ARGUMENTS_MAX + 1)}}, {"properties": 1}])
def test_law_10_parts_are_bounded(schema: dict[str, Any]) -> None:
    """Law 10: so many arguments and no more are told apart, and a long text is a digest."""
    found = parts_of(replace(TOOL, arguments_schema=schema, requires=tuple(f"crm-{n}" for n in range(100))))
    assert set(found) == {"effect", "version", "requires", "binding", "arguments"}
    assert max(map(len, found.values())) <= TEXT_CHARACTERS_MAX
