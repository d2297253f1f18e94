"""What a remote wishes to be left alone for: each place where it may stand, each form, and each kind of nonsense."""

from __future__ import annotations

import gzip
import zlib

import pytest

from switchgear.adapters.http_hints import (
    HINT_BODY_BYTES_MAX,
    RETRY_AFTER_MAX,
    announces_json,
    json_in,
    retry_after_of,
    stated_by,
    unpacked,
)

NOW = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:30 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (4, 4.0),
        (0, 0.0),
        (2.5, 2.5),
        ("4", 4.0),
        (" 2.5 ", 2.5),
        (DATE, 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        (-1, -1.0),
        ("-1", -1.0),
        (10**400, RETRY_AFTER_MAX),
        (-(10**400), -RETRY_AFTER_MAX),
        (1e300, RETRY_AFTER_MAX),
        (True, None),
        (None, None),
        ("", None),
        ("soon", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("9" * 40, None),
        (float("nan"), None),
        (float("inf"), None),
        ([4], None),
        ({"seconds": 4}, None),
    ],
)
@pytest.mark.parametrize("name", ["retry_after", "retryAfter", "retry-after"])
def test_a_body_states_a_wish(name: str, value: object, seconds: float | None) -> None:
    """Seconds as a number or a text, or a date, under three names; negative is kept; nonsense is no wish."""
    assert retry_after_of(None, {name: value}, NOW) == seconds


@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("7", {"retry_after": 4}, 7.0),
        ("soon", {"retry_after": 4}, 4.0),
        ("-1", {"retry_after": 4}, -1.0),
        (None, {"retry_after": "soon", "retryAfter": 5}, 5.0),
        (None, {"retry_after": 4, "retry-after": 5}, 4.0),
        (None, {"Retry_After": 4}, None),
        (None, [4], None),
        (None, 4, None),
        (None, None, None),
    ],
)
def test_the_first_that_can_be_read_counts(header: str | None, body: object, seconds: float | None) -> None:
    """The header beats the body; only members of an object count, by their exact names."""
    assert retry_after_of(header, body, NOW) == seconds


def test_a_date_is_left_to_whoever_has_the_clock() -> None:
    """The text of a date is stated as it is; seconds are a number."""
    assert stated_by(None, {"retry_after": f" {DATE} "}) == DATE
    assert stated_by(DATE, None) == DATE
    assert stated_by("7", None) == 7.0


@pytest.mark.parametrize(
    ("content_type", "announced"),
    [
        ("application/problem+json", True),
        ("application/problem+json; charset=utf-8", True),
        ("Application/JSON", True),
        ("application/vnd.crm.v1+json", True),
        ("application/json-seq", False),
        ("application/problem+xml", False),
        ("text/json", False),
        ("", False),
        (None, False),
    ],
)
def test_what_announces_json(content_type: str | None, announced: bool) -> None:  # noqa: FBT001 - a column of the table
    """JSON, and what builds on it."""
    assert announces_json(content_type) is announced


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"retry_after": 4}', {"retry_after": 4}),
        (b"[1]", [1]),
        (b"", None),
        (None, None),
        (b"<html>", None),
        (b'{"a":', None),
        (b'"\xff"', None),
        (b"[" * HINT_BODY_BYTES_MAX, None),
        (b"9" * 5_000, None),
        (b'"%s"' % (b"x" * (HINT_BODY_BYTES_MAX - 2)), "x" * (HINT_BODY_BYTES_MAX - 2)),
        (b'"%s"' % (b"x" * (HINT_BODY_BYTES_MAX - 1)), None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_body_is_read_within_bounds(body: bytes | None, value: object) -> None:
    """What is no JSON, is nested without end or is too long says nothing, and raises nothing."""
    assert json_in("application/problem+json", body) == value


@pytest.mark.parametrize(
    ("packed", "coding", "plain"),
    [
        (b"text", None, b"text"),
        (b"text", "identity", b"text"),
        (gzip.compress(b"text", mtime=0), "gzip", b"text"),
        (gzip.compress(b"text", mtime=0), " X-GZIP ", b"text"),
        (zlib.compress(b"text"), "deflate", b"text"),
        (gzip.compress(b"text", mtime=0), "br", None),
        (gzip.compress(b"text", mtime=0), "gzip, gzip", None),
        (b"text", "gzip", None),
        (gzip.compress(b"x" * HINT_BODY_BYTES_MAX, mtime=0), "gzip", b"x" * HINT_BODY_BYTES_MAX),
        (gzip.compress(b"x" * 10_000_000, mtime=0), "gzip", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_packed_body_is_unpacked_within_bounds(packed: bytes, coding: str | None, plain: bytes | None) -> None:
    """A small body may unpack to a huge one: no more than the bound is ever made."""
    assert unpacked(packed, coding) == plain
