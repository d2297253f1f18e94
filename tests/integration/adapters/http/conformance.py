"""What every HTTP adapter must do, whichever the client. Run over the real clients against a real server.

A test class inherits `HttpConformance` and gives the fixture `make`: a function of a guard and the adapter's
options that returns a `Subject`. The fixture `server` is the scripted one.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from switchgear.core.clock import SystemClock
from switchgear.core.deadline import deadline
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, RetryExhausted
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.hedge import Hedge
from switchgear.policies.retry import Retry
from switchgear.policies.timeout import Timeout
from tests.integration.adapters.http.clients import Asking, Subject
from tests.integration.adapters.http.server import (
    Act,
    Server,
    answer,
    chunked,
    closed_port,
    full_port,
    garbage,
    half,
    hang_up,
    reset,
    silence,
)

Make = Callable[..., Subject]

_BIG = 200_000


class PatientClock(SystemClock):
    """The system's clock, except that back-off takes no time and is written down."""

    def __init__(self) -> None:
        """Start without a wait."""
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Write the wait down."""
        self.slept.append(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Write the wait down."""
        self.slept.append(seconds)


def retrying(attempts: int, clock: SystemClock | None = None, **options: object) -> Guard:
    """Return a guard that retries every error without back-off of its own."""
    retry = Retry(attempts=attempts, on=(Exception,), base=0.0, cap=0.0)
    return Guard("remote", retry=retry, clock=clock or PatientClock(), **options)  # type: ignore[arg-type] # options of the guard


def breaking(**options: object) -> Guard:
    """Return a guard whose breaker opens at the first failure."""
    return Guard("remote", breaker=Breaker(failures=1, cooldown=60.0), **options)  # type: ignore[arg-type] # as above


class Statuses:
    """A status is a verdict inside the guard and a plain answer outside."""

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
    def test_a_failing_status_is_a_failure(self, make: Make, server: Server, status: int) -> None:
        """408, 425, 429 and 5xx open the breaker, and the caller still gets the answer."""
        guard = breaking()
        server.script[:] = [answer(status, b"sorry")]
        reply = make(guard).send(server.url, Asking(method="POST", body=b"x"))
        assert (reply.status, reply.body) == (status, b"sorry")
        assert guard.state == "open"

    @pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 403, 404, 409, 410, 422, 451])
    def test_any_other_status_is_a_success(self, make: Make, server: Server, status: int) -> None:
        """A 4xx is an answer of a healthy dependency: less traffic would not change it."""
        guard = breaking()
        server.script[:] = [answer(status, b"")]
        assert make(guard).send(server.url, Asking()).status == status
        assert (guard.state, guard.statistics().successes) == ("closed", 1)

    def test_on_status_replaces_the_table(self, make: Make, server: Server) -> None:
        """What the user lists fails, and nothing else."""
        guard = breaking()
        subject = make(guard, on_status={404})
        server.script[:] = [answer(503), answer(404)]
        assert [subject.send(server.url, Asking()).status for _ in range(2)] == [503, 404]
        assert (guard.statistics().successes, guard.statistics().failures) == (1, 1)

    def test_an_open_breaker_sends_nothing(self, make: Make, server: Server) -> None:
        """A refusal is raised as it is, and the server hears nothing."""
        subject = make(breaking())
        server.script[:] = [answer(500)]
        subject.send(server.url, Asking())
        with pytest.raises(CircuitOpen) as caught:
            subject.send(server.url, Asking())
        assert server.count == 1
        assert not subject.may_have_left(caught.value)


class Retries:
    """Only what may be repeated is repeated, and nothing is lost on the way."""

    def test_a_failing_status_is_retried(self, make: Make, server: Server) -> None:
        """The caller sees the answer of the attempt that worked."""
        server.script[:] = [answer(503), answer(429), answer(200, b"good")]
        assert make(retrying(3)).send(server.url, Asking()).body == b"good"
        assert server.count == 3

    def test_the_last_failing_answer_is_handed_out(self, make: Make, server: Server) -> None:
        """When no attempt is left the failing answer is an answer again, with its body."""
        server.script[:] = [answer(503, b"first"), answer(500, b"second", X_Kind="last")]
        reply = make(retrying(2)).send(server.url, Asking())
        assert (reply.status, reply.body, reply.headers["X-Kind"]) == (500, b"second", "last")
        assert server.count == 2

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
    def test_repeatable_methods_are_retried(self, make: Make, server: Server, method: str) -> None:
        """Safe and idempotent methods (RFC 9110 §9.2) are sent again."""
        server.script[:] = [answer(503, b""), answer(200, b"")]
        assert make(retrying(3)).send(server.url, Asking(method=method)).status == 200
        assert [request.method for request in server.received] == [method, method]

    @pytest.mark.parametrize("method", ["POST", "PATCH"])
    def test_other_methods_are_sent_once(self, make: Make, server: Server, method: str) -> None:
        """What could have a second effect is never repeated."""
        server.script[:] = [answer(503)]
        assert make(retrying(3)).send(server.url, Asking(method=method, body=b"x")).status == 503
        assert server.count == 1

    def test_a_key_makes_a_request_repeatable(self, make: Make, server: Server) -> None:
        """With an Idempotency-Key the same key and the same bytes are sent again."""
        server.script[:] = [answer(503)]
        asking = Asking(method="POST", body=b"payload", headers={"Idempotency-Key": "order-17"})
        assert make(retrying(3)).send(server.url, asking).status == 200
        sent = [(request.headers["idempotency-key"], request.body) for request in server.received]
        assert sent == [("order-17", b"payload")] * 2

    def test_a_stream_is_never_repeated(self, make: Make, server: Server) -> None:
        """A body that can be read only once is sent once, whatever the method."""
        server.script[:] = [answer(503)]
        assert make(retrying(3)).send(server.url, Asking(method="PUT", body=b"stream", once=True)).status == 503
        assert [request.body for request in server.received] == [b"stream"]

    def test_retry_after_in_seconds(self, make: Make, server: Server) -> None:
        """The server's wish is waited out."""
        clock = PatientClock()
        server.script[:] = [answer(429, Retry_After="7")]
        assert make(retrying(3, clock)).send(server.url, Asking()).status == 200
        assert clock.slept == [7.0]

    def test_retry_after_as_a_date(self, make: Make, server: Server) -> None:
        """The wish may be a date."""
        clock = PatientClock()
        server.script[:] = [answer(503, Retry_After=formatdate(time.time() + 30, usegmt=True))]
        assert make(retrying(3, clock)).send(server.url, Asking()).status == 200
        assert clock.slept == [pytest.approx(30, abs=3)]

    @pytest.mark.parametrize(
        ("body", "seconds"),
        [
            (b'{"retry_after": 7}', 7.0),
            (b'{"retryAfter": "7.5"}', 7.5),
            (b'{"retry-after": "%s"}' % formatdate(time.time() + 3600, usegmt=True).encode(), None),
            (b'{"retry_after": -1}', None),
            (b'{"retry_after": "soon"}', 0.0),
            (b'{"retry_after": ', 0.0),
        ],
        ids=["number", "text", "a date too late", "never", "nonsense", "broken"],
    )
    def test_retry_after_in_a_problem_body(
        self, make: Make, server: Server, body: bytes, seconds: float | None
    ) -> None:
        """Without the header the wish is read from a small problem body, and the body is still the caller's."""
        clock = PatientClock()
        server.script[:] = [answer(429, body, Content_Type="application/problem+json"), answer(200, b"good")]
        reply = make(retrying(3, clock)).send(server.url, Asking())
        waited = [] if seconds is None else [seconds]
        assert (reply.body, clock.slept) == (body if seconds is None else b"good", waited)

    def test_retry_after_in_a_packed_problem_body(self, make: Make, server: Server) -> None:
        """The body may be compressed, as the clients ask for."""
        clock = PatientClock()
        packed = gzip.compress(b'{"retry_after": 7}')
        headers = {"Content_Type": "application/problem+json", "Content_Encoding": "gzip"}
        server.script[:] = [answer(503, packed, **headers), answer(503, packed, **headers)]
        reply = make(retrying(2, clock)).send(server.url, Asking())
        assert (reply.body, clock.slept) == (b'{"retry_after": 7}', [7.0])

    def test_a_header_beats_the_problem_body(self, make: Make, server: Server) -> None:
        """Both say something: the header counts."""
        clock = PatientClock()
        problem = {"Content_Type": "application/problem+json", "Retry_After": "3"}
        server.script[:] = [answer(429, b'{"retry_after": 7}', **problem)]
        assert make(retrying(3, clock)).send(server.url, Asking()).status == 200
        assert clock.slept == [3.0]

    def test_a_streamed_failure_is_the_callers(self, make: Make, server: Server) -> None:
        """A problem body that was read for a wish can still be read in pieces."""
        problem = answer(503, b'{"retry_after": -1}', Content_Type="application/problem+json")
        server.script[:] = [problem]
        assert make(Guard("remote")).first_part(server.url) == b'{"retry_after": -1}'

    def test_a_wish_that_is_too_long_ends_the_call(self, make: Make, server: Server) -> None:
        """A wait above `hint_max` is not waited out: the answer is handed out with its header."""
        clock = PatientClock()
        server.script[:] = [answer(429, Retry_After="3600")]
        reply = make(retrying(3, clock)).send(server.url, Asking())
        assert (reply.status, reply.headers["Retry-After"], clock.slept) == (429, "3600", [])

    def test_a_wish_beyond_the_deadline_ends_the_call(self, make: Make, server: Server) -> None:
        """When the deadline would be over first, the answer at hand is worth more than an error."""
        server.script[:] = [answer(503, b"later", Retry_After="20")]
        reply = make(retrying(3, deadline=5.0)).send(server.url, Asking())
        assert (reply.status, reply.body, server.count) == (503, b"later", 1)

    def test_a_refused_repetition_hands_out_the_last_answer(self, make: Make, server: Server) -> None:
        """The breaker may refuse the second attempt; the first one's answer is still an answer."""
        guard = retrying(3, breaker=Breaker(failures=1, cooldown=60.0))
        server.script[:] = [answer(500, b"first")]
        assert make(guard).send(server.url, Asking()).body == b"first"
        assert (guard.state, server.count) == ("open", 1)


class Connections:
    """No answer that nobody reads keeps a connection."""

    def test_a_pool_of_one_survives_small_failures(self, make: Make, server: Server) -> None:
        """50 retried failures with small bodies go over one connection."""
        server.script[:] = [answer(503, b"x" * 1000) for _ in range(50)]
        assert make(retrying(51)).send(server.url, Asking()).status == 200
        assert (server.count, server.connections) == (51, 1)

    @pytest.mark.parametrize(
        "act", [chunked(503, b"a", b"b"), answer(503, b"x" * _BIG)], ids=["unknown length", "big body"]
    )
    def test_a_pool_of_one_survives_other_failures(self, make: Make, server: Server, act: Act) -> None:
        """Nor do 50 with bodies that are not read leak one."""
        server.script[:] = [act] * 50
        assert make(retrying(51)).send(server.url, Asking()).status == 200
        assert server.count == 51

    @pytest.mark.parametrize("act", [reset(), hang_up(), garbage(), half(503)])
    def test_a_pool_of_one_survives_errors(self, make: Make, server: Server, act: Act) -> None:
        """Nor do connections that break."""
        server.script[:] = [act] * 5
        assert make(retrying(6)).send(server.url, Asking()).status == 200
        assert server.count == 6

    def test_a_failing_answer_is_handed_out_whole(self, make: Make, server: Server) -> None:
        """A body too big to be kept is read by the caller, after the last attempt."""
        server.script[:] = [answer(500, b"x" * _BIG) for _ in range(2)]
        assert len(make(retrying(2)).send(server.url, Asking()).body) == _BIG

    def test_a_failing_answer_can_be_streamed(self, make: Make, server: Server) -> None:
        """Whoever reads answers in pieces can read a failing one so."""
        server.script[:] = [answer(500, b"pieces") for _ in range(2)]
        assert make(retrying(2)).first_part(server.url) == b"pieces"


class Errors:
    """The client's own errors are verdicts, and come out as they are."""

    def test_nobody_listens(self, make: Make) -> None:
        """A connection that is refused is a failure, and nothing has left."""
        guard = breaking()
        subject = make(guard)
        with closed_port() as url, pytest.raises(subject.connect_error) as caught:
            subject.send(url, Asking())
        assert guard.state == "open"
        assert not subject.may_have_left(caught.value)

    def test_nobody_accepts(self, make: Make) -> None:
        """A connection that is not made in the client's time is a failure, and nothing has left."""
        guard = breaking()
        subject = make(guard)
        with full_port() as url, pytest.raises(subject.any_error) as caught:
            subject.send(url, Asking(timeout=0.2))
        assert guard.state == "open"
        assert not subject.may_have_left(caught.value)

    @pytest.mark.parametrize("act", [reset(), hang_up(), garbage()])
    def test_a_broken_connection(self, make: Make, server: Server, act: Act) -> None:
        """A connection that breaks is a failure, and the request may have been carried out."""
        guard = breaking()
        subject = make(guard)
        server.script[:] = [act]
        with pytest.raises(subject.any_error) as caught:
            subject.send(server.url, Asking(method="POST", body=b"x"))
        assert (guard.state, server.count) == ("open", 1)
        assert subject.may_have_left(caught.value)

    def test_retried_errors_are_exhausted(self, make: Make, server: Server) -> None:
        """When every attempt fails without an answer, `RetryExhausted` says so, from the client's last error."""
        subject = make(retrying(2))
        server.script[:] = [reset(), reset()]
        with pytest.raises(RetryExhausted) as caught:
            subject.send(server.url, Asking())
        assert isinstance(caught.value.__cause__, subject.any_error)
        assert (caught.value.attempts, server.count) == (2, 2)

    def test_a_body_that_breaks_is_outside(self, make: Make, server: Server) -> None:
        """The verdict falls with the headers; what happens to the body afterwards is the caller's."""
        guard = breaking()
        subject = make(guard)
        server.script[:] = [half(200)]
        with pytest.raises(subject.any_error):
            subject.send(server.url, Asking())
        assert (guard.state, guard.statistics().successes) == ("closed", 1)

    def test_a_good_answer_can_be_streamed(self, make: Make, server: Server) -> None:
        """The caller has the first part while the server still holds back the rest."""
        server.script[:] = [chunked(200, b"first", b"second", pause=0.3)]
        guard = breaking()
        assert make(guard).first_part(server.url) == b"first"
        assert guard.statistics().successes == 1


class Times:
    """Every wait ends, and it is said whose time was over."""

    def test_the_attempt_timeout_is_a_failure(self, make: Make, server: Server) -> None:
        """An attempt that outlasts `Timeout` fails; the request may have been carried out."""
        guard = breaking(timeout=Timeout(2.0))
        subject = make(guard)
        server.script[:] = [silence()]
        with pytest.raises(DeadlineExceeded) as caught:
            subject.send(server.url, Asking())
        assert caught.value.sent
        assert subject.may_have_left(caught.value)
        assert guard.statistics().timeouts == 1

    def test_the_next_attempt_gets_the_connection(self, make: Make, server: Server) -> None:
        """An attempt that ran out of time gives its connection back, also one left behind in a thread."""
        guard = retrying(9, timeout=Timeout(1.5))
        server.script[:] = [silence(), *[answer(200, b"good")] * 8]  # a slow machine needs more than one
        subject = make(guard)
        assert subject.send(server.url, Asking()).body == b"good"
        _wait_until(subject, lambda: guard.statistics().abandoned == 0)

    def test_an_answer_that_comes_too_late_is_closed(self, make: Make, server: Server) -> None:
        """An answer that nobody waits for any more gives its connection back."""
        guard = Guard("remote", timeout=Timeout(0.2))
        subject = make(guard)
        server.script[:] = [silence(0.25, answer(200, b"x" * _BIG))]
        with pytest.raises(DeadlineExceeded):
            subject.send(server.url, Asking())
        _wait_until(subject, lambda: guard.statistics().abandoned == 0)
        _wait_until(subject, lambda: _is_answered_in_time(subject, server))

    def test_a_callers_deadline_says_nothing(self, make: Make, server: Server) -> None:
        """One impatient caller does not open the breaker for all."""
        guard = breaking()
        subject = make(guard)
        server.script[:] = [silence()]
        with deadline(0.2), pytest.raises(DeadlineExceeded):
            subject.send(server.url, Asking())
        assert (guard.state, guard.statistics().ignored) == ("closed", 1)
        _wait_until(subject, lambda: guard.statistics().abandoned == 0)

    def test_the_clients_own_timeout_is_a_failure(self, make: Make, server: Server) -> None:
        """The client's timeouts work as before, and the guard hears of them."""
        guard = breaking()
        subject = make(guard)
        server.script[:] = [answer(200), silence()]
        subject.send(server.url, Asking())  # from here on it is connected: that is no wait for an answer
        with pytest.raises(subject.timeout_error) as caught:
            subject.send(server.url, Asking(timeout=0.5))
        assert guard.state == "open"
        assert subject.may_have_left(caught.value)

    def test_the_body_has_the_clients_own_time(self, make: Make, server: Server) -> None:
        """Timeouts are narrowed for the headers only: a slow body is read as the client was told."""
        server.script[:] = [chunked(200, b"slow", b"body", pause=3.0)]
        assert make(Guard("remote", timeout=Timeout(2.5))).send(server.url, Asking()).body == b"slowbody"


class Keys:
    """One adapter may serve several dependencies."""

    def test_by_host(self, make: Make, server: Server) -> None:
        """Each host and port has a state of its own."""
        guard = breaking()
        subject = make(guard, key_by="host")
        with Server([answer(500)]) as broken:
            assert subject.send(broken.url, Asking()).status == 500
            with pytest.raises(CircuitOpen):
                subject.send(broken.url, Asking())
        assert subject.send(server.url, Asking()).status == 200
        assert guard.key(f"127.0.0.1:{broken.port}").state == "open"

    def test_by_a_function(self, make: Make, server: Server) -> None:
        """The key may be anything that the request says."""
        guard = breaking()
        subject = make(guard, key_by=lambda request: request.headers["X-Tenant"])
        server.script[:] = [answer(500)]
        subject.send(server.url, Asking(headers={"X-Tenant": "acme"}))
        assert subject.send(server.url, Asking(headers={"X-Tenant": "globex"})).status == 200
        assert (guard.key("acme").state, guard.key("globex").state) == ("open", "closed")


class Hedges:
    """Where a copy may be sent, the first answer counts, and the others are closed."""

    def test_the_faster_copy_counts(self, make: Make, server: Server) -> None:
        """The slow answer is not waited for, and gives its connection back when it comes."""
        guard = Guard("remote", effect="read_only", hedge=Hedge(after=0.1))
        subject = make(guard, pool=2)
        server.script[:] = [silence(4.0, answer(200, b"slow" * _BIG)), answer(200, b"fast")]
        assert subject.send(server.url, Asking()).body == b"fast"
        assert guard.statistics().hedges == 1
        _wait_until(subject, lambda: guard.statistics().in_flight == 0)
        server.script[:] = [silence(0.3, answer(200, b"one")), silence(0.2, answer(200, b"two"))]
        assert subject.send(server.url, Asking()).status == 200

    @pytest.mark.parametrize("retry", [None, Retry(attempts=2, on=(Exception,), base=0.0, cap=0.0)])
    def test_a_race_that_all_lose_has_an_answer(self, make: Make, server: Server, retry: Retry | None) -> None:
        """When every copy gets a failing answer, one of them is handed out, whole."""
        guard = Guard("remote", effect="read_only", hedge=Hedge(after=60.0, on=(Exception,)), retry=retry)
        server.script[:] = [answer(503, b"x" * _BIG) for _ in range(4)]
        reply = make(guard, pool=2).send(server.url, Asking())
        assert (reply.status, len(reply.body)) == (503, _BIG)
        assert server.count == (2 if retry is None else 4)

    def test_a_post_has_no_copies(self, make: Make, server: Server) -> None:
        """Two copies of it could both take effect."""
        server.script[:] = [silence(0.3, answer(200, b"slow"))]
        subject = make(Guard("remote", effect="read_only", hedge=Hedge(after=0.05)), pool=2)
        assert subject.send(server.url, Asking(method="POST", body=b"x")).body == b"slow"
        assert server.count == 1


class HttpConformance(Statuses, Retries, Connections, Errors, Times, Keys, Hedges):
    """All of it."""


def _is_answered_in_time(subject: Subject, server: Server) -> bool:
    """Whether an answer that is not held back comes within the short time of a guard; a slow machine tries again."""
    server.script[:] = [answer(200, b"good")]
    try:
        return subject.send(server.url, Asking()).body == b"good"
    except DeadlineExceeded:
        return False


def _wait_until(subject: Subject, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for what an attempt left behind does when it ends."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        subject.rest()
