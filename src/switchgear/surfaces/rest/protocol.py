"""The connection handling of uvicorn over httptools, with the bounds and the one answer that it lacks.

A request's head has to arrive in time and within its bytes, requests sent ahead are few, a trailer is never taken for
a header, and a head that is no HTTP is answered with a problem document. Nothing else is changed here.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from switchgear.core.http_mark import API_HEADER, API_VERSION
from switchgear.surfaces.rest.limits import RestLimits
from switchgear.surfaces.rest.problems import MEDIA_TYPE, MalformedRequest, problem_document
from switchgear.surfaces.rest.trace import trace_of

PIPELINED_MAX = 16
"""How many requests of one connection wait behind the one that is being answered. One more ends the connection."""
_VERSIONS = ("1.0", "1.1")


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A class of its own for each server is made by `protocol_with`."""

    header_timeout = RestLimits().header_timeout
    documentation: str | None = None
    header_limit_bytes = RestLimits().header_limit_bytes
    _head_timer: asyncio.TimerHandle | None = None
    _head_begun = False
    _in_body = False
    _giving_up = False
    _idle_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin to wait for a first request."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; bound the time and the bytes of what is not complete after them."""
        if self._giving_up:
            self.flow.pause_reading()
            return
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > self.header_limit_bytes and not self.transport.is_closing():
            self.send_400_response(f"a head or a trailer is longer than {self.header_limit_bytes} bytes")
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._unwatch_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        self._head_begun, self._in_body = True, False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. A trailer comes after the body and is none: it could say what the head did not."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check what the parser lets pass, and begin to serve. What is raised here is answered with 400."""
        self._check_head()
        super().on_headers_complete()
        self._head_begun, self._in_body, self._idle_bytes = False, True, 0

    def on_body(self, body: bytes) -> None:
        """Take a part of a body, which has a bound of its own."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is whole."""
        super().on_message_complete()
        self._in_body, self._idle_bytes = False, 0

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP, and close; only close where this would look like another request's answer."""
        if self._answers_come_first():
            self._give_up()
            return
        if self._working():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_bad_request(msg, self.documentation))
        self.transport.close()

    def _check_head(self) -> None:
        version = self.parser.get_http_version()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if version not in _VERSIONS:
            raise MalformedRequest("the version of HTTP is neither 1.0 nor 1.1")
        if hosts > 1 or (not hosts and version == "1.1"):
            raise MalformedRequest("a request has the header Host once")  # RFC 9112 §3.2
        if len(self.pipeline) >= PIPELINED_MAX:
            raise MalformedRequest(f"more than {PIPELINED_MAX} requests were sent ahead")

    def _working(self) -> bool:
        """Whether the latest request has no whole answer yet."""
        return not getattr(self.cycle, "response_complete", True)  # uvicorn has None there before the first

    def _answers_come_first(self) -> bool:
        """Whether bytes written now could be taken for the answer to a request that was well formed."""
        own = self._in_body and not self.pipeline and not self.cycle.response_started
        return self._working() and not own

    def _give_up(self) -> None:
        """Read no more, and close once what has been asked is answered."""
        self._giving_up = True
        self.cycle.keep_alive = False
        self.flow.pause_reading()

    def _watch_head(self) -> None:
        """Bound the time in which nothing is worked on for this connection, or a further head is half there."""
        if (self._working() and not self._head_begun) or self._giving_up or self.transport.is_closing():
            self._unwatch_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.header_timeout, self._head_is_late)

    def _unwatch_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._working():
            self._give_up()
        else:
            self.transport.close()


def protocol_with(limits: RestLimits, documentation: str | None = None) -> type[asyncio.Protocol]:
    """Return the protocol class of a server with `limits`, whose pages are published at `documentation`."""
    own = {
        "header_timeout": limits.header_timeout,
        "header_limit_bytes": limits.header_limit_bytes,
        "documentation": documentation,
    }
    return type("BoundedProtocol", (BoundedProtocol,), own)


def _bad_request(message: str, documentation: str | None) -> bytes:
    """Return a whole response that says `message` and that the connection is closed."""
    status, trace = HTTPStatus.BAD_REQUEST, trace_of(None)
    content = msgspec.json.encode(problem_document(MalformedRequest(message), trace.trace_id, documentation))
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(content)}",
        f"{API_HEADER.lower()}: {API_VERSION}",
        f"traceparent: {trace.header}",
        "connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + content
