"""Strict JSON: what is read, and everything that is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.surfaces.rest.json_body import parse_json
from switchgear.surfaces.rest.problems import MalformedRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}{}", "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"[NaN]", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "beyond"),
        (b"[-1e999]", "beyond"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"x":{"a":1,"\\u0061":2}}', "twice"),
        (b'"\xff"', "UTF-8"),
        (b"\xef\xbb\xbf{}", "JSON"),
        (b"\x00", "not JSON"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b'"a\nb"', "not JSON"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 100_000, "too deeply"),
        (b"9" * 5000, "digits"),
    ],
)
def test_what_is_not_exactly_one_json_value_is_refused(content: bytes, says: str) -> None:
    """RFC 8259 and I-JSON (RFC 7493): nothing is read leniently, so nothing is read in two ways."""
    with pytest.raises(MalformedRequest, match=says):
        parse_json(content)


@given(JSON)
def test_json_is_read_as_written(value: Any) -> None:  # noqa: ANN401 - a JSON value
    """Property: what can be said in JSON arrives unchanged."""
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=40))
def test_no_bytes_do_anything_but_be_read_or_refused(content: bytes) -> None:
    """Property: any bytes end as a value or as MalformedRequest."""
    with suppress(MalformedRequest):
        parse_json(content)
