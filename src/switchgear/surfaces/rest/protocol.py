"""The connection handling of uvicorn, with the two bounds and the one answer that it lacks.

A request's head has to arrive in time, and a head that is no HTTP is answered with a problem document.
Nothing else is changed here.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from switchgear.surfaces.rest.limits import RestLimits
from switchgear.surfaces.rest.problems import MEDIA_TYPE, MalformedRequest, problem_document
from switchgear.surfaces.rest.trace import trace_of


class BoundedProtocol(H11Protocol):
    """One connection. A class of its own for each server is made by `protocol_with`."""

    header_timeout = RestLimits().header_timeout
    documentation: str | None = None
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin to wait for a first request."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; bound the time of a head that is not complete after them."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._unwatch_head()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP, and close."""
        trace = trace_of(None)
        document = problem_document(MalformedRequest(msg), trace.trace_id, self.documentation)
        content = msgspec.json.encode(document)
        head = h11.Response(
            status_code=HTTPStatus.BAD_REQUEST,
            reason=HTTPStatus.BAD_REQUEST.phrase.encode(),
            headers=[
                ("content-type", MEDIA_TYPE),
                ("content-length", str(len(content))),
                ("traceparent", trace.header),
                ("connection", "close"),
            ],
        )
        for event in (head, h11.Data(data=content), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._unwatch_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.header_timeout, self._head_is_late)

    def _unwatch_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()


def protocol_with(limits: RestLimits, documentation: str | None = None) -> type[asyncio.Protocol]:
    """Return the protocol class of a server with `limits`, whose pages are published at `documentation`."""
    own = {"header_timeout": limits.header_timeout, "documentation": documentation}
    return type("BoundedProtocol", (BoundedProtocol,), own)
