"""The client of the command line: every answer and every way to get none becomes one clear failure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import typer

from switchgear.core.codes import FACTS, Code, ExitCode
from switchgear.core.errors import OptionError, StoreError, SwitchgearError
from switchgear.surfaces.cli.application import app
from switchgear.surfaces.cli.client import Client
from switchgear.surfaces.cli.failures import CommandFailure, advice_of, failure_to_start

Handler = Callable[[httpx2.Request], httpx2.Response]


def client_of(handler: Handler, token: str | None = None) -> Client:
    """Return a client whose requests `handler` answers."""
    return Client("http://127.0.0.1:1", token, transport=httpx2.MockTransport(handler))


def failure_of(handler: Handler) -> CommandFailure:
    """Return the failure that a GET answered by `handler` ends with."""
    with client_of(handler) as client, pytest.raises(CommandFailure) as caught:
        client.get("/v1/tools")
    return caught.value


def ours(document: dict[str, Any]) -> httpx2.Response:
    """Return a success as our server sends it: with its mark."""
    return httpx2.Response(200, json=document, headers={"Switchgear-API": "v1"})


def raising(error: type[httpx2.HTTPError]) -> Handler:
    """Return a handler that raises `error` as the network would."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        raise error("made up", request=request)  # type: ignore[call-arg] # every error used here takes a request

    return handle


@pytest.mark.parametrize("code", list(Code))
def test_problem_ends_with_the_exit_code_of_its_code(code: Code) -> None:
    """The exit code of every failure code is the one of the code table, whatever the status."""
    failure = failure_of(lambda _: httpx2.Response(503, json={"code": str(code), "detail": "why"}))
    assert failure.exit_code == FACTS[code].exit_code
    assert failure.document()["advice"] == advice_of(code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (Code.TENANT_UNAUTHENTICATED, "switchgear token --tenant"),
        (Code.TENANT_UNAUTHENTICATED, "with the same --config as `switchgear up`"),
        (Code.IDEMPOTENCY_KEY_REQUIRED, "--key"),
        (Code.BUDGET_EXCEEDED, "where no time is told"),
        (Code.CIRCUIT_OPEN, "Wait for the time that is told; the breaker closes by itself"),
        (Code.NOT_FOUND, FACTS[Code.NOT_FOUND].advice),
    ],
)
def test_advice_is_for_a_command_line(code: Code, words: str) -> None:
    """Who has a terminal is told what to type, not which header to send; elsewhere the code table speaks."""
    assert words in advice_of(code)


@pytest.mark.parametrize("code", list(Code))
def test_advice_names_no_member_of_an_answer(code: Code) -> None:
    """Who reads words on a terminal has seen no `retry_after`, only the time."""
    assert "retry_after" not in advice_of(code)


def missing(policy: str, state: str) -> CommandFailure:
    """Return the failure that a refusal of what is not there ends with."""
    problem = {"code": "NOT_FOUND", "policy": policy, "state": state, "detail": "none"}
    return failure_of(lambda _: httpx2.Response(404, json=problem))


@pytest.mark.parametrize(
    ("policy", "state", "words"),
    [
        ("ledger", "no_key", "Once it has one, sign: `switchgear ledger checkpoint --sign`"),
        ("ledger", "unsigned", "Sign it now: `switchgear ledger checkpoint --sign`"),
        ("time_box", "none", "`switchgear intents show ID`"),
        ("ledger", "", FACTS[Code.NOT_FOUND].advice),
    ],
)
def test_what_is_missing_is_told_what_makes_it(policy: str, state: str, words: str) -> None:
    """Where no id is wrong, nobody is told to check ids: the next step makes what is missing, or leads to what is."""
    failure = missing(policy, state)
    assert words in failure.advice
    assert failure.exit_code == ExitCode.NOT_FOUND


@pytest.mark.parametrize(
    "advice",
    [
        *(pytest.param(advice_of(code), id=code) for code in Code),
        *(pytest.param(missing(*what).advice, id=what[1]) for what in (("ledger", "no_key"), ("time_box", "none"))),
    ],
)
def test_advice_names_commands_that_there_are(advice: str) -> None:
    """What is to be typed at night can be typed: each command in an advice exists, with the options that it names."""
    for line in re.findall(r"`(switchgear [^`]+)`", advice):
        command: Any = typer.main.get_command(app)
        words = line.split()[1:]
        while words and (children := getattr(command, "commands", None)):
            assert words[0] in children, line
            command = children[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreError("x"), "store.url"),
        (OptionError("port 8420: in use"), "--port"),
        (StoreError("x", code=Code.STORE_IN_USE), "Stop"),
    ],
)
def test_server_that_cannot_start_says_what_to_change(error: SwitchgearError, words: str) -> None:
    """Before a server is up there is nothing to repeat with the same key: the advice names file, place or port."""
    failure = failure_to_start(error, where="switchgear.toml")
    assert words in failure.advice
    assert "same key" not in failure.advice


@pytest.mark.parametrize(
    ("error", "words", "advice"),
    [
        (httpx2.ConnectError, "no server is running", "switchgear up --dev"),
        (httpx2.ConnectTimeout, "no server answers", "switchgear up --dev"),
        (httpx2.ReadTimeout, "did not answer in time", "ask again"),
        (httpx2.ReadError, "broke off", "ask again"),
        (httpx2.RemoteProtocolError, "broke off", "ask again"),
        (httpx2.DecodingError, "DecodingError", "switchgear up --dev"),
    ],
)
def test_no_answer_says_what_to_do(error: type[httpx2.HTTPError], words: str, advice: str) -> None:
    """A server that is not there says how to start it; one that broke off says that asking again is."""
    failure = failure_of(raising(error))
    assert words in failure.problem["detail"]
    assert advice in failure.advice
    assert failure.exit_code == ExitCode.UNAVAILABLE
    assert failure.where == "GET http://127.0.0.1:1/v1/tools"


@pytest.mark.parametrize("body", ["<html>", "[1]", "", '"text"'])
def test_answer_of_something_else_is_no_answer(body: str) -> None:
    """Success with a body that is no JSON object does not come from our server."""
    assert failure_of(lambda _: httpx2.Response(200, text=body)).exit_code == ExitCode.UNAVAILABLE


def test_failure_with_a_code_that_is_not_known_keeps_its_status() -> None:
    """A failure with a code of a newer server is still a failure with its status."""
    failure = failure_of(lambda _: httpx2.Response(502, text=json.dumps({"code": "NEW_CODE"})))
    assert (failure.exit_code, failure.problem["status"]) == (ExitCode.FAILED, 502)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8420", "ftp://127.0.0.1", "http://", "http://[::1", "http://ä..b:1"])
def test_address_that_is_none_is_wrong_usage(url: str) -> None:
    """An address that cannot work is refused before anything is sent."""
    with pytest.raises(CommandFailure) as caught:
        Client(url, None)
    assert caught.value.exit_code == ExitCode.USAGE


def test_token_goes_into_the_header_only() -> None:
    """The token is sent as a bearer token and appears in no failure."""
    seen: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["Authorization"])
        return httpx2.Response(401, json={"code": "TENANT_UNAUTHENTICATED"})

    with client_of(handle, "secret") as client, pytest.raises(CommandFailure) as caught:
        client.get("/v1/tools")
    failure = caught.value
    assert seen == ["Bearer secret"]
    assert "secret" not in json.dumps(failure.document())


def test_parameters_that_are_none_are_left_out() -> None:
    """A filter that was not given is not sent as text."""
    with client_of(lambda request: ours({"url": str(request.url)})) as client:
        assert client.get("/v1/intents", {"state": None, "limit": 5})["url"].endswith("/v1/intents?limit=5")


def test_stream_that_is_refused_is_a_failure() -> None:
    """A refused export is a problem like any other, not an export with strange lines."""
    refusal = httpx2.Response(403, json={"code": "PERMISSION_DENIED"})
    with client_of(lambda _: refusal) as client, pytest.raises(CommandFailure) as caught:
        list(client.lines("/v1/ledger/export"))
    assert caught.value.exit_code == ExitCode.ACCESS


def test_put_sends_its_body() -> None:
    """What is set is sent as JSON, and the answer is read like any other."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        return ours({"method": request.method, "body": json.loads(request.content)})

    with client_of(handle) as client:
        assert client.put("/v1/kill-switches/global", {"mode": "freeze"}) == {
            "method": "PUT",
            "body": {"mode": "freeze"},
        }
