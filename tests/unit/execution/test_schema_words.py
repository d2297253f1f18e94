"""What does not fit a schema, in the words of JSON: one row for each thing that can be wrong."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from switchgear.execution.schema_words import VALUE_CHARACTERS_MAX, misfits

MAYBE = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
KINDS = {"oneOf": [{"type": "object", "required": ["a"]}, {"type": "array", "items": {"type": "string"}}]}
ROWS: list[tuple[Any, Any, str]] = [
    ({"type": "string"}, 7, "must be a string, not the number 7"),
    ({"type": "integer"}, 1.5, "must be an integer, not the number 1.5"),
    ({"type": "number"}, "x", 'must be a number, not the string "x"'),
    ({"type": "boolean"}, None, "must be true or false, not null"),
    ({"type": "object"}, [1], "must be an object, not an array"),
    ({"type": "array"}, {}, "must be an array, not an object"),
    ({"type": ["string", "null"]}, True, "must be a string or null, not true"),
    ({"enum": ["a", 1, None]}, "b", 'must be one of "a", 1, null, not the string "b"'),
    ({"enum": ["a"]}, "b", 'must be "a", not the string "b"'),
    ({"const": True}, 0, "must be true, not the number 0"),
    ({"minimum": 1}, 0, "must be at least 1, not 0"),
    ({"maximum": 2.0}, 1e12, "must be at most 2, not 1000000000000"),
    ({"exclusiveMinimum": 0}, 0, "must be above 0, not 0"),
    ({"exclusiveMaximum": 0.5}, 1, "must be below 0.5, not 1"),
    ({"multipleOf": 5}, 7, "must be a multiple of 5, not 7"),
    ({"minLength": 1}, "", "must not be empty"),
    ({"minLength": 2}, "é", "must have at least 2 characters, not 1"),
    ({"maxLength": 1}, "abc", "must have at most 1 character, not 3"),
    ({"minLength": 1_048_576.0}, "x", "must have at least 1048576 characters, not 1"),
    ({"minItems": 1}, [], "must not be empty"),
    ({"maxItems": 2}, [1, 2, 3], "must have at most 2 items, not 3"),
    ({"minProperties": 2}, {"a": 1}, "must have at least 2 members, not 1"),
    ({"pattern": "^a$"}, "b", 'must match the pattern ^a$, not the string "b"'),
    ({"pattern": "^[0-9]+$"}, "b", 'must be digits, not the string "b"'),
    ({"minLength": 1, "pattern": "^[0-9]+$"}, "", "must not be empty"),
    ({"uniqueItems": True}, [1, 1], "must not hold the same item twice"),
    ({"required": ["a"]}, {}, 'the member "a" is missing'),
    ({"required": ["a", "b", "c"]}, {"b": 1}, 'the members "a", "c" are missing'),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, 'lacks "b", which goes with what it has'),
    ({"additionalProperties": False}, {"a": 1}, 'the member "a" is not known'),
    (
        {"properties": {"a": {}, "b": {}}, "patternProperties": {"^x": {}}, "additionalProperties": False},
        {"y": 1, "z": 1, "x": 1},
        'the members "y", "z" are not known; known are "a", "b"',
    ),
    (
        {"properties": {"contact_id": {}}, "additionalProperties": False},
        {"contct_id": 1},
        'the member "contct_id" is not known; did you mean "contact_id"?',
    ),
    (MAYBE, "x", 'must be an integer or null, not the string "x"'),
    (MAYBE, 0, "must be at least 1, not 0"),
    ({"anyOf": [False, {"type": "null"}]}, 7, "must be null, not the number 7"),
    ({"oneOf": [False, False]}, 7, "fits none of the 2 alternatives that the schema has"),
    (KINDS, {}, 'the member "a" is missing'),
    (KINDS, [1], "must be a string, not the number 1"),
    ({"anyOf": [{"const": "on"}, {"enum": ["off", "idle"]}]}, 1, 'must be "on" or "off", "idle", not the number 1'),
    ({"anyOf": [{"minimum": 5}, {"multipleOf": 2}]}, 3, "fits none of the 2 alternatives that the schema has"),
    ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, "fits several of 2 alternatives, of which only one may fit"),
    ({"not": {"type": "string"}}, "x", 'must be something else, not the string "x"'),
    ({"contains": {"type": "string"}}, [1], "does not fit `contains` of the schema"),
    (False, 1, "is not allowed here"),
]


@pytest.mark.parametrize(("schema", "value", "words"), ROWS)
def test_each_fault_has_its_words(schema: Any, value: Any, words: str) -> None:  # noqa: ANN401 - any JSON
    """What was expected and what came, as JSON has it; no word of Python or of a library."""
    problems = Draft202012Validator(schema).iter_errors(value)
    assert [found.words for found in misfits(problems, 5, {"^[0-9]+$": "digits"})] == [words]


def test_the_place_is_a_json_pointer() -> None:
    """RFC 6901, with its escapes; inside an alternative that was meant as well."""
    schema = {"properties": {"a/b": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]}}}
    (found,) = misfits(Draft202012Validator(schema).iter_errors({"a/b": ["x", 2]}), 5)
    assert (found.pointer, found.words) == ("/a~1b/1", "must be a string, not the number 2")


def test_what_is_said_is_bounded() -> None:
    """Law 10: neither many faults nor a long value make a long answer."""
    found = misfits(Draft202012Validator({"items": {"type": "null"}}).iter_errors(["x" * 10_000] * 500), 3)
    assert [one.pointer for one in found] == ["/0", "/1", "/2"]
    assert all(len(one.words) < VALUE_CHARACTERS_MAX + 60 for one in found)
