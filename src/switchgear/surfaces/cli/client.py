"""The HTTP client of the command line, and the translation of everything that can go wrong on the way.

It knows addresses, tokens and problem documents. It retries nothing: the engine does, and `submit` is safe to
repeat with the same key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx2

from switchgear.surfaces.cli.failures import (
    CommandFailure,
    failure_of_problem,
    failure_of_usage,
    failure_to_reach,
)

Document = dict[str, Any]

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 15.0
_GIVE_ANOTHER = "Give one with --token or SWITCHGEAR_TOKEN, as `switchgear token` prints it."
_HOW_TO_START = "Start it with `switchgear up --dev`, or name the right one with --url or SWITCHGEAR_URL."


class Client:
    """Sends requests to one server. Use it as a context manager."""

    def __init__(self, url: str, token: str | None, *, transport: httpx2.BaseTransport | None = None) -> None:
        """Talk to `url` with `token`. `transport` replaces the network in tests.

        Raises `CommandFailure` (USAGE) when `url` is no HTTP address, or `token` nothing that a header can carry.
        """
        self.url = url.rstrip("/")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise failure_of_usage("this is no token: it has characters that none has", advice=_GIVE_ANOTHER)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            address = httpx2.URL(self.url)
        except (httpx2.InvalidURL, UnicodeEncodeError):
            address = httpx2.URL("")
        if address.scheme not in ("http", "https") or not address.host:
            raise failure_of_usage(f"{url!r} is no address of a server", advice="Write --url http://127.0.0.1:8420")
        timeout = httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        self._http = httpx2.Client(
            base_url=address, headers=headers, timeout=timeout, transport=transport, trust_env=False
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self._http.close()

    def get(
        self, path: str, parameters: Mapping[str, Any] | None = None, *, within: float = ANSWER_SECONDS, wait: int = 0
    ) -> Document:
        """Return the JSON answer of a GET. Parameters that are None are left out.

        It may take `within` seconds, above 0 and never more than usual; and `wait` seconds longer, which the server
        is asked to wait for the outcome. Raises `CommandFailure` for a problem, an unreadable answer, or a server that
        cannot be reached.
        """
        known = {name: value for name, value in (parameters or {}).items() if value is not None}
        timeout = httpx2.Timeout(min(within, ANSWER_SECONDS) + wait, connect=min(within, CONNECT_SECONDS))
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        return self._json("GET", path, params=known, headers=headers, timeout=timeout)

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        patience: float = 0.0,
    ) -> Document:
        """Return the JSON answer of a POST.

        `patience` is how many seconds longer than usual the answer may take. Raises as `get` does.
        """
        timeout = httpx2.Timeout(ANSWER_SECONDS + patience, connect=CONNECT_SECONDS)
        return self._json("POST", path, json=dict(body), headers=dict(headers or {}), timeout=timeout)

    def put(self, path: str, body: Mapping[str, Any]) -> Document:
        """Return the JSON answer of a PUT. Raises as `get` does."""
        return self._json("PUT", path, json=dict(body))

    def lines(self, path: str) -> Iterator[str]:
        """Yield the lines of a streamed answer, each without its end.

        Raises `CommandFailure` as `get` does, also when the stream breaks off.
        """
        where = f"GET {self.url}{path}"
        try:
            with self._http.stream("GET", path) as response:
                if response.is_error:
                    response.read()
                    raise _failure_of(response, where)
                yield from response.iter_lines()
        except httpx2.HTTPError as error:
            raise _failure_to_reach(error, self.url, where) from error

    def _json(self, method: str, path: str, **options: Any) -> Document:
        where = f"{method} {self.url}{path}"
        try:
            response = self._http.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise _failure_to_reach(error, self.url, where) from error
        if not response.is_success:
            raise _failure_of(response, where)
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            text = "the answer is no JSON object; this may not be a Switchgear server"
            raise failure_to_reach(text, where=where, advice=_HOW_TO_START)
        return document


def _failure_of(response: httpx2.Response, where: str) -> CommandFailure:
    try:
        problem = json.loads(response.content)
    except ValueError:
        problem = {}
    return failure_of_problem(problem if isinstance(problem, dict) else {}, response.status_code, where=where)


def _failure_to_reach(error: httpx2.HTTPError, url: str, where: str) -> CommandFailure:
    """Translate what the client raised: table of class, words, advice; the first class that fits counts."""
    for kind, words, advice in _FOREIGN:
        if isinstance(error, kind):
            return failure_to_reach(words.format(url=url), where=where, advice=advice)
    return failure_to_reach(f"{type(error).__name__}: {error}", where=where, advice=_HOW_TO_START)


_LATE = (
    "Look at it with `switchgear intents list`, or `intents show --tool TOOL --key KEY`; a submit is safe to repeat "
    "with the same --key."
)
_FOREIGN: tuple[tuple[type[httpx2.HTTPError], str, str], ...] = (
    (httpx2.ConnectTimeout, "no server answers at {url}", _HOW_TO_START),
    (httpx2.ConnectError, "no server is running at {url}", _HOW_TO_START),
    (httpx2.TimeoutException, "the server at {url} did not answer in time", _LATE),
    (httpx2.UnsupportedProtocol, "{url} is no address of a server", _HOW_TO_START),
    (httpx2.NetworkError, "the connection to {url} broke off", _LATE),
    (httpx2.ProtocolError, "the server at {url} broke off or does not speak HTTP", _LATE),
)
