"""Probes of TCP ports, HTTP paths and unix API sockets against servers that stall, break and lie, paused ones too."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.health.evidence import Polarity
from switchgear.health.probe import Probe, ProbeFailed
from switchgear.health.probes import HttpProbe, TcpProbe, UnixSocketProbe
from tests.integration.adapters.real_server import STARTED_WITHIN_SECONDS, pause
from tests.integration.health.asking import PATIENCE_SECONDS, SECONDS, bound_for, verdict
from tests.integration.health.scripted import (
    Script,
    answering,
    closing,
    greeting,
    resetting,
    scripted,
    silent,
    trickling,
)
from tests.ports import free_port

pytestmark = pytest.mark.integration

POSITIVE, NEGATIVE, ABSENT = Polarity
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n"


TCP: list[tuple[str, Script, Polarity]] = [
    ("right", answering(b"+PONG\r\n"), POSITIVE),
    ("wrong", answering(b"-ERR\r\n"), NEGATIVE),
    ("half", answering(b"+PO"), ABSENT),
    ("silent", silent, ABSENT),
    ("closed", closing, ABSENT),
    ("reset", resetting, ABSENT),
    ("trickling", trickling(b""), NEGATIVE),
]


@pytest.mark.parametrize(("script", "polarity"), [row[1:] for row in TCP], ids=[row[0] for row in TCP])
async def test_what_a_tcp_server_says(script: Script, polarity: Polarity) -> None:
    """Only the answer that was expected is positive."""
    with scripted(script) as port:
        probe = TcpProbe("127.0.0.1", port, send=b"PING\r\n", expects=b"+PONG", timeout=bound_for(polarity))
        assert await verdict(probe) is polarity


async def test_a_greeting_and_a_mere_connection() -> None:
    """Servers that greet are asked nothing. That a connection alone is enough has to be said."""
    with scripted(greeting(b"220 mail")) as port:
        assert await TcpProbe("127.0.0.1", port, expects=b"220")() == "answers as expected"
        assert await TcpProbe("127.0.0.1", port, expects=None)() == "accepts connections"
    assert await verdict(TcpProbe("127.0.0.1", free_port(), expects=None)) is ABSENT


UNIX: list[tuple[str, Script, Polarity]] = [
    ("right", answering(b'{"well": true}\n'), POSITIVE),
    ("says no", answering(b'{"well": false}\n'), NEGATIVE),
    ("says almost yes", answering(b'{"well": 1}\n'), NEGATIVE),
    ("no JSON", answering(b"<html>\n"), NEGATIVE),
    ("too long", answering(b'"' + b"x" * 2_000 + b'"\n'), NEGATIVE),
    ("half", answering(b'{"well"'), ABSENT),
    ("silent", silent, ABSENT),
    ("closed", closing, ABSENT),
    ("trickling", trickling(b""), ABSENT),
]


@pytest.mark.parametrize(("script", "polarity"), [row[1:] for row in UNIX], ids=[row[0] for row in UNIX])
async def test_what_an_api_socket_says(tmp_path: Path, script: Script, polarity: Polarity) -> None:
    """One line of JSON that says yes is positive. A line that never ends is silence."""
    path = tmp_path / "api.sock"
    with scripted(script, path):
        probe = UnixSocketProbe(
            path,
            request={"do": "status"},
            says=lambda answer: answer["well"],
            bytes_max=1_000,
            timeout=bound_for(polarity),
        )
        assert await verdict(probe) is polarity


HTTP: list[tuple[str, Script, Polarity]] = [
    ("right", answering(OK), POSITIVE),
    ("chunked", answering(CHUNKED), POSITIVE),
    ("says no", answering(OK.replace(b"well", b"sick")), NEGATIVE),
    ("status", answering(OK.replace(b"200 OK", b"503 Sorry")), NEGATIVE),
    ("redirect", answering(OK.replace(b"200 OK", b"302 Found\r\nLocation: http://127.0.0.1:9/")), NEGATIVE),
    ("no HTTP", answering(b"+PONG\r\n\r\n"), NEGATIVE),
    ("too long", answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2_000), NEGATIVE),
    ("half a body", answering(OK[:-1]), ABSENT),
    ("half a chunk", answering(CHUNKED[:-9]), ABSENT),
    ("half a header", answering(OK[:10]), NEGATIVE),
    ("silent", silent, ABSENT),
    ("closed", closing, ABSENT),
    ("reset", resetting, ABSENT),
    ("trickling header", trickling(b"HTTP/1.1 200 OK\r\nX: "), ABSENT),
    ("trickling body", trickling(OK[:-1].replace(b"4", b"900")), ABSENT),
]


@pytest.mark.parametrize(("script", "polarity"), [row[1:] for row in HTTP], ids=[row[0] for row in HTTP])
@pytest.mark.parametrize("over", ["tcp", "unix"])
async def test_what_an_http_server_says(tmp_path: Path, over: str, script: Script, polarity: Polarity) -> None:
    """A right status and a whole body that says yes is positive, over TCP and over a unix socket."""
    path = tmp_path / "api.sock" if over == "unix" else None
    with scripted(script, path) as port:
        probe = HttpProbe(
            f"http://127.0.0.1:{port or 80}/healthz?deep=1",
            says=lambda body: body == b"well",
            bytes_max=1_000,
            unix_socket=path,
            timeout=bound_for(polarity),
        )
        assert await verdict(probe) is polarity


async def test_what_is_sent_and_what_need_not_be_read() -> None:
    """One GET of path and query with the headers given. Without a judge a long body is left unread."""
    requests: list[bytes] = []

    def script(connection: socket.socket) -> None:
        requests.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 204 Fine\r\nContent-Length: 900000\r\n\r\n" + b"x" * 1_000)
        connection.recv(1)

    with scripted(script) as port:
        probe = HttpProbe(f"http://127.0.0.1:{port}/a?b=c", headers={"Authorization": "hush"}, bytes_max=10)
        assert "hush" not in repr(probe)
        assert await verdict(HttpProbe(f"http://127.0.0.1:{port}", statuses={200})) is NEGATIVE
        assert await probe() == "answers 204"
    assert requests[0].startswith(b"GET / HTTP/1.1\r\n")
    assert requests[1].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert b"Authorization: hush\r\n" in requests[1]


async def test_a_port_that_speaks_no_tls_is_negative() -> None:
    """Who answers a handshake with something else has answered."""
    with scripted(answering(OK)) as port:
        assert await verdict(HttpProbe(f"https://127.0.0.1:{port}/")) is NEGATIVE


async def test_a_thread_that_reads_a_trickle_ends() -> None:
    """A server that never falls silent does not keep a thread: the probe cuts the connection when it gives up."""
    with scripted(trickling(b"HTTP/1.1 200 OK\r\nX: ")) as port:
        probe = HttpProbe(f"http://127.0.0.1:{port}/", timeout=0.1)
        for _ in range(8):
            with pytest.raises(TimeoutError, match="no answer within"):
                await probe()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://host/",
        "http://",
        "http://host:0/",
        "http://host:port/",
        "http://me:hush@host/",
        "http://host/a b",
        "http://host/\r\nX: y",
    ],
)
def test_a_url_that_cannot_be_asked_is_refused(url: str) -> None:
    """It is found at birth, and a password in it is not shown."""
    with pytest.raises(OptionError, match="write for example") as caught:
        HttpProbe(url)
    assert "hush" not in str(caught.value)


def test_other_options_are_checked_at_birth() -> None:
    """A probe that cannot work is not made; one of a mere connection is made on purpose only."""
    for make in (
        lambda: TcpProbe("host", 0, expects=None),
        lambda: TcpProbe("host", 80, expects=b""),
        lambda: TcpProbe("host", 80, send=b"PING", expects=None),
        lambda: UnixSocketProbe("api.sock", request=object()),
        lambda: UnixSocketProbe("api.sock", request=1, timeout=0),
        lambda: HttpProbe("http://host/", statuses=()),
        lambda: HttpProbe("http://host/", bytes_max=0),
    ):
        with pytest.raises(OptionError, match="write for example"):
            make()


class Daemon:
    """The daemon as a process of its own that can be paused and killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.process = self._start()

    def restart(self) -> None:
        """Start it again after `kill`."""
        self.path.unlink()
        self.process = self._start()

    def kill(self) -> None:
        """End it at once; its socket's file stays."""
        self.process.kill()
        self.process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("daemon.py")), str(self.path)])
        ends = time.monotonic() + STARTED_WITHIN_SECONDS
        with socket.socket(socket.AF_UNIX) as trial:
            while trial.connect_ex(str(self.path)) != 0:
                assert time.monotonic() < ends, "the daemon does not start"
                time.sleep(0.01)
        return process


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Run the daemon."""
    running = Daemon(tmp_path / "api.sock")
    yield running
    running.kill()


async def test_a_daemon_that_is_paused_or_killed(daemon: Daemon) -> None:
    """The kernel still accepts connections for a paused process: that is silence. Once it is back, it counts."""
    asked: dict[str, Any] = {"request": {"do": "status"}, "says": lambda answer: answer["well"] is True}
    probe = UnixSocketProbe(daemon.path, **asked, timeout=PATIENCE_SECONDS)
    assert await probe() == "answers"
    pause(daemon.process)
    with pytest.raises(TimeoutError):
        await UnixSocketProbe(daemon.path, **asked, timeout=SECONDS)()
    daemon.process.send_signal(signal.SIGCONT)
    assert await probe() == "answers"
    daemon.kill()
    with pytest.raises(ConnectionRefusedError):
        await probe()
    daemon.path.unlink()
    with pytest.raises(FileNotFoundError):
        await probe()
    daemon.path.touch()
    daemon.restart()
    assert await probe() == "answers"


async def test_a_daemon_with_a_full_backlog_is_silent(tmp_path: Path) -> None:
    """Who does not accept any more has not answered; when there is room in time, the question is asked."""
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        assert await verdict(UnixSocketProbe(path, request=1, timeout=SECONDS)) is ABSENT

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    if connection is not first:
                        connection.sendall(b"1\n")

        asking = asyncio.ensure_future(UnixSocketProbe(path, request=1, timeout=PATIENCE_SECONDS)())
        await asyncio.sleep(0.05)
        threading.Thread(target=serve, daemon=True).start()
        assert await asking == "answers"


def test_a_failed_probe_says_what_was_wrong() -> None:
    """The person on call reads the reason."""
    with scripted(answering(OK.replace(b"200 OK", b"503 Sorry"))) as port, pytest.raises(ProbeFailed) as caught:
        asyncio.run(_asked(HttpProbe(f"http://127.0.0.1:{port}/")))
    assert caught.value.detail == "answers 503"


async def _asked(probe: Probe) -> None:
    await probe()
