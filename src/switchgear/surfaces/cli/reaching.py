"""What it means when no answer of Switchgear came back: what happened, where, and what to do about it.

There was none, or it came from something else: another server, a proxy, one that speaks TLS or does not. It asks
nobody; the client hands in what the network said.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx2

from switchgear.core.codes import ExitCode
from switchgear.core.http_mark import API_HEADER
from switchgear.surfaces.cli.failures import CommandFailure, Unreached, failure_of_problem, failure_to_reach
from switchgear.surfaces.cli.named_address import API

_HOW_TO_START = "Start it with `switchgear up --dev`, or name the right one with --url or SWITCHGEAR_URL."
_READ_AGAIN = "Look whether `switchgear up` serves at that address, and ask again: reading changes nothing."
_CHANGE_AGAIN = "It may have been done all the same: look at how it stands before you repeat it."
_SUBMIT_AGAIN = {
    "/v1/intents": (
        "Look at it with `switchgear intents list`, or `intents show --tool TOOL --key KEY`; a submit is safe to "
        "repeat with the same --key."
    ),
    "/v1/sagas": "Look at it with `switchgear sagas list`; a submit is safe to repeat with the same --key.",
}
"""What to do where nobody knows whether something was handed in, by the path that takes it."""
_FOREIGN: tuple[tuple[type[httpx2.HTTPError], str, bool], ...] = (
    (httpx2.ConnectTimeout, "no server answers at {url}", False),
    (httpx2.ConnectError, "no server is running at {url}", False),
    (httpx2.TimeoutException, "the server at {url} did not answer in time", True),
    (httpx2.UnsupportedProtocol, "{url} is no address of a server", False),
    (httpx2.NetworkError, "the connection to {url} broke off", True),
    (httpx2.ProtocolError, "the server at {url} broke off or does not speak HTTP", True),
)
"""Words by what the client raised, and whether the request may have arrived."""
_GATEWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_CAUSES_MAX = 10
_NO_SUCH_PATH = "there is no such path"
"""What a server of ours says of a path that it does not have, rather than of a thing that is not there."""


def failure_without_answer(error: httpx2.HTTPError, url: str, where: str) -> CommandFailure:
    """Translate what the client raised: by what lies beneath it, else by its class; the first that fits counts."""
    beneath = _cause(error)
    if beneath is not None:
        words, advice = beneath
        return failure_to_reach(words.format(url=url), where=where, advice=advice.format(**_other_scheme(url)))
    for kind, words, arrived in _FOREIGN:
        if isinstance(error, kind):
            advice = _maybe_tls(error, url) + _once_more(url, where) if arrived else _HOW_TO_START
            return failure_to_reach(words.format(url=url), where=where, advice=advice)
    return failure_to_reach(f"{type(error).__name__}: {error}", where=where, advice=_HOW_TO_START)


def failure_of_answer(response: httpx2.Response, url: str, where: str) -> CommandFailure:
    """Translate an answer that is no success. One without a code of Switchgear may come from something else."""
    problem = _object_in(response)
    if problem.get("detail") == _NO_SUCH_PATH:
        advice = f"This server has no such path: it may be older than this command.{_without_path(url)}"
        return CommandFailure(problem, ExitCode.NOT_FOUND, advice=advice, where=where)
    if problem.get("code") or "parts" in problem:  # what is not ready says so in parts, without a code
        return failure_of_problem(problem, response.status_code, where=where)
    words, advice = _told(response, url, where)
    status = response.status_code
    document = {"title": f"The server answered with status {status}.", **problem, "status": status, "detail": words}
    if status in _GATEWAY:
        return Unreached(document, ExitCode.UNAVAILABLE, advice=advice, where=where)
    return CommandFailure(document, ExitCode.FAILED, advice=advice, where=where)  # what no waiting mends


NO_MARK = f"its answer has no header `{API_HEADER}`, unless a proxy on the way has taken it out"
"""Why an answer that `is_ours` denies is none of ours."""


def is_ours(response: httpx2.Response, document: Mapping[str, Any] = MappingProxyType({})) -> bool:
    """Return whether a success may come from Switchgear: its server marks each; readiness may come from a gear.

    A gear inside another application says in parts what is ready, and that application sends no mark.
    """
    return API_HEADER in response.headers or "parts" in document


def failure_of_strange_answer(url: str, where: str, why: str) -> CommandFailure:
    """Say that a success is one that Switchgear never sends, and `why` it is none."""
    return failure_to_reach(
        f"what answers at {url} is no Switchgear server: {why}",
        where=where,
        advice=_HOW_TO_START,
    )


def _told(response: httpx2.Response, url: str, where: str) -> tuple[str, str]:
    """Return what an answer of something else means, and what to do."""
    status = response.status_code
    named = f"{status} {response.reason_phrase}".strip()
    if response.has_redirect_location or HTTPStatus(300) <= status < HTTPStatus.BAD_REQUEST:
        where = response.headers.get("Location", "")
        return f"{url} sends elsewhere ({named}), and a token is not sent after it", _follow(where, response)
    if status in _GATEWAY:
        return (
            f"{url} answered {named} without saying why: a proxy whose server does not answer, or too many connections",
            "Look whether `switchgear up` runs behind it, and ask again in a moment. " + _once_more(url, where),
        )
    if status == HTTPStatus.BAD_REQUEST and url.startswith("http:"):
        return f"{url} did not understand the request ({named})", "Does it speak TLS? " + _write_other(url)
    return f"what answers at {url} is no Switchgear server: it said {named}", _HOW_TO_START + _without_path(url)


def _once_more(url: str, where: str) -> str:
    """Return what to do about a request that may have arrived: what it asked for says whether it may be repeated."""
    method, _, asked = where.partition(" ")
    if method == "GET":
        return _READ_AGAIN
    return _SUBMIT_AGAIN.get(asked.removeprefix(url), _CHANGE_AGAIN)


def _follow(location: str, response: httpx2.Response) -> str:
    """Return what to write instead of an address that leads to another; where that is not told, what to look for."""
    try:
        target = urlsplit(str(response.request.url.join(location)))
    except (httpx2.InvalidURL, ValueError):
        return _HOW_TO_START
    if not location or not target.netloc or target.scheme not in ("http", "https"):
        return _HOW_TO_START
    path = target.path.partition(f"{API}/")[0].rstrip("/") if f"{API}/" in target.path else ""
    return f"If that is the one you mean, write --url {target.scheme}://{target.netloc.rpartition('@')[2]}{path}"


def _cause(error: BaseException) -> tuple[str, str] | None:
    """Return words and advice for what lies beneath an error of the client; None where its class says it all."""
    for beneath in _chain(error):
        if isinstance(beneath, socket.gaierror):
            return "the host of {url} was not found", "Check the name in --url or SWITCHGEAR_URL, and the network."
        if isinstance(beneath, ssl.SSLCertVerificationError):
            why = str(beneath.verify_message).replace("{", "(").replace("}", ")")
            return (
                f"the certificate of {{url}} is not to be trusted: {why}",
                "Name the server as its certificate does, and let this machine trust who issued it.",
            )
        if isinstance(beneath, ssl.SSLError):
            return (
                "what answers at {url} speaks no TLS that is understood here",
                "Is it plain HTTP? Write --url {other}",
            )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, at most ten."""
    found: BaseException | None = error
    for _ in range(_CAUSES_MAX):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__


def _other_scheme(url: str) -> dict[str, str]:
    scheme, rest = url.partition("://")[::2]
    return {"other": f"{'http' if scheme == 'https' else 'https'}://{rest}"}


def _write_other(url: str) -> str:
    return f"Then write --url {_other_scheme(url)['other']}"


def _maybe_tls(error: httpx2.HTTPError, url: str) -> str:
    """Return what to try where a server hung up: one that wants TLS does so on plain HTTP."""
    hung_up = isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError)
    return (
        f"If it speaks TLS, write --url {_other_scheme(url)['other']}; else: "
        if hung_up and url.startswith("http:")
        else ""
    )


def _without_path(url: str) -> str:
    parts = urlsplit(url)
    return f" Without its path that would be {parts.scheme}://{parts.netloc}" if parts.path else ""


def _object_in(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
