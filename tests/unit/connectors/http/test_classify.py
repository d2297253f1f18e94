"""What a status and a body say about the action and about the dependency: every row."""

from __future__ import annotations

import pytest

from switchgear.adapters.http_hints import RETRY_AFTER_MAX, retry_after_of
from switchgear.connectors.http.answer import Answer
from switchgear.connectors.http.classify import result_of
from switchgear.connectors.http.specification import HttpOperation, Method, Outcomes
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.outcome import Verdict
from switchgear.execution.attempt import VALUE_BYTES_MAX
from switchgear.execution.contract import Refused, Result, Succeeded, Uncertain
from switchgear.execution.decide import Backoff, Moment, after_result
from switchgear.execution.intent import evolve
from switchgear.execution.transitions import State
from tests.unit.execution.test_intent import intent

FAILURE, SUCCESS = Verdict.FAILURE, Verdict.SUCCESS
NOW = 1_700_000_000.0
POST = HttpOperation(method="POST", path="/c")
GET = HttpOperation(method="GET", path="/c")


def _summary(result: Result) -> tuple[object, ...]:
    match result:
        case Succeeded(value, verdict):
            return ("succeeded", value, verdict)
        case Refused(code, _, retryable, verdict, retry_after):
            return ("refused", code, retryable, verdict, retry_after)
        case Uncertain(code, _, verdict, retry_after):
            return ("uncertain", code, verdict, retry_after)


def _refused(
    code: Code, verdict: Verdict, *, retryable: bool = False, after: float | None = None
) -> tuple[object, ...]:
    return ("refused", code, retryable, verdict, after)


@pytest.mark.parametrize(("status", "of_tenant"), [(401, True), (403, True), (429, True), (400, False), (404, False)])
def test_refused_credentials_and_quota_are_the_tenants(status: int, of_tenant: bool) -> None:  # noqa: FBT001 - a column of the table
    """Another tenant would not have been turned away so."""
    result = result_of(POST, Answer(status), NOW)
    assert isinstance(result, Refused)
    assert result.of_tenant is of_tenant


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, ("succeeded", None, SUCCESS)),
        (201, ("succeeded", None, SUCCESS)),
        (204, ("succeeded", None, SUCCESS)),
        (400, _refused(Code.TOOL_FAILED, SUCCESS)),
        (401, _refused(Code.TOOL_FAILED, SUCCESS)),
        (403, _refused(Code.TOOL_FAILED, SUCCESS)),
        (404, _refused(Code.TOOL_FAILED, SUCCESS)),
        (408, _refused(Code.DEPENDENCY_FAILED, FAILURE, retryable=True)),
        (409, _refused(Code.TOOL_FAILED, SUCCESS)),
        (422, _refused(Code.TOOL_FAILED, SUCCESS)),
        (425, _refused(Code.DEPENDENCY_FAILED, FAILURE, retryable=True)),
        (429, _refused(Code.RATE_LIMITED_CONNECTOR, FAILURE, retryable=True)),
        (500, ("uncertain", Code.DEPENDENCY_FAILED, FAILURE, None)),
        (501, ("uncertain", Code.DEPENDENCY_FAILED, FAILURE, None)),
        (502, ("uncertain", Code.DEPENDENCY_FAILED, FAILURE, None)),
        (503, ("uncertain", Code.DEPENDENCY_FAILED, FAILURE, None)),
        (504, ("uncertain", Code.DEPENDENCY_FAILED, FAILURE, None)),
        (301, ("uncertain", Code.EGRESS_DENIED, SUCCESS, None)),
        (302, ("uncertain", Code.EGRESS_DENIED, SUCCESS, None)),
        (303, ("uncertain", Code.EGRESS_DENIED, SUCCESS, None)),
        (307, _refused(Code.EGRESS_DENIED, SUCCESS)),
        (308, _refused(Code.EGRESS_DENIED, SUCCESS)),
    ],
)
def test_each_status_has_its_default(status: int, expected: tuple[object, ...]) -> None:
    """The default table of SEMANTICS holds for every status that matters."""
    assert _summary(result_of(POST, Answer(status), NOW)) == expected


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_read_did_nothing(status: int) -> None:
    """A redirect of a safe request is a refusal, and the address it leads to is not repeated whole."""
    answer = Answer(status, location="https://user:word@evil.example/x?token=s3cret")
    result = result_of(GET, answer, NOW)
    assert _summary(result) == _refused(Code.EGRESS_DENIED, SUCCESS)
    assert isinstance(result, Refused)
    assert "evil.example" in result.message
    assert "s3cret" not in result.message
    assert "word" not in result.message


@pytest.mark.parametrize(
    ("operation", "answer", "value"),
    [
        (POST, Answer(200, "application/json", body=b'{"a":1}'), {"a": 1}),
        (POST, Answer(200, "application/problem+json; charset=utf-8", body=b"[1]"), [1]),
        (POST, Answer(200, "text/plain", body=b"hi"), "hi"),
        (POST, Answer(200, "", body=b"hi"), "hi"),
        (HttpOperation(method="GET", path="/c", result="json"), Answer(200, "text/plain", body=b"1"), 1),
        (HttpOperation(method="GET", path="/c", result="text"), Answer(200, "application/json", body=b"1"), "1"),
        (HttpOperation(method="GET", path="/c", result="none"), Answer(200, "a/b", body=b"\xff"), None),
        (HttpOperation(method="GET", path="/c", result="none"), Answer(200, problem="it broke off"), None),
    ],
)
def test_bodies_are_read_as_declared(operation: HttpOperation, answer: Answer, value: object) -> None:
    """JSON where it is announced or demanded, text otherwise, nothing where nothing is wanted."""
    assert result_of(operation, answer, NOW) == Succeeded(value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "application/json", body=b"<html>"),
        Answer(200, "application/json", body=b'{"a":'),
        Answer(200, "application/json", body=b"NaN"),
        Answer(200, "application/json", body=b"1e999"),
        Answer(200, "application/json", body=b"[" * 100_000),
        Answer(200, "application/json", body=b'"\xff"'),
        Answer(200, "text/plain", body=b"\xff\xfe"),
        Answer(200, problem="the answer broke off"),
    ],
)
def test_an_answer_that_cannot_be_read_is_doubt(answer: Answer) -> None:
    """A 2xx whose body is unreadable is neither a success nor a failure."""
    assert _summary(result_of(POST, answer, NOW)) == ("uncertain", Code.DEPENDENCY_FAILED, FAILURE, None)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "text/plain", body=b"\x01" * 200_000),
        Answer(200, "application/json", body=b'"%s"' % (b"x" * VALUE_BYTES_MAX)),
        Answer(200, "application/json", body=b"[%s1]" % (b"1E9," * 200_000)),
    ],
)
def test_a_value_that_the_ledger_has_no_room_for_is_noted(answer: Answer) -> None:
    """It happened: a body within its limit whose value is larger as recorded JSON becomes a note, never doubt."""
    result = result_of(POST, answer, NOW)
    assert isinstance(result, Succeeded)
    assert list(result.value) == ["unrecorded"]
    assert f"{VALUE_BYTES_MAX} is the most" in result.value["unrecorded"]


@pytest.mark.parametrize(
    ("operation", "status", "effect", "state"),
    [
        (POST, 302, "keyed", State.READY),
        (POST, 302, "opaque", State.IN_DOUBT),
        (POST, 303, "natural", State.IN_DOUBT),
        (POST, 302, "read_only", State.READY),
        (POST, 307, "keyed", State.DEAD_LETTERED),
        (GET, 302, "read_only", State.FAILED),
    ],
)
def test_a_redirect_leads_where_the_page_says(operation: HttpOperation, status: int, effect: str, state: State) -> None:
    """A definite refusal is final; in doubt, the effect decides, so a keyed action repeats with its key."""
    subject = intent(state=State.DISPATCHED, attempt=1, first_sent_at=90.0, effect=Effect(effect))
    result = result_of(operation, Answer(status, location="https://b.example"), NOW)
    for change in after_result(subject, Backoff(1.0, 1.0), result, Moment(now=100.0, draw=0.5)):
        subject = evolve(subject, change, 100.0)
    assert subject.state is state


@pytest.mark.parametrize(
    ("method", "code"), [("GET", Code.NOT_FOUND), ("HEAD", Code.NOT_FOUND), ("PUT", Code.TOOL_FAILED)]
)
@pytest.mark.parametrize("status", [404, 410])
def test_what_a_read_does_not_find_is_not_there(method: Method, code: Code, status: int) -> None:
    """A lookup learns from it that the action did not happen; of a write it is a refusal like any other."""
    operation = HttpOperation(method=method, path="/c")
    assert _summary(result_of(operation, Answer(status), NOW)) == _refused(code, SUCCESS)


def test_declared_outcomes_win() -> None:
    """What the operation declares beats the defaults; the verdict on the dependency stays."""
    outcomes = Outcomes(succeeded=(409, 303), not_applied=(503,), in_doubt=(404,), retryable=(503,))
    operation = HttpOperation(method="POST", path="/c", outcomes=outcomes)
    summaries = [
        _summary(result_of(operation, Answer(status, retry_after="7"), NOW)) for status in (409, 303, 503, 404, 429)
    ]
    assert summaries == [
        ("succeeded", None, SUCCESS),
        ("succeeded", None, SUCCESS),
        _refused(Code.DEPENDENCY_FAILED, FAILURE, retryable=True, after=7.0),
        ("uncertain", Code.DEPENDENCY_FAILED, SUCCESS, 7.0),
        _refused(Code.TOOL_FAILED, FAILURE),
    ]


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        ("7", None, 7.0),
        (" 7 ", None, 7.0),
        ("0.5", None, 0.5),
        ("0", None, 0.0),
        ("-1", None, -1.0),
        ("9" * 15, None, RETRY_AFTER_MAX),
        ("9" * 40, None, None),
        ("Tue, 14 Nov 2023 22:13:30 GMT", None, 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", None, 0.0),
        ("Tuesday, 14-Nov-23 22:13:30 GMT", None, 10.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None, RETRY_AFTER_MAX),
        ("soon", None, None),
        ("", None, None),
        ("nan", None, None),
        ("٣", None, None),
        (None, {"retry_after": 4}, 4.0),
        ("soon", {"retry_after": 4}, 4.0),
        ("7", {"retry_after": 4}, 7.0),
        (None, {"retry_after": True}, None),
        (None, {"retry_after": float("inf")}, None),
        (None, [1], None),
    ],
)
def test_the_remote_s_wish_is_read(header: str | None, body: object, expected: float | None) -> None:
    """Seconds, dates of all three forms, problem bodies; what cannot be read is no wish."""
    assert retry_after_of(header, body, NOW) == expected


def test_the_wish_reaches_the_result() -> None:
    """429 and 503 keep the hint, also from a problem body; a negative one means: do not retry."""
    problem = Answer(429, "application/problem+json", body=b'{"retry_after": 3}')
    assert _summary(result_of(POST, problem, NOW))[-1] == 3.0
    assert _summary(result_of(POST, Answer(503, retry_after="9"), NOW))[-1] == 9.0
    assert _summary(result_of(POST, Answer(429, retry_after="-1"), NOW)) == _refused(Code.TOOL_FAILED, FAILURE)
    never = Answer(429, "application/json", body=b'{"retryAfter": "-1"}')
    assert _summary(result_of(POST, never, NOW)) == _refused(Code.TOOL_FAILED, FAILURE)
    endless = Answer(503, "application/problem+json", body=b'{"retry-after": 1%s}' % (b"0" * 400))
    assert _summary(result_of(POST, endless, NOW))[-1] == RETRY_AFTER_MAX


def test_messages_are_one_short_clean_line() -> None:
    """A remote's text cannot break the terminal, the log or the ledger."""
    result = result_of(POST, Answer(422, body=b"a\n\x1b[31mb" + b"x" * 5_000), NOW)
    assert isinstance(result, Refused)
    assert result.message.isprintable()
    assert len(result.message) < 350
