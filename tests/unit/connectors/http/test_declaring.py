"""What cannot work is refused when it is declared, not when it is called."""

from __future__ import annotations

from typing import Any

import pytest

from switchgear.connectors.credentials import Reference
from switchgear.connectors.http.specification import HttpConnection, HttpOperation, Outcomes
from switchgear.connectors.http.template import PathTemplate
from switchgear.core.errors import Invalid, OptionError


@pytest.mark.parametrize(
    "text",
    [
        "contacts",
        "",
        "/a b",
        "/a?x=1",
        "/a#b",
        "/a//b",
        "/../a",
        "/a/./b",
        "/a/%2e%2e/b",
        "/a\\b",
        "/{a",
        "/{1a}",
        "/é",
    ],
)
def test_paths_that_are_none_are_refused(text: str) -> None:
    """A template is a plain path with names."""
    with pytest.raises(OptionError):
        PathTemplate(text)


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("7", "/c/7"),
        (7, "/c/7"),
        (1.5, "/c/1.5"),
        (True, "/c/true"),
        ("a/b", "/c/a%2Fb"),
        ("a?b#c", "/c/a%3Fb%23c"),
        ("a b", "/c/a%20b"),
        ("é", "/c/%C3%A9"),
        ("%2e", "/c/%252e"),
        ("a\r\nHost: evil", "/c/a%0D%0AHost%3A%20evil"),
        ("...", "/c/..."),
    ],
)
def test_values_stay_inside_their_segment(value: object, filled: str) -> None:
    """A value is encoded whole, so it can add neither a segment nor a query nor a header."""
    if value == "%2e":
        with pytest.raises(Invalid):
            PathTemplate("/c/{id}").fill({"id": value})
    else:
        assert PathTemplate("/c/{id}").fill({"id": value}) == filled


@pytest.mark.parametrize(
    "value", ["", None, "..", ".", "../admin", "a/../b", "..\\admin", "%2e%2e", " .. ", [1], {}, "\ud800"]
)
def test_values_that_would_reach_elsewhere_are_refused(value: object) -> None:
    """Nothing empty, climbing, structured or unencodable gets into a path."""
    with pytest.raises(Invalid):
        PathTemplate("/c/{id}").fill({"id": value})


def test_names_that_climb_together_are_refused() -> None:
    """Two harmless values must not make a climbing segment."""
    with pytest.raises(Invalid):
        PathTemplate("/c/{a}{b}").fill({"a": ".", "b": "."})


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"base_url": "ftp://a"}, "base_url"),
        ({"base_url": "//a"}, "base_url"),
        ({"base_url": "https://"}, "base_url"),
        ({"base_url": "https://a:99999"}, "base_url"),
        ({"base_url": "https://a b"}, "base_url"),
        ({"base_url": "https://user:word@a"}, "no user"),
        ({"base_url": "https://a?x=1"}, "query"),
        ({"base_url": "https://a", "hosts": ("b",)}, "hosts must list 'a'"),
        ({"base_url": "https://a", "hosts": ("*.a",)}, "no host"),
        ({"base_url": "https://a", "hosts": ("a:443",)}, "no host"),
        ({"base_url": "https://a", "headers": {"Host": "b"}}, "Host"),
        ({"base_url": "https://a", "headers": {"content-length": "1"}}, "content-length"),
        ({"base_url": "https://a", "headers": {"X Y": "b"}}, "X Y"),
        ({"base_url": "https://a", "headers": {"X": "a\nb"}}, "'X'"),
        ({"base_url": "https://a", "headers": {"X": Reference("env", "A", "a\n ")}}, "'X'"),
        ({"base_url": "https://a", "response_bytes_max": 0}, "above 0"),
        ({"base_url": "https://a", "connect_timeout": float("nan")}, "above 0"),
    ],
)
def test_connections_that_cannot_work_are_refused(options: dict[str, Any], word: str) -> None:
    """Each option is checked at birth, and the error names it."""
    with pytest.raises(OptionError, match=word.replace("*", r"\*")):
        HttpConnection(name="crm", **options)


def test_a_connection_does_not_show_its_headers() -> None:
    """A literal header may be a secret, so it is not in the text of its holder."""
    connection = HttpConnection(name="crm", base_url="https://a", headers={"Authorization": "s3cret"})
    assert "s3cret" not in repr(connection)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"method": "TRACE"}, "TRACE"),
        ({"method": "GET", "body": "json"}, "no body"),
        ({"method": "POST", "query": ("id",)}, "two places"),
        ({"method": "POST", "query": ("a",), "body": ("a",)}, "two places"),
        ({"method": "POST", "idempotency_header": "Bad Name"}, "Bad Name"),
        ({"method": "POST", "path": "ftp://a/b"}, "path"),
        ({"method": "POST", "path": "https://a"}, "path"),
    ],
)
def test_operations_that_cannot_work_are_refused(options: dict[str, Any], word: str) -> None:
    """An operation gives each argument one place, and a body only where there can be one."""
    with pytest.raises(OptionError, match=word):
        HttpOperation(**{"path": "/c/{id}", **options})


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"succeeded": (409,), "in_doubt": (409,)}, "both"),
        ({"succeeded": ("6xx",)}, "6xx"),
        ({"succeeded": (99,)}, "99"),
        ({"retryable": (503,)}, "not not_applied"),
    ],
)
def test_outcomes_that_contradict_are_refused(options: dict[str, Any], word: str) -> None:
    """A status means one thing, and only what was not applied can be retryable."""
    with pytest.raises(OptionError, match=word):
        Outcomes(**options)


def test_a_status_beats_its_class() -> None:
    """What is listed exactly wins over a listed class, which wins over the default."""
    outcomes = Outcomes(succeeded=(409,), not_applied=("5xx",), in_doubt=(500,), retryable=(503,))
    standings = [outcomes.standing(status) for status in (409, 500, 503, 404, 200, 301, 199)]
    assert standings == ["succeeded", "in_doubt", "not_applied", "not_applied", "succeeded", "redirect", "in_doubt"]
    assert outcomes.is_retryable(503)
