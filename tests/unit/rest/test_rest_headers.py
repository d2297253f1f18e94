"""Reading request headers: token, idempotency key, preferences, correlation, trace."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from switchgear.core.codes import Code
from switchgear.core.errors import Denied
from switchgear.surfaces.rest.headers import bearer_token, correlation, idempotency_key, wished_wait
from switchgear.surfaces.rest.problems import MalformedRequest
from switchgear.surfaces.rest.trace import trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def headers(*pairs: tuple[str, str]) -> Headers:
    """Return headers as a server hands them over."""
    return Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in pairs])


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ('"order-17"', "order-17"),
        ("order-17", "order-17"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"a b"', "a b"),
        (r'"say \"hi\" \\ bye"', r'say "hi" \ bye'),
        ("a:b/c+d=e", "a:b/c+d=e"),
        (f'"{"x" * 255}"', "x" * 255),
    ],
)
def test_an_idempotency_key_is_a_quoted_string_or_a_bare_word(sent: str, key: str) -> None:
    """Both spellings of one key are the same key: quotes are syntax, not part of it."""
    assert idempotency_key(headers(("Idempotency-Key", sent))) == key


@pytest.mark.parametrize(
    "sent",
    [
        "",
        '""',
        '"',
        '"a',
        'a"',
        "a b",
        "a,b",
        "a;b",
        '"a";p=1',
        '"a\\x"',
        '"ä"',
        "ä",
        '"a\tb"',
        "x" * 256,
        '"a" "b"',
    ],
)
def test_any_other_idempotency_key_is_refused(sent: str) -> None:
    """A key that is read differently than it was meant would break law 3, so nothing is guessed."""
    with pytest.raises(MalformedRequest) as refusal:
        idempotency_key(headers(("Idempotency-Key", sent)))
    assert refusal.value.errors[0].where == "header:Idempotency-Key"


def test_two_idempotency_keys_are_refused() -> None:
    """Law 3: one action has one key."""
    with pytest.raises(MalformedRequest):
        idempotency_key(headers(("Idempotency-Key", "a"), ("Idempotency-Key", "a")))
    assert idempotency_key(headers()) is None


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ("wait=10", 10),
        ("wait=0", 0),
        ("wait=61", 60),
        ("wait=999999999", 60),
        ("respond-async, wait=7", 7),
        ('WAIT = "5"', 5),
        ("wait=3; foo", 3),
        ("respond-async", None),
        ("waiting=5", None),
        ("", None),
    ],
)
def test_the_wish_to_wait_is_bounded(sent: str, seconds: int | None) -> None:
    """Law 1: a wait is at most 60 seconds; unknown preferences are ignored, as RFC 7240 has it."""
    assert wished_wait(headers(("Prefer", sent)), 60.0) == seconds


@pytest.mark.parametrize("sent", ["wait", "wait=", "wait=-1", "wait=1.5", "wait=x", "wait=1e3", "wait=9999999999"])
def test_a_wish_that_is_no_number_is_refused(sent: str) -> None:
    """A malformed wait is said so, rather than silently not waited for."""
    with pytest.raises(MalformedRequest):
        wished_wait(headers(("Prefer", sent)), 60.0)


def test_the_first_wish_counts() -> None:
    """RFC 7240 §2: of a preference sent twice the first counts."""
    assert wished_wait(headers(("Prefer", "wait=1"), ("Prefer", "wait=2")), 60.0) == 1


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (("Authorization", ""),),
        (("Authorization", "Bearer"),),
        (("Authorization", "Bearer  "),),
        (("Authorization", "Basic abc"),),
        (("Authorization", "abc"),),
        (("Authorization", "Bearer a"), ("Authorization", "Bearer b")),
    ],
)
def test_no_token_is_unauthenticated(pairs: tuple[tuple[str, str], ...]) -> None:
    """Law 9: without exactly one bearer token there is no tenant."""
    with pytest.raises(Denied) as refusal:
        bearer_token(headers(*pairs))
    assert refusal.value.code is Code.TENANT_UNAUTHENTICATED


def test_the_scheme_is_read_in_any_case() -> None:
    """RFC 9110 §11.1: authentication schemes ignore case."""
    assert bearer_token(headers(("Authorization", "bEARER  abc "))) == "abc"


@pytest.mark.parametrize("sent", ["", " ", "a b", "x" * 129, "ä", "a\x01"])
def test_a_correlation_id_is_short_visible_text(sent: str) -> None:
    """Law 10: what is recorded with an intent has a bound."""
    with pytest.raises(MalformedRequest):
        correlation(headers(("X-Correlation-ID", sent)))
    assert correlation(headers(("X-Correlation-ID", "batch/7"))) == "batch/7"
    assert correlation(headers()) is None


def test_a_trace_is_continued_with_a_span_of_our_own() -> None:
    """W3C Trace Context §2: the trace id and flags stay, the span is ours."""
    trace = trace_of(f"00-{TRACE}-{SPAN}-00")
    assert (trace.trace_id, trace.flags) == (TRACE, "00")
    assert trace.span_id != SPAN
    assert trace.header == f"00-{TRACE}-{trace.span_id}-00"
    assert trace_of(f"cc-{TRACE}-{SPAN}-01-later").trace_id == TRACE


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "abc",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_a_malformed_trace_begins_a_new_one(sent: str | None) -> None:
    """W3C Trace Context §2.2: what is not well formed is ignored, never an error."""
    trace = trace_of(sent)
    assert trace.trace_id != TRACE
    assert trace_of(trace.header).trace_id == trace.trace_id


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_does_anything_but_be_read_or_refused(text: str) -> None:
    """Property: any bytes in any header end as a value or as MalformedRequest."""
    trace_of(text)
    for name, read in (
        ("idempotency-key", idempotency_key),
        ("x-correlation-id", correlation),
        ("prefer", lambda sent: wished_wait(sent, 60.0)),
    ):
        with suppress(MalformedRequest):
            read(headers((name, text)))
