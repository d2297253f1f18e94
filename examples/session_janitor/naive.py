"""What not to do. A janitor that takes silence for "it is gone": in an outage it deletes what is alive.

    python -m examples.session_janitor.naive /tmp/runner.sock --redis-port 6379

It is written as such things are written: it is short, it has timeouts, and no error ends it. No line of it is wrong by
itself. Wrong is what two of its ``except`` clauses return. Compare `janitor`.
"""

import json
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from examples.session_janitor.settings import CLOSED, SESSIONS, Settings, settings_from


class NaiveJanitor:
    """Forgets records without a process, and ends processes without an open record."""

    def __init__(self, settings: Settings) -> None:
        """Prepare the clients."""
        self._settings = settings
        self._redis = redis.Redis(
            port=settings.redis_port,
            socket_timeout=settings.timeout,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),
        )

    def clean(self) -> list[str]:
        """Clean once, and return what was done."""
        records = self._records()
        done = [self._forget(session) for session in records if not self._is_running(session)]
        done += [self._end(session) for session in self._running() if records.get(session, CLOSED) == CLOSED]
        return done

    def _records(self) -> dict[str, str]:
        try:
            records: Any = self._redis.hgetall(SESSIONS)
        except redis.RedisError:
            return {}  # wrong: nobody said that there are none
        return dict(records)

    def _is_running(self, session: str) -> bool:
        try:
            return bool(self._ask("exists", session)["exists"])
        except (OSError, ValueError):
            return False  # wrong: nobody said that it has ended

    def _running(self) -> list[str]:
        try:
            return list(self._ask("list")["sessions"])
        except (OSError, ValueError):
            return []

    def _forget(self, session: str) -> str:
        try:
            self._redis.hdel(SESSIONS, session)
        except redis.RedisError as error:
            return f"could not forget {session}: {error}"
        return f"forgot {session}"

    def _end(self, session: str) -> str:
        try:
            self._ask("end", session)
        except (OSError, ValueError) as error:
            return f"could not end {session}: {error}"
        return f"ended {session}"

    def _ask(self, operation: str, session: str = "") -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(self._settings.timeout)
            connection.connect(self._settings.api_socket)
            connection.sendall(json.dumps({"op": operation, "session": session}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer: dict[str, Any] = json.loads(answers.readline())
        return answer


def main(words: Sequence[str]) -> int:
    """Clean again and again until SIGTERM or Ctrl-C."""
    settings = settings_from(words)
    janitor = NaiveJanitor(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    turn = 0
    while not stopping.wait(settings.every):
        turn += 1
        for line in (*janitor.clean(), f"turn {turn}"):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
