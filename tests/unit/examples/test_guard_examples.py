"""The guard's examples run as written, against a small HTTP server that fails now and then."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


class Shaky(BaseHTTPRequestHandler):
    """Answers 503 to the first two requests of each path, 404 under /missing, then a contact."""

    seen: dict[str, int]

    def do_GET(self) -> None:
        """Answer."""
        self.seen[self.path] = self.seen.get(self.path, 0) + 1
        status = 404 if self.path.startswith("/missing") else 503 if self.seen[self.path] <= 2 else 200
        body = b'{"name": "Ada"}'
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    """Serve on a free port of loopback."""
    handler = type("Handler", (Shaky,), {"seen": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join(60)


def run(example: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run an example as its docstring says."""
    command = [sys.executable, str(EXAMPLES / example), url]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_the_httpx2_example_gets_its_answers(server: str) -> None:
    """Twenty concurrent calls all succeed, two of them by retry."""
    ended = run("guard_httpx2.py", f"{server}/contacts/7")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("20 answers, 2 retries, breaker closed\n"), ended.stdout


def test_the_blocking_example_gets_its_answer(server: str) -> None:
    """Two failures are retried; the third attempt is the answer."""
    ended = run("guard_blocking.py", f"{server}/contacts/7")
    assert (ended.returncode, ended.stdout) == (0, '{"name": "Ada"}\n1 answers, 2 retries, breaker closed\n'), (
        ended.stderr
    )


def test_the_blocking_example_does_not_retry_what_is_not_there(server: str) -> None:
    """A 404 is ignored by the retry and passes unchanged."""
    ended = run("guard_blocking.py", f"{server}/missing")
    assert ended.returncode == 1
    assert "HTTP Error 404" in ended.stderr
