"""The books of one request: exactly one answer is handed out, every other one is closed, whenever it comes."""

from __future__ import annotations

import threading

import pytest

from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED
from switchgear.adapters.http_calls import call_async, call_blocking
from switchgear.adapters.http_exchange import GRACE_SECONDS, Exchange, Unsent
from switchgear.adapters.http_rules import AsyncWire, BlockingWire, Rules, Wire
from switchgear.core.clock import VirtualClock
from switchgear.core.deadline import deadline
from switchgear.core.effects import Effect
from switchgear.core.errors import DeadlineExceeded, RetryExhausted
from switchgear.guard.guard import Guard
from switchgear.policies.retry import Retry
from switchgear.policies.timeout import Timeout


class Refused(Exception):
    """Never connected."""


class Broken(Exception):
    """Broke on the way."""


class Full(Exception):
    """The client's own pool is full."""


class Failed(Exception):
    """Stands for an answer that fails."""

    def __init__(self, response: Answer) -> None:
        """Stand for `response`."""
        super().__init__(response.status)
        self.response = response


class Answer:
    """An answer; false in a truth test, as failing ones of some clients are."""

    def __init__(self, status: int, length: str | None = None, body: bytes = b"", **headers: str) -> None:
        """Answer with `status`. Underscores in the names of headers become dashes."""
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if length is not None:
            self.headers["Content-Length"] = length
        self.kept = self.closed = False

    def __bool__(self) -> bool:
        return False


class Reading(Wire[str, Answer]):
    """What both wires of this made-up client know. A request is its method."""

    rows = {Refused: UNREACHED, Broken: FAILED, Full: NOT_SENT}  # noqa: RUF012 - a table, as each adapter has one
    status_error = Failed

    def effect(self, request: str) -> Effect:
        """Only a GET may be repeated."""
        return Effect.READ_ONLY if request == "GET" else Effect.OPAQUE

    def endpoint(self, request: str) -> str:
        """Return the same one for all."""
        return "host"

    def status(self, response: Answer) -> int:
        """Return the status."""
        return response.status

    def header(self, response: Answer, name: str) -> str | None:
        """Return the header."""
        return response.headers.get(name)

    def failure(self, request: str, response: Answer) -> Exception:
        """Return the error."""
        return Failed(response)


class Blocking(Reading, BlockingWire[str, Answer]):
    """The blocking client. `told` is set when an answer was closed."""

    def __init__(self) -> None:
        """Start with nothing closed."""
        self.told = threading.Event()

    def keep(self, response: Answer) -> bytes:
        """Note it."""
        response.kept = True
        return response.body

    def close(self, response: Answer) -> None:
        """Note it."""
        response.closed = True
        self.told.set()


class Awaited(Reading, AsyncWire[str, Answer]):
    """The asynchronous client."""

    async def keep(self, response: Answer) -> bytes:
        """Note it."""
        response.kept = True
        return response.body

    async def close(self, response: Answer) -> None:
        """Note it."""
        response.closed = True


async def _calls(guard: Guard, method: str, script: list[Answer | Exception]) -> list[Answer | Exception]:
    """Make the same request with both drivers; return what each handed out or raised."""

    def send(_seconds: float | None) -> Answer:
        step = left.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def send_async(seconds: float | None) -> Answer:
        return send(seconds)

    rules: Rules[str] = Rules(guard=guard)
    ended: list[Answer | Exception] = []
    for blocking in (True, False):
        left = list(script)
        try:
            if blocking:
                answer = call_blocking(rules, Blocking(), method, send)
            else:
                answer = await call_async(rules, Awaited(), method, send_async)
            ended.append(answer)
        except Exception as error:  # noqa: BLE001 - what was raised is what is asked
            ended.append(error)
        assert left == []
    return ended


def _retrying(attempts: int) -> Guard:
    return Guard("remote", retry=Retry(attempts=attempts, on=(Exception,), base=0.0, cap=0.0))


async def test_a_good_answer_is_left_open() -> None:
    """Its body belongs to the caller."""
    good = Answer(200)
    assert await _calls(_retrying(3), "GET", [good]) == [good, good]
    assert (good.closed, good.kept) == (False, False)


async def test_every_answer_before_the_last_is_closed() -> None:
    """A failing answer that is followed by another attempt gives its connection back first."""
    first, second, good = Answer(503), Answer(500), Answer(200)
    assert await _calls(_retrying(3), "GET", [first, second, good]) == [good, good]
    assert (first.closed, second.closed, good.closed) == (True, True, False)


async def test_the_last_failing_answer_stays_open() -> None:
    """It is what the caller gets."""
    first, last = Answer(503), Answer(500)
    assert await _calls(_retrying(2), "GET", [first, last]) == [last, last]
    assert (first.closed, last.closed) == (True, False)


@pytest.mark.parametrize(
    ("method", "length", "kept"), [("GET", "10", True), ("GET", None, False), ("POST", "10", False)]
)
async def test_what_is_read_at_once(method: str, length: str | None, kept: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only the small body of a failure that may be repeated; a good one never is."""
    failing, good = Answer(503, length), Answer(200, length)
    await _calls(Guard("remote"), method, [failing])
    await _calls(Guard("remote"), method, [good])
    assert (failing.kept, good.kept) == (kept, False)


PROBLEM = b'{"retry_after": 4}'


@pytest.mark.parametrize(
    ("answer", "stated"),
    [
        (Answer(503, "18", PROBLEM, Content_Type="application/problem+json"), 4.0),
        (Answer(503, "18", PROBLEM, Content_Type="application/json", Retry_After="7"), 7.0),
        (Answer(503, "18", PROBLEM, Content_Type="application/json", Retry_After="soon"), 4.0),
        (Answer(503, Retry_After="Tue, 14 Nov 2023 22:13:30 GMT"), "Tue, 14 Nov 2023 22:13:30 GMT"),
        (Answer(503, "18", PROBLEM, Content_Type="text/plain"), None),
        (Answer(503, "18", PROBLEM), None),
        (Answer(503, None, PROBLEM, Content_Type="application/problem+json"), None),
        (Answer(503, "70000", PROBLEM, Content_Type="application/problem+json"), None),
    ],
)
async def test_the_wish_of_a_failing_answer_reaches_the_guard(answer: Answer, stated: float | str | None) -> None:
    """Header first, then the body where it is announced as small; a body that is not read states nothing."""
    heard: list[BaseException] = []

    def note(error: BaseException) -> bool:
        heard.append(error)
        return False

    await _calls(Guard("remote", retry=Retry(attempts=2, on=note)), "GET", [answer])
    assert [getattr(error, "retry_after", None) for error in heard] == [stated] * 2


async def test_a_body_that_may_not_be_repeated_stays_unread() -> None:
    """Nobody waits for a second attempt, so the body is the caller's alone."""
    answer = Answer(503, "18", PROBLEM, Content_Type="application/problem+json")
    await _calls(_retrying(3), "POST", [answer])
    assert not answer.kept


async def test_an_error_after_an_answer_is_the_error() -> None:
    """An answer that was closed for another attempt cannot be handed out any more."""
    first = Answer(503)
    for ended in await _calls(_retrying(2), "GET", [first, Broken()]):
        assert isinstance(ended, RetryExhausted)
        assert isinstance(ended.__cause__, Broken)
    assert first.closed


async def test_a_fault_of_ours_after_an_answer() -> None:
    """So it is when the second attempt never left."""
    for ended in await _calls(_retrying(3), "GET", [Answer(503), Full()]):
        assert isinstance(ended, RetryExhausted)
        assert "stopped after 1 of 3 attempts by BULKHEAD_FULL" in str(ended)


async def test_a_fault_of_ours_comes_out_clean() -> None:
    """The caller gets the client's error without what carried it, and unchanged."""
    origin = OSError("no place")
    full = Full("full")
    full.__cause__ = origin
    assert await _calls(_retrying(3), "GET", [full]) == [full, full]
    assert full.__cause__ is origin


async def test_an_error_of_the_client_for_an_answer_of_its_own() -> None:
    """An inner part of the client may raise a failing status itself; it is not ours to turn round."""
    own = Failed(Answer(500))
    assert await _calls(Guard("remote"), "GET", [own]) == [own, own]


def test_a_late_answer_is_closed_by_its_attempt() -> None:
    """An attempt left behind in a thread closes what it gets after the call is over."""
    over = threading.Event()
    late = Answer(200)

    def send(_seconds: float | None) -> Answer:
        assert over.wait(60)
        return late

    wire = Blocking()
    with pytest.raises(DeadlineExceeded):
        call_blocking(Rules(guard=Guard("remote", timeout=Timeout(0.02))), wire, "GET", send)
    over.set()
    assert wire.told.wait(60)
    assert late.closed


def test_an_answer_to_an_earlier_attempt_is_closed() -> None:
    """An attempt left behind may still get its answer while a later one runs; only one is handed out."""
    second_runs, first_answered = threading.Event(), threading.Event()
    first, second = Answer(200), Answer(201)
    turns = [(second_runs, first), (first_answered, second)]

    def send(_seconds: float | None) -> Answer:
        until, answer = turns.pop(0)
        if answer is second:
            second_runs.set()
        assert until.wait(60)
        return answer

    class Told(Blocking):
        def status(self, response: Answer) -> int:
            if response is first:
                first_answered.set()
            return response.status

    wire = Told()
    retry = Retry(attempts=2, on=(TimeoutError,), base=0.0, cap=0.0)
    guard = Guard("remote", timeout=Timeout(0.3), retry=retry)
    assert call_blocking(Rules(guard=guard), wire, "GET", send) is second
    assert wire.told.wait(60)
    assert (first.closed, second.closed) == (True, False)


def test_losers_are_closed_at_the_end() -> None:
    """Of several answers to copies of one request, all but the one handed out are closed."""
    exchange = _exchange()
    first, second, failing = Answer(200), Answer(200), Answer(503)
    for answer in (first, second, failing):
        exchange.take(answer)
    assert exchange.late() == []
    assert exchange.end(second) == [failing, first]
    assert exchange.late() == []


def test_another_attempt_leaves_good_answers_alone() -> None:
    """A hedge that starts while a good answer is on its way out must not close it."""
    exchange = _exchange()
    failing, good = Answer(503), Answer(200)
    exchange.take(failing)
    exchange.take(good)
    assert exchange.stale() is failing
    assert exchange.stale() is None


def test_errors_find_their_answers() -> None:
    """An error of the guard stands for the answer that it is, or that caused it, and for no other."""
    exchange = _exchange()
    first, second = Answer(503), Answer(500)
    failures = [exchange.take(answer) for answer in (first, second)]
    exhausted = RetryExhausted(attempts=2)
    exhausted.__cause__ = failures[1]
    assert failures[0] is not None
    assert exchange.answer_to(failures[0]) is first
    assert exchange.answer_to(exhausted) is second
    assert exchange.answer_to(RetryExhausted(attempts=2)) is None


def test_an_answer_that_was_closed_has_a_later_one_in_its_place() -> None:
    """The error of the first copy stands for whatever failing answer is still open; with none, it is an error."""
    exchange = _exchange()
    first = exchange.take(Answer(503))
    assert first is not None
    exchange.stale()
    assert exchange.answer_to(first) is None
    later = Answer(500)
    exchange.take(later)
    assert exchange.answer_to(first) is later
    assert exchange.answer_to(Failed(Answer(503))) is None


@pytest.mark.parametrize(("error", "sent"), [(Refused(), False), (Broken(), True)])
def test_an_error_past_the_deadline(error: Exception, sent: bool) -> None:  # noqa: FBT001 - a column of the table
    """What a client reports when the deadline is over is the deadline's doing; the table says what has left."""
    with deadline(0.0), pytest.raises(DeadlineExceeded) as caught:
        _exchange().judge(error)
    assert caught.value.sent is sent
    assert caught.value.__cause__ is error


def test_an_error_in_time() -> None:
    """A failure of the dependency goes through as it is; a fault of ours is carried as a refusal."""
    with deadline(60.0):
        _exchange().judge(Broken())
        _exchange().judge(Refused())
        with pytest.raises(Unsent):
            _exchange().judge(Full())


@pytest.mark.parametrize(
    ("timeout", "budget", "seconds"),
    [(None, None, None), (2.0, None, 2.0), (None, 3.0, 3.0), (2.0, 3.0, 2.0), (4.0, 3.0, 3.0), (None, 0.0, 0.0)],
)
def test_the_tightest_bound_is_the_clients(timeout: float | None, budget: float | None, seconds: float | None) -> None:
    """A client may wait as long as the attempt or the deadline allows, and a moment more."""
    clock = VirtualClock()
    guard = Guard("remote", timeout=None if timeout is None else Timeout(timeout), clock=clock)
    if budget is None:
        assert _exchange(guard).seconds() == (None if seconds is None else seconds + GRACE_SECONDS)
        return
    with deadline(budget, clock=clock):
        assert seconds is not None
        assert _exchange(guard).seconds() == pytest.approx(seconds + GRACE_SECONDS)


def _exchange(guard: Guard | None = None) -> Exchange[str, Answer]:
    rules: Rules[str] = Rules(guard=guard or Guard("remote"))
    return Exchange(rules, Blocking(), "GET")
