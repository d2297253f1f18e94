"""Whatever a body has that the decoder refuses is told in the words of JSON: no type of Python, nothing unexplained."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from switchgear.surfaces.rest.body_types import with_whole_numbers
from switchgear.surfaces.rest.json_body import refusal_of
from switchgear.surfaces.rest.operations import OPERATIONS
from tests.effort import examples

BODIES = sorted({operation.body for operation in OPERATIONS if operation.body}, key=lambda kind: kind.__name__)
VALUES = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, -1, 1.5, 1e300, 2**60, "", " ", "x", "\n", "a" * 600]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
FOREIGN = re.compile(r"Expected|got `|\bNone\b|\bTrue\b|\bFalse\b|`(str|int|float|bool|dict|list)`|\bdict\b|Object ")


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_what_is_wrong_with_a_body_is_said_in_json(kind: type, data: st.DataObject) -> None:
    """Every refusal of the decoder has a place and words of ours, and the place is in the body or is a whole."""
    names = [field.name for field in msgspec.structs.fields(kind)]
    members = st.dictionaries(st.sampled_from([*names, "other"]), VALUES, max_size=len(names) + 1)
    value = data.draw(members | VALUES)
    try:
        msgspec.convert(with_whole_numbers(value, kind), kind)
    except msgspec.ValidationError as error:
        refusal = refusal_of(error, kind, value)
    else:
        reject()
    assert refusal.errors
    for found in refusal.errors:
        assert not FOREIGN.search(re.sub(r'"(?:[^"\\]|\\.)*"', "", found.message)), found.message
        assert found.where == "/" or _at(value, found.where) is not None


def _at(value: Any, pointer: str) -> str:  # noqa: ANN401 - any JSON
    """Return what stands at a pointer, as JSON. Raises where it leads nowhere."""
    for step in pointer.removeprefix("/").split("/"):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return json.dumps(value)
