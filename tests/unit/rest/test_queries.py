"""Query parameters: ranges, unknown names, repeats, bytes that are no text."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from switchgear.surfaces.rest.operation import FORMS
from switchgear.surfaces.rest.operations import OPERATIONS
from switchgear.surfaces.rest.problems import MalformedRequest
from switchgear.surfaces.rest.queries import Choice, Whole, Word, read_query

KNOWN = (Whole("limit", "…", 1, 200, 50), Word("cursor", "…", "[a-z]{1,4}"), Choice("state", "…", ("a", "b")))


def test_what_is_not_sent_has_its_default() -> None:
    """A parameter that is not sent has one documented meaning."""
    assert read_query(b"", KNOWN) == {"limit": 50, "cursor": None, "state": None}
    assert read_query(b"limit=200&cursor=abc&state=a", KNOWN) == {"limit": 200, "cursor": "abc", "state": "a"}


@pytest.mark.parametrize(
    ("query", "where"),
    [
        (b"limit=0", "query:limit"),
        (b"limit=201", "query:limit"),
        (b"limit=-1", "query:limit"),
        (b"limit=", "query:limit"),
        (b"limit=1.0", "query:limit"),
        (b"limit=%D9%A3", "query:limit"),
        (b"limit=" + b"9" * 9999, "query:limit"),
        (b"limit=1&limit=1", "query:limit"),
        (b"cursor=ABC", "query:cursor"),
        (b"cursor=abcde", "query:cursor"),
        (b"cursor=", "query:cursor"),
        (b"cursor=abc%0A", "query:cursor"),
        (b"state=c", "query:state"),
        (b"Limit=1", "query:Limit"),
        (b"tenant=other", "query:tenant"),
        (b"%FF=1", "query"),
        (b"state=%FF", "query"),
        (b"\xff", "query"),
        (b"&".join(b"a%d=1" % number for number in range(40)), "query"),
    ],
)
def test_what_is_not_understood_is_refused(query: bytes, where: str) -> None:
    """An ignored parameter is a wish that is silently not met, so every one is understood or refused."""
    with pytest.raises(MalformedRequest) as refusal:
        read_query(query, KNOWN)
    assert refusal.value.errors[0].where == where


def test_every_unknown_parameter_is_listed() -> None:
    """All that is wrong is said at once."""
    with pytest.raises(MalformedRequest) as refusal:
        read_query(b"x=1&y=2", KNOWN)
    assert [error.where for error in refusal.value.errors] == ["query:x", "query:y"]


def test_what_has_to_be_sent_is_listed_with_what_is_unknown() -> None:
    """A mistyped name is seen beside the one that is missing."""
    needed = (Word("key", "…", "[a-z]+", needed=True), Word("tool", "…", "[a-z]+", needed=True))
    with pytest.raises(MalformedRequest, match="query:kye is not known here") as refusal:
        read_query(b"kye=x&tool=y", needed)
    assert [error.where for error in refusal.value.errors] == ["query:kye", "query:key"]


def test_forms_of_a_word_are_named_instead_of_its_pattern() -> None:
    """A pattern that nobody can read is said in words."""
    with pytest.raises(MalformedRequest, match="must be a year"):
        read_query(b"period=x", (Word("period", "…", "[0-9]{4}", "a year"),))


def patterns_in(schema: object) -> Iterator[str]:
    """Yield each pattern of a JSON schema, however deep."""
    if isinstance(schema, dict):
        yield from (one for name, one in schema.items() if name == "pattern" and isinstance(one, str))
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in parts:
        yield from patterns_in(part)


def test_no_pattern_is_shown_to_who_has_written_something_else() -> None:
    """Each pattern of a query or a body has words: a regular expression tells nobody what to write."""
    words = [word for operation in OPERATIONS for word in operation.query if isinstance(word, Word)]
    bodies = [msgspec.json.schema(operation.body) for operation in OPERATIONS if operation.body is not None]
    assert [word.name for word in words if not word.forms] == []
    assert [found for body in bodies for found in patterns_in(body) if found not in FORMS] == []
