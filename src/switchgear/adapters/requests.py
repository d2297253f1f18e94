"""A guard for requests: a transport adapter to mount on a session.

    session.mount("https://", GuardedAdapter(guard))

The guard hears of headers, not of bodies, except that the body of a failing answer is read inside it when the
caller does not stream. Needs ``pip install "switchgear[requests]"``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from switchgear.adapters import http_outcomes
from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED, Row, missing, row_in
from switchgear.adapters.http_calls import call_blocking
from switchgear.adapters.http_outcomes import FAILING_STATUSES, KEY_HEADER, effect_of
from switchgear.adapters.http_rules import BlockingWire, Rules
from switchgear.core.effects import Effect
from switchgear.guard.guard import Guard

try:
    import requests
    import urllib3
    from requests.adapters import BaseAdapter, HTTPAdapter
except ModuleNotFoundError as error:
    raise missing(error, "requests", "requests") from error

__all__ = ["GuardedAdapter", "may_have_left"]

KeyBy = Literal["host"] | Callable[[requests.PreparedRequest], str] | None

_DEFAULT_PORTS = {"http": 80, "https": 443}

ROWS: dict[type[Exception], Row] = {
    requests.exceptions.ConnectTimeout: UNREACHED,
    requests.exceptions.ProxyError: UNREACHED,
    urllib3.exceptions.NewConnectionError: UNREACHED,
    urllib3.exceptions.NameResolutionError: UNREACHED,
    requests.exceptions.ConnectionError: FAILED,
    requests.exceptions.SSLError: FAILED,
    requests.exceptions.Timeout: FAILED,
    requests.exceptions.ReadTimeout: FAILED,
    requests.exceptions.RetryError: FAILED,
    requests.exceptions.ChunkedEncodingError: FAILED,
    requests.exceptions.ContentDecodingError: FAILED,
    requests.exceptions.InvalidURL: NOT_SENT,
    requests.exceptions.InvalidProxyURL: NOT_SENT,
    requests.exceptions.InvalidSchema: NOT_SENT,
    requests.exceptions.MissingSchema: NOT_SENT,
    requests.exceptions.InvalidHeader: NOT_SENT,
    urllib3.exceptions.EmptyPoolError: NOT_SENT,
}
"""What each error of the client says. A ``ConnectionError`` is looked into: urllib3 says whether it connected."""


class GuardedAdapter(BaseAdapter):
    """A transport adapter that sends every request through a guard.

    guard      what every request goes through.
    adapter    the adapter that sends; default: ``HTTPAdapter()``. It is closed with this one.
    key_by     "host" for a keyed member per host and port, or a function of the prepared request; None for one
               state.
    on_status  statuses that are failures, in place of 408, 425, 429 and 5xx.

    Each redirect is a request of its own. Raises `OptionError` for options that cannot work.
    """

    def __init__(
        self,
        guard: Guard,
        adapter: BaseAdapter | None = None,
        *,
        key_by: KeyBy = None,
        on_status: Collection[int] = FAILING_STATUSES,
    ) -> None:
        """Check the options and open nothing."""
        super().__init__()
        self._rules: Rules[requests.PreparedRequest] = Rules(
            guard=guard,
            key_by=key_by,
            on_status=on_status,
            errors=("requests.RequestException", requests.RequestException),
        )
        self._adapter = HTTPAdapter() if adapter is None else adapter

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request through the guard.

        Raises the client's errors, `Rejected`, `DeadlineExceeded` and `RetryExhausted`.
        """

        def send_once(seconds: float | None) -> requests.Response:
            response = self._adapter.send(
                request,
                stream=stream,
                timeout=narrowed(timeout, seconds),
                verify=verify,
                cert=cert,
                proxies=None if proxies is None else dict(proxies),
            )
            response.connection = self  # type: ignore[assignment] # the client only calls `send` of it
            if seconds is not None:
                _give_back(response, timeout)
            return response

        return call_blocking(self._rules, _WIRES[bool(stream)], request, send_once)

    def close(self) -> None:
        """Close the adapter that sends."""
        self._adapter.close()


def may_have_left(error: BaseException) -> bool:
    """Return whether the server may have had the request that ended with `error`. In doubt, it may."""
    return http_outcomes.may_have_left(error, row_of)


def row_of(error: Exception) -> Row:
    """Return what `error` says. Where it wraps an error of urllib3 that the table knows, that one decides."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    inner = next((kind for kind in type(reason).__mro__ if kind in ROWS), None)
    return row_in(ROWS, error) if inner is None else ROWS[inner]


def narrowed(timeout: Any, seconds: float | None) -> Any:
    """Return the client's `timeout` with each wait cut to `seconds`."""
    if seconds is None:
        return timeout
    if isinstance(timeout, urllib3.Timeout):
        cut = timeout.clone()
        cut.total = _least(cut.total, seconds)
        return cut
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return (_least(connect, seconds), _least(read, seconds))


def _least(given: Any, seconds: float) -> float:
    return min(given, seconds) if isinstance(given, int | float) else seconds


def _give_back(response: requests.Response, timeout: Any) -> None:
    """Let the reading of the body wait as long as the caller said. Not known to a connection that ends with it."""
    read = _read_seconds(timeout)
    sock = getattr(getattr(response.raw, "connection", None), "sock", None)
    if sock is not None and (read is None or isinstance(read, int | float)):
        sock.settimeout(read)


def _read_seconds(timeout: Any) -> Any:
    if not isinstance(timeout, urllib3.Timeout):
        return timeout[1] if isinstance(timeout, tuple) else timeout
    try:
        return timeout.read_timeout
    except urllib3.exceptions.TimeoutStateError:
        return timeout.total  # only a total was given, and it has not begun to run


class _Wire(BlockingWire[requests.PreparedRequest, requests.Response]):
    """The client, for answers that the caller streams, or not."""

    rows = ROWS
    status_error = requests.exceptions.HTTPError

    def __init__(self, *, streams: bool) -> None:
        self._streams = streams

    def effect(self, request: requests.PreparedRequest) -> Effect:
        replayable = request.body is None or isinstance(request.body, str | bytes)
        return effect_of(request.method or "", keyed=KEY_HEADER in request.headers, replayable=replayable)

    def endpoint(self, request: requests.PreparedRequest) -> str:
        url = urlsplit(str(request.url))
        is_default = url.port in (None, _DEFAULT_PORTS.get(url.scheme))
        return (url.hostname or "") if is_default else f"{url.hostname}:{url.port}"

    def status(self, response: requests.Response) -> int:
        return response.status_code

    def header(self, response: requests.Response, name: str) -> str | None:
        return response.headers.get(name)

    def failure(self, request: requests.PreparedRequest, response: requests.Response) -> Exception:
        return self.status_error(f"answered {response.status_code}", request=request, response=response)

    def row_of(self, error: Exception) -> Row:
        return row_of(error)

    def keep(self, response: requests.Response) -> bytes | None:
        if self._streams:
            return None  # the caller reads `raw`, which nobody else may have read
        try:
            return response.content  # reads the body and keeps it
        except BaseException:
            response.close()
            raise

    def close(self, response: requests.Response) -> None:
        response.close()


_WIRES = {streams: _Wire(streams=streams) for streams in (False, True)}
