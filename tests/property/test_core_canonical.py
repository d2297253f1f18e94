"""Laws of canonical JSON: it is RFC 8785, and a digest tells values apart exactly when JSON does."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from switchgear.core.canonical import canonical_json, digest
from switchgear.core.errors import Invalid

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=25,
)


@given(VALUES)
def test_the_bytes_are_those_of_rfc_8785(value: object) -> None:
    """The independent implementation of the RFC gives the same bytes for every value."""
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]  # any JSON value


@given(NUMBERS)
def test_numbers_read_back_as_themselves(number: float) -> None:
    """The shortest form loses nothing."""
    assert float(json.loads(canonical_json(number))) == float(number)


@given(VALUES)
def test_the_digest_depends_on_the_value_only(value: object) -> None:
    """A value that took the way through JSON text, keys in any order, has the same digest."""
    assert digest(json.loads(json.dumps(value))) == digest(value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**53, -(2**53), "\ud800", {1: 2}, {"a": {2}}, b"x", object(), [[[object()]]]],
)
def test_what_json_cannot_say_is_refused(value: object) -> None:
    """Nothing is rounded, replaced or guessed."""
    with pytest.raises(Invalid):
        canonical_json(value)


def test_depth_is_bounded() -> None:
    """Nesting beyond 64 levels is refused, not a crash."""
    deep: list[object] = []
    for _ in range(63):
        deep = [deep]
    assert canonical_json(deep).startswith(b"[[[")
    with pytest.raises(Invalid, match="64"):
        canonical_json([deep])
