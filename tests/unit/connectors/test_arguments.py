"""Arguments are held against the tool's schema before anything is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from switchgear.core.errors import Invalid
from switchgear.execution.arguments import PROBLEMS_MAX, VALIDATORS_MAX, _validators, schema_problems, validate
from switchgear.execution.contract import Tool

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"contact": {"type": "object", "properties": {"a/b": {"type": "integer"}}}},
    "required": ["contact"],
    "additionalProperties": False,
}


def _tool(schema: dict[str, Any] | None, name: str = "tool") -> Tool:
    return Tool(name=name, requires=("crm",), arguments_schema=schema)


def test_what_fits_passes() -> None:
    """Fitting arguments raise nothing, and a tool without a schema takes any object."""
    validate(_tool(SCHEMA), {"contact": {"a/b": 1}})
    validate(_tool(None), {"anything": object()})


def test_what_does_not_fit_is_named_by_its_pointer() -> None:
    """A problem carries its JSON pointer (RFC 6901)."""
    with pytest.raises(Invalid, match=r'/contact/a~1b: must be an integer, not the string "x"'):
        validate(_tool(SCHEMA), {"contact": {"a/b": "x"}})
    with pytest.raises(Invalid, match='the object: the member "contact" is missing'):
        validate(_tool(SCHEMA), {})


def test_the_words_are_bounded() -> None:
    """Neither many problems nor a long value make a long answer."""
    schema = {"additionalProperties": {"type": "integer"}}
    with pytest.raises(Invalid) as caught:
        validate(_tool(schema), {str(n): "x" * 10_000 for n in range(50)})
    assert caught.value.message.count("/") == PROBLEMS_MAX
    assert len(caught.value.message) < 2_000


def test_validators_are_kept_within_a_bound() -> None:
    """Contracts may come and go; what is kept of them does not grow."""
    for number in range(VALIDATORS_MAX + 10):
        validate(_tool({"minProperties": 0}, f"tool{number}"), {})
    assert len(_validators) <= VALIDATORS_MAX


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "objct"}, "/type"),
        ({"properties": {"a": {"pattern": "["}}}, "/properties/a/pattern"),
        ({"$ref": "https://example.com/schema"}, "leads nowhere"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"const": 2**60}, "2^53"),
    ],
)
def test_unusable_schemas_are_told(schema: dict[str, Any], word: str) -> None:
    """A schema is checked when it is declared; nothing is ever fetched for it."""
    (problem,) = schema_problems(schema)
    assert word in problem


def test_a_schema_may_refer_to_itself() -> None:
    """References inside a schema work."""
    schema = {"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}
    assert schema_problems(schema) == []
    with pytest.raises(Invalid, match="/a"):
        validate(_tool(schema), {"a": "x"})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^\\D+$"}, "٣"),
        ({"pattern": "^\\S+$"}, "a\x85b"),
        ({"pattern": "^[^\\d]+$"}, "٣"),
        ({"not": {"pattern": "^\\w+$"}}, "é"),
        ({"not": {"pattern": "^a$"}}, "a\n"),
        ({"patternProperties": {"\\d": False}}, {"٣": 1}),
        ({"propertyNames": {"pattern": "^\\W$"}}, {"ß": 1}),
        ({"multipleOf": 0.1}, 0.3),
        ({"allOf": [{"not": {"multipleOf": 0.3}}]}, 2**53 - 1),
    ],
)
def test_what_one_validator_refuses_no_other_lets_in(schema: dict[str, Any], value: object) -> None:
    """The quick check decides only where both read a schema alike: not in expressions, not in parts of a fraction."""
    with pytest.raises(Invalid):
        validate(_tool({"properties": {"v": schema}}), {"v": value})
