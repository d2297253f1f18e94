"""The outermost layer of the REST surface: mark, trace, bound on concurrency, errors as problems, access log.

It knows no route and reads no body. One line a request goes to the log: no bodies, no tokens, no query.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from traceback import format_exception

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from switchgear.core.http_mark import API_HEADER, API_VERSION
from switchgear.surfaces.rest.exchange import SELF_TEST, Note, attach_note
from switchgear.surfaces.rest.problems import MalformedRequest, code_of, is_defect, problem_response
from switchgear.surfaces.rest.trace import trace_of
from switchgear.surfaces.rest.traffic import Traffic

_LOG = structlog.get_logger("switchgear.rest")
_MARK = (API_HEADER.lower().encode(), API_VERSION.encode())
_HEALTH = ("/livez", "/readyz", "/healthz")


class Edge:
    """ASGI middleware round the whole application."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        """Stand in front of `app` and count in `traffic`."""
        self._app = app
        self._traffic = traffic
        self._log = _LOG.bind()  # once: a line that is not written should cost nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        note = Note(trace_of(_traceparent(scope)))
        attach_note(scope, note)
        started = time.perf_counter()
        try:
            await self._serve(scope, receive, _Noting(send, note), note)
        finally:
            self._tell(scope, note, time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, note: Note) -> None:
        # The broad except: this is the outermost driver of the surface, and every error gets its answer here.
        try:
            self._check_head(scope)
            with self._place(scope):
                await self._app(scope, receive, send)
        except Exception as error:
            note.code = str(code_of(error))
            if is_defect(error):
                _log_defect(error, note)
            if note.status is not None:
                raise  # too late for an answer: the server breaks off, so that nobody takes half for whole
            answer = problem_response(error, note.trace.trace_id, self._traffic.documentation)
            await answer(scope, receive, send)

    def _check_head(self, scope: Scope) -> None:
        """Bound the head of a request that arrived at once; the protocol bounds one that arrives in pieces."""
        target = len(scope["path"]) + len(scope["query_string"])
        size = target + sum(len(name) + len(value) for name, value in scope["headers"])
        if size > self._traffic.limits.header_limit_bytes:
            raise MalformedRequest(
                f"path, query and headers are longer than {self._traffic.limits.header_limit_bytes} bytes",
                status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )

    def _tell(self, scope: Scope, note: Note, seconds: float) -> None:
        tell = self._log.debug if scope.get(SELF_TEST) else self._log.info
        tell(
            "request",
            method=scope["method"],
            route=note.route,
            status=note.status,
            code=note.code,
            tenant=note.tenant,
            trace=note.trace.trace_id,
            duration_ms=round(seconds * 1000, 3),
        )

    def _place(self, scope: Scope) -> AbstractContextManager[None]:
        uncounted = scope["path"] in _HEALTH or scope.get(SELF_TEST)
        return nullcontext() if uncounted else self._traffic.place()


class _Noting:
    """Sends on, noting the status and adding the headers that every response has."""

    __slots__ = ("_note", "_send")

    def __init__(self, send: Send, note: Note) -> None:
        self._send = send
        self._note = note

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._note.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self._added(message)]}
        await self._send(message)

    def _added(self, message: Message) -> Iterator[tuple[bytes, bytes]]:
        yield _MARK
        yield b"traceparent", self._note.trace.header.encode()
        yield b"x-content-type-options", b"nosniff"
        if not any(name == b"cache-control" for name, _ in message.get("headers", ())):
            yield b"cache-control", b"no-store"


def _traceparent(scope: Scope) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)


def _log_defect(error: Exception, note: Note) -> None:
    """Log the traceback as text. A renderer given the exception itself might show variables, and so a token."""
    text = "".join(format_exception(error))
    _LOG.error("request failed", trace=note.trace.trace_id, route=note.route, exception=text)
