"""No answer of Switchgear: what is told of TLS, of names that nobody has, of proxies, and of other servers."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from http import HTTPStatus

import httpx2
import pytest
from starlette.exceptions import HTTPException

from switchgear.core.codes import Code, ExitCode
from switchgear.surfaces.cli.client import Client
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.waiting import until_ready
from switchgear.surfaces.rest.problems import problem_document
from switchgear.testing import VirtualClock

PLAIN, TLS = "http://gear.example.org:8420", "https://gear.example.org:8420"
Answers = Callable[[httpx2.Request], httpx2.Response]


def failure_at(url: str, answers: Answers) -> CommandFailure:
    """Return what a GET at `url` fails with."""
    with (
        Client(url, None, transport=httpx2.MockTransport(answers)) as client,
        pytest.raises(CommandFailure) as caught,
    ):
        client.get("/v1/tools")
    return caught.value


def broken(kind: type[httpx2.TransportError], cause: Exception | None = None) -> Answers:
    """Return a network that breaks with `kind`, because of `cause`."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        raise kind("made up", request=request) from cause

    return handle


def answering(status: int, text: str = "<html>Not here</html>", **headers: str) -> Answers:
    """Return a server that says one thing to everybody."""
    return lambda _: httpx2.Response(status, text=text, headers=headers)


def untrusted() -> ssl.SSLCertVerificationError:
    """Return what a wrong certificate raises."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed {certificate}"
    return error


@pytest.mark.parametrize(
    ("url", "answers", "words", "advice"),
    [
        (TLS, broken(httpx2.ConnectError, ssl.SSLError(1, "wrong version")), "speaks no TLS", f"Write --url {PLAIN}"),
        (TLS, broken(httpx2.ConnectError, untrusted()), "self-signed (certificate)", "as its certificate does"),
        (PLAIN, broken(httpx2.ConnectError, socket.gaierror(-2, "unknown")), "was not found", "Check the name"),
        (PLAIN, broken(httpx2.ConnectError, OSError(111, "refused")), "no server is running", "switchgear up --dev"),
        (PLAIN, broken(httpx2.RemoteProtocolError), "broke off", f"If it speaks TLS, write --url {TLS}"),
        (PLAIN, broken(httpx2.ReadError), "broke off", f"If it speaks TLS, write --url {TLS}"),
        (TLS, broken(httpx2.RemoteProtocolError), "broke off", "reading changes nothing"),
        (PLAIN, answering(400), "did not understand", f"speak TLS? Then write --url {TLS}"),
        (PLAIN, answering(404), "is no Switchgear server: it said 404 Not Found", "switchgear up --dev"),
        (PLAIN + "/api", answering(404), "is no Switchgear server", f"Without its path that would be {PLAIN}"),
        (PLAIN, answering(401), "is no Switchgear server: it said 401 Unauthorized", "--url"),
        (PLAIN, answering(502), "502 Bad Gateway without saying why: a proxy", "switchgear up"),
        (PLAIN, answering(503, ""), "too many connections", "ask again in a moment"),
        (PLAIN, answering(504, "[1]"), "504 Gateway Timeout", "reading changes nothing"),
        (PLAIN, answering(299), "is no Switchgear server: its answer is no JSON object", "--url"),
        (PLAIN, answering(308, Location=f"{TLS}/v1/tools"), "sends elsewhere (308", f"mean, write --url {TLS}"),
        (PLAIN, answering(302, Location="/login"), "sends elsewhere", f"write --url {PLAIN}"),
        (PLAIN, answering(301, Location=f"{TLS}/gear/v1/tools"), "not sent after it", f"write --url {TLS}/gear"),
        (PLAIN, answering(302), "sends elsewhere", "switchgear up --dev"),
        (PLAIN, answering(304, Location="http://h:port"), "sends elsewhere", "switchgear up --dev"),
        (PLAIN, answering(302, Location="mailto:a@b.c"), "sends elsewhere", "switchgear up --dev"),
    ],
)
def test_what_is_not_ours_says_what_it_is_and_what_to_do(url: str, answers: Answers, words: str, advice: str) -> None:
    """Each way to meet no server has words of its own, the address that was asked, and a next step that fits.

    Waiting may help where nobody answers, or a proxy does; it does not where something else does.
    """
    failure = failure_at(url, answers)
    assert words in failure.problem["detail"]
    assert advice in failure.advice
    assert url in failure.problem["detail"]
    assert failure.where == f"GET {url}/v1/tools"
    may_come = failure.problem["status"] >= HTTPStatus.BAD_GATEWAY
    assert failure.exit_code == (ExitCode.UNAVAILABLE if may_come else ExitCode.FAILED)


@pytest.mark.parametrize("answers", [broken(httpx2.RemoteProtocolError), broken(httpx2.ReadTimeout), answering(504)])
@pytest.mark.parametrize(
    ("path", "advice"),
    [
        (
            "/v1/intents",
            "`switchgear intents list`, or `intents show --tool TOOL --key KEY`; a submit is safe to repeat",
        ),
        ("/v1/sagas", "`switchgear sagas list`; a submit is safe to repeat with the same --key"),
        ("/v1/intents/int_1/cancel", "It may have been done all the same: look at how it stands"),
    ],
)
def test_what_may_have_arrived_is_repeated_as_it_may_be(path: str, advice: str, answers: Answers) -> None:
    """Only what has a key is said to be safe to repeat; of any other change one is told to look first."""
    with (
        Client(PLAIN, None, transport=httpx2.MockTransport(answers)) as client,
        pytest.raises(CommandFailure) as caught,
    ):
        client.post(path, {})
    assert advice in caught.value.advice


@pytest.mark.parametrize("answers", [broken(httpx2.RemoteProtocolError), broken(httpx2.ReadTimeout), answering(504)])
def test_a_read_needs_no_key(answers: Answers) -> None:
    """Who only looked is not told how a submit is repeated."""
    assert "--key" not in failure_at(PLAIN, answers).advice


def test_an_export_is_not_what_a_redirect_says() -> None:
    """A stream that is sent elsewhere is a failure, not an export with the words of a proxy in it."""
    transport = httpx2.MockTransport(answering(302, Location="/login"))
    with Client(PLAIN, None, transport=transport) as client, pytest.raises(CommandFailure, match="sends elsewhere"):
        list(client.lines("/v1/ledger/export"))


def test_an_answer_without_our_mark_is_of_something_else() -> None:
    """A foreign server that says yes in JSON is named as one, whatever it was asked, and though it tells a trace."""
    transport = httpx2.MockTransport(answering(200, '{"hello": "world"}', traceparent="00-01-02-00"))
    with Client(PLAIN, None, transport=transport) as client:
        asks: list[Callable[[], object]] = [
            lambda: client.get("/readyz"),
            lambda: client.post("/v1/intents", {}),
            lambda: client.put("/v1/budget", {}),
            lambda: list(client.lines("/v1/ledger/export")),
        ]
        words = "is no Switchgear server: its answer has no header `Switchgear-API`"
        for ask in asks:
            with pytest.raises(CommandFailure, match=words):
                ask()


def test_an_answer_with_our_mark_is_ours_without_a_trace() -> None:
    """A proxy may take the trace out, and put its own name into `Server`: the mark is what counts."""
    headers = {"Switchgear-API": "v1", "Server": "proxy"}
    transport = httpx2.MockTransport(answering(200, '{"hello": "world"}', **headers))
    with Client(PLAIN, None, transport=transport) as client:
        assert client.get("/v1/tools") == {"hello": "world"}


def test_a_path_that_our_server_does_not_have_is_no_missing_thing() -> None:
    """Who gave a path too many is told so, and not to check an id."""
    problem = problem_document(HTTPException(404), "0" * 32)
    failure = failure_at(PLAIN + "/api", answering(404, json.dumps(problem)))
    assert (failure.exit_code, failure.problem["code"]) == (ExitCode.NOT_FOUND, Code.NOT_FOUND)
    assert failure.advice.endswith(f"Without its path that would be {PLAIN}")


def test_waiting_in_vain_still_says_what_to_write() -> None:
    """Who waits for a server over TLS that speaks none is not only told to be more patient."""

    def asked(_: float) -> dict[str, str]:
        raise failure_at(TLS, broken(httpx2.ConnectError, ssl.SSLError(1, "wrong version")))

    with pytest.raises(CommandFailure, match="speaks no TLS") as caught:
        until_ready(asked, 1.0, clock=VirtualClock())
    assert f"Write --url {PLAIN}" in caught.value.advice
