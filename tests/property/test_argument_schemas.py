"""The quick check of arguments against the one that has the last word: it lets in nothing that the other refuses."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry

from switchgear.core.errors import Invalid
from switchgear.execution.arguments import _compiled, schema_problems, validate
from switchgear.execution.contract import Tool
from tests.effort import examples

TYPES = st.sampled_from(["string", "integer", "number", "boolean", "object", "array", "null"])
NUMBERS = st.sampled_from([0, 1, -1, 2, 1.0, 0.0, -0.0, 0.1, 2**53 - 1, -(2**53 - 1), 9007199254740992.0, 1e22, 5e-324])
TEXTS = st.sampled_from(["", "a", "b", "é", "e\u0301", "😀", "a\n", "1", "٣"])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
COUNTS = st.sampled_from([0, 1, 2, 1.0])


def _keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    named = st.dictionaries(TEXTS, inner, max_size=2)
    some = st.lists(inner, min_size=1, max_size=2)
    members: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("type",), TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True)),
        **dict.fromkeys(("const",), VALUES),
        **dict.fromkeys(("enum",), st.lists(VALUES, min_size=1, max_size=3)),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), NUMBERS),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), COUNTS),
        **dict.fromkeys(("minContains", "maxContains"), COUNTS),
        **dict.fromkeys(("uniqueItems",), st.booleans()),
        **dict.fromkeys(("required",), st.lists(TEXTS, max_size=2, unique=True)),
        **dict.fromkeys(("properties", "dependentSchemas"), named),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), some),
        **dict.fromkeys(("not", "if", "then", "else", "items", "contains", "additionalProperties"), inner),
        **dict.fromkeys(("propertyNames", "unevaluatedItems", "unevaluatedProperties"), inner),
        **dict.fromkeys(("pattern",), st.sampled_from(["^\\D+$", "^a$"])),
        **dict.fromkeys(("multipleOf",), st.sampled_from([1, 0.1])),
        **dict.fromkeys(("format",), st.sampled_from(["date", "email"])),
        **dict.fromkeys(("$ref",), st.just("#/$defs/a")),
    }
    chosen = st.lists(st.sampled_from(sorted(members)), min_size=1, max_size=4, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: members[name] for name in names}))


SCHEMAS = st.recursive(st.booleans(), _keywords, max_leaves=5)


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    SCHEMAS,
    st.sampled_from([True, {"type": "integer"}, {"const": 1}, {"uniqueItems": True}]),
    st.lists(VALUES, max_size=8),
)
def test_no_check_lets_in_what_the_one_with_the_last_word_refuses(
    schema: Any,  # noqa: ANN401 - any JSON
    other: Any,  # noqa: ANN401 - any JSON
    values: list[Any],
) -> None:
    """Whatever the schema and the arguments: booleans are no numbers, letters with and without marks differ."""
    whole = {"properties": {"v": schema}, "$defs": {"a": other}}
    assume(not schema_problems(whole))
    quick, _ = _compiled(whole)
    assert quick is None or isinstance(quick, jsonschema_rs.Draft202012Validator)
    last_word = Draft202012Validator(whole, registry=Registry())
    tool = Tool(name="tool", requires=("crm",), arguments_schema=whole)
    for value in values:
        assert _lets_in(tool, {"v": value}) == last_word.is_valid({"v": value}), (whole, value)


def _lets_in(tool: Tool, arguments: dict[str, Any]) -> bool:
    try:
        validate(tool, arguments)
    except Invalid:
        return False
    return True
