"""A small CRM that has a bad day: the HTTP upstream of the demo, a process of its own.

    GET  /contacts/{id}          read_only
    POST /orders                 keyed: the same Idempotency-Key gets the same stored answer, and one order
    PUT  /contacts/{id}/email    natural
    POST /contacts/{id}/notes    reconcilable: GET /notes/{reference} looks it up
    POST /emails                 opaque
    GET  /health                 never at fault; the demo waits for it

It is honest about keys and about its log, and dishonest about everything else that `schedule` says: slow,
failing before or after it acted, hanging up without an answer, limiting. It ends when its standard input
does, so it never outlives the demo.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from switchgear.core.mutexes import new_mutex
from switchgear.surfaces.cli.demo.crm_records import KEY_HEADER, Crm, Records, Refusal, Request
from switchgear.surfaces.cli.demo.schedule import Phase, Schedule

_BODY_BYTES_MAX = 65_536


class Faults:
    """Decides what goes wrong with one request, from the phase and drawn numbers."""

    def __init__(self, schedule: Schedule, started_at: float, rng: random.Random) -> None:
        """Follow `schedule` from `started_at`, seconds since the epoch."""
        self._schedule = schedule
        self._started_at = started_at
        self._rng = rng
        self._lock = new_mutex()
        self._free_at = 0.0

    def phase(self) -> Phase:
        """Return the phase of this moment."""
        return self._schedule.phase_at(time.time() - self._started_at)

    def delay(self) -> float:
        """Return how many seconds to hold this request back."""
        return self._rng.uniform(0.0, self.phase().latency)

    def before(self) -> None:
        """Raise `Refusal` when this request fails before it acts."""
        phase = self.phase()
        if phase.requests_per_second and not self._within(phase.requests_per_second):
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests", retry_after=1)
        if self._rng.random() < phase.fail_before:
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "failed before it acted")

    def after(self) -> str:
        """Return how the answer is lost after the effect: "" not at all, "error", or "hang up"."""
        if self._rng.random() >= self.phase().fail_after:
            return ""
        return self._rng.choice(("error", "hang up"))

    def _within(self, rate: float) -> bool:
        with self._lock:
            now = time.monotonic()
            if now < self._free_at:
                return False
            self._free_at = now + 1 / rate
            return True


class Handler(BaseHTTPRequestHandler):
    """Translates HTTP to `Crm` and lets `Faults` interfere."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    crm: Crm
    faults: Faults

    def do_GET(self) -> None:
        """Serve a GET."""
        self._serve()

    def do_POST(self) -> None:
        """Serve a POST."""
        self._serve()

    def do_PUT(self) -> None:
        """Serve a PUT."""
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the effect log is the record."""

    def _serve(self) -> None:
        try:
            request = self._request()
            if request.parts == ("health",):
                self._answer(HTTPStatus.OK, {"status": "ok"})
            else:
                self._carry_out(request)
        except Refusal as refusal:
            self._answer(refusal.status, {"error": refusal.message}, refusal.retry_after)
        except OSError:
            self.close_connection = True  # the caller has gone; there is nobody to tell

    def _carry_out(self, request: Request) -> None:
        action = self.crm.operation(request)
        delay = self.faults.delay()
        time.sleep(delay / 2)
        self.faults.before()
        answer = action()
        time.sleep(delay / 2)
        lost = self.faults.after()
        if lost == "hang up":
            self.close_connection = True
        elif lost:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "failed after it acted"})
        else:
            self._answer(HTTPStatus.OK, answer)

    def _request(self) -> Request:
        parts = tuple(part for part in self.path.partition("?")[0].split("/") if part)
        return Request(self.command, parts, self.headers.get(KEY_HEADER, ""), self._body())

    def _body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _BODY_BYTES_MAX:
            self.close_connection = True
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            raise Refusal(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
        if not isinstance(body, dict):
            raise Refusal(HTTPStatus.BAD_REQUEST, "the body is not an object")
        return body

    def _answer(self, status: HTTPStatus, body: dict[str, Any], retry_after: int | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    """A thread a connection, on a port that can be taken again at once after a kill."""

    daemon_threads = True
    request_queue_size = 128


def _end_with_standard_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="crm")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--started-at", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Serve on loopback until standard input ends."""
    options = _arguments(argv)
    Handler.crm = Crm(Records(options.log))
    rng = random.Random(options.seed)
    Handler.faults = Faults(Schedule(options.seconds), options.started_at, rng)
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    Server(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
