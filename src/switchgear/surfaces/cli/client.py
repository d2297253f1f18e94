"""The HTTP client of the command line. What it means when no answer comes is said by `reaching`.

It knows addresses, tokens and JSON. It retries nothing: the engine does, and `submit` is safe to
repeat with the same key.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx2

from switchgear.surfaces.cli.address import USUAL_URL
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.named_address import checked_address
from switchgear.surfaces.cli.reaching import (
    NO_MARK,
    failure_of_answer,
    failure_of_strange_answer,
    failure_without_answer,
    is_ours,
)

Document = dict[str, Any]

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 15.0
_GIVE_ANOTHER = "Give one with --token or SWITCHGEAR_TOKEN, as `switchgear token` prints it."


class Client:
    """Sends requests to one server. Use it as a context manager."""

    def __init__(self, url: str, token: str | None, *, transport: httpx2.BaseTransport | None = None) -> None:
        """Talk to `url` with `token`. `transport` replaces the network in tests.

        Raises `CommandFailure` (USAGE) when `url` is no HTTP address, or `token` nothing that a header can carry.
        """
        self.url = checked_address(url)
        if token is not None and not (token.isascii() and token.isprintable()):
            raise failure_of_usage("this is no token: it has characters that none has", advice=_GIVE_ANOTHER)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            address = httpx2.URL(self.url)
        except (httpx2.InvalidURL, UnicodeEncodeError):
            raise failure_of_usage(
                f"{self.url!r} is no address of a server", advice=f"Write --url {USUAL_URL}"
            ) from None
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
        self,
        path: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        within: float = ANSWER_SECONDS,
        wait: int = 0,
        patience: float = 0.0,
    ) -> Document:
        """Return the JSON answer of a GET. Parameters that are None are left out.

        It may take `within` seconds, above 0 and never more than usual; `wait` seconds longer, which the server is
        asked to wait for the outcome; and `patience` seconds longer than usual, for what takes its time. Raises
        `CommandFailure` for a problem, an unreadable answer, or a server that cannot be reached.
        """
        known = {name: value for name, value in (parameters or {}).items() if value is not None}
        timeout = httpx2.Timeout(min(within, ANSWER_SECONDS) + wait + patience, connect=min(within, CONNECT_SECONDS))
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
        return self._json("POST", path, json=_finite(body), headers=dict(headers or {}), timeout=timeout)

    def put(self, path: str, body: Mapping[str, Any]) -> Document:
        """Return the JSON answer of a PUT. Raises as `get` does."""
        return self._json("PUT", path, json=_finite(body))

    def lines(self, path: str) -> Iterator[str]:
        """Yield the lines of a streamed answer, each without its end.

        Raises `CommandFailure` as `get` does, also when the stream breaks off.
        """
        where = f"GET {self.url}{path}"
        try:
            with self._http.stream("GET", path) as response:
                if not response.is_success:
                    response.read()
                    raise failure_of_answer(response, self.url, where)
                if not is_ours(response):
                    raise failure_of_strange_answer(self.url, where, NO_MARK)
                yield from response.iter_lines()
        except httpx2.HTTPError as error:
            raise failure_without_answer(error, self.url, where) from error

    def _json(self, method: str, path: str, **options: Any) -> Document:
        where = f"{method} {self.url}{path}"
        try:
            response = self._http.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise failure_without_answer(error, self.url, where) from error
        if not response.is_success:
            raise failure_of_answer(response, self.url, where)
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise failure_of_strange_answer(self.url, where, "its answer is no JSON object")
        if not is_ours(response, document):
            raise failure_of_strange_answer(self.url, where, NO_MARK)
        return document


def _finite(body: Mapping[str, Any]) -> Document:
    """Return a body that JSON can carry. Raises `CommandFailure` (USAGE) that names its numbers that are none."""
    wrong = [name for name, value in body.items() if isinstance(value, float) and not math.isfinite(value)]
    if wrong:
        errors = [{"where": f"/{name}", "message": f"must be a number, not {body[name]}"} for name in wrong]
        failure = failure_of_usage("; ".join(f"{one['where']}: {one['message']}" for one in errors))
        failure.problem["errors"] = errors
        raise failure
    return dict(body)
