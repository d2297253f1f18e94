"""The API socket of the example: it holds the processes of sessions, and answers a line of JSON with a line of JSON.

    python -m examples.session_janitor.runner /tmp/runner.sock

{"op": "status"}                    {"well": true}
{"op": "list"}                      {"sessions": ["ada", ...]}
{"op": "exists", "session": "ada"}  {"session": "ada", "exists": true, "ended": null}
{"op": "start", "session": "ada"}   the same, after it was started
{"op": "end", "session": "ada"}     {"session": "ada", "exists": false, "ended": "at 12:04:51"}

`ended` is the word that a janitor needs: the process was here, and it ended. For a session that it never heard of, the
runner says null, and that may mean anything: started again, it has heard of nobody. It keeps everything in memory, and
what it says of the latest 10,000 sessions that ended.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from typing import Any

ENDED_MAX = 10_000
REQUEST_BYTES_MAX = 4_096


class Processes:
    """The processes of sessions; here a name stands for each."""

    def __init__(self) -> None:
        """Start without any."""
        self._running: set[str] = set()
        self._ended: dict[str, str] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked, and return the answer."""
        match request:
            case {"op": "status"}:
                return {"well": True}
            case {"op": "list"}:
                return {"sessions": sorted(self._running)}
            case {"op": "exists", "session": str(session)}:
                return self._state_of(session)
            case {"op": "start", "session": str(session)}:
                self._running.add(session)
                return self._state_of(session)
            case {"op": "end", "session": str(session)}:
                self._end(session)
                return self._state_of(session)
        return {"error": "unknown request"}

    def _state_of(self, session: str) -> dict[str, Any]:
        return {"session": session, "exists": session in self._running, "ended": self._ended.get(session)}

    def _end(self, session: str) -> None:
        if session in self._running:
            self._running.remove(session)
            self._ended[session] = f"at {datetime.now(UTC):%H:%M:%S}"
        while len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]


class Runner(ThreadingUnixStreamServer):
    """Serves processes on a socket; the file of an earlier one that was killed is replaced."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path) -> None:
        """Listen."""
        path.unlink(missing_ok=True)
        self.processes = Processes()
        super().__init__(str(path), Conversation)


class Conversation(StreamRequestHandler):
    """One connection: any number of requests."""

    server: Runner

    def handle(self) -> None:
        """Answer line by line until the other side goes."""
        with suppress(ConnectionError):
            while line := self.rfile.readline(REQUEST_BYTES_MAX):
                self.wfile.write(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except ValueError:
            return {"error": "not JSON"}
        return self.server.processes.answer(request if isinstance(request, dict) else {})


def main(path: str) -> int:
    """Serve until Ctrl-C."""
    with Runner(Path(path)) as server, suppress(KeyboardInterrupt):
        print(path, flush=True)
        server.serve_forever(poll_interval=0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
