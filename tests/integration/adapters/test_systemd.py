"""The service manager's protocol, over real datagram sockets."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchgear.adapters.systemd import STATUS_CHARACTERS_MAX, Notifier, NotifyOptions, notify_options
from switchgear.core.errors import OptionError

pytestmark = pytest.mark.integration


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a manager listens, as the environment names it."""
    return f"@switchgear-{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify")


@pytest.fixture
def manager(address: str) -> Iterator[socket.socket]:
    """Return a manager that listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        listening.settimeout(60.0)
        yield listening


def heard(manager: socket.socket) -> str:
    """Return what the manager is told next."""
    return manager.recv(4096).decode()


def test_a_manager_hears_of_start_life_and_end(manager: socket.socket, address: str) -> None:
    """sd_notify(3): assignments a line, in one datagram, to a path or an abstract name."""
    with Notifier(NotifyOptions(address)) as notifier:
        notifier.ready("ready")
        notifier.alive()
        notifier.status("not ready: ledger LEDGER_UNAVAILABLE")
        notifier.stopping()
    said = [heard(manager) for _ in range(4)]
    assert said == ["READY=1\nSTATUS=ready", "WATCHDOG=1", "STATUS=not ready: ledger LEDGER_UNAVAILABLE", "STOPPING=1"]


def test_a_status_is_one_line(manager: socket.socket, address: str) -> None:
    """Words never make an assignment of their own, and have an end."""
    with Notifier(NotifyOptions(address)) as notifier:
        notifier.status("x\nREADY=1\n" + "y" * 500 + "\ud800")
    said = heard(manager)
    assert said.startswith("STATUS=x READY=1 yyy")
    assert len(said) == len("STATUS=") + STATUS_CHARACTERS_MAX


def test_a_manager_that_has_gone_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be told never harms who tells it; when it can be told again, so can the next loss."""
    address = tmp_path / "notify"
    with Notifier(NotifyOptions(str(address))) as notifier, caplog.at_level(logging.WARNING):
        notifier.alive()
        notifier.alive()
        assert len(caplog.records) == 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(address))
            notifier.alive()
        notifier.alive()
        assert len(caplog.records) == 2


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    """Law 1: a full socket is passed over, not waited for."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        with Notifier(NotifyOptions(str(tmp_path / "notify"))) as notifier:
            for _ in range(10_000):
                notifier.alive()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"WATCHDOG_USEC": "1000000"}, None),
        ({"NOTIFY_SOCKET": "/run/notify"}, NotifyOptions("/run/notify")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000"}, NotifyOptions("@n", 1.5)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, NotifyOptions("@n", 1.5)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, NotifyOptions("@n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "0"}, NotifyOptions("@n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "soon"}, NotifyOptions("@n")),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "9" * 5000}, NotifyOptions("@n")),
    ],
)
def test_what_the_environment_asks_for(environment: dict[str, str], expected: NotifyOptions | None) -> None:
    """sd_watchdog_enabled(3): half of the time, and only for the process that is meant."""
    assert notify_options(environment, pid=7) == expected


@pytest.mark.parametrize("address", ["notify", "vsock:2:1234", "@", "/"])
def test_an_address_that_cannot_be_one_is_refused(address: str) -> None:
    """A manager that cannot be reached is said at the start, not at the first datagram."""
    with pytest.raises(OptionError, match="NOTIFY_SOCKET"):
        notify_options({"NOTIFY_SOCKET": address}, pid=7)


@pytest.mark.parametrize("every", [0.0, -1.0, float("inf"), float("nan")])
def test_a_watchdog_has_a_time(every: float) -> None:
    """Options are checked at birth."""
    with pytest.raises(OptionError, match="watchdog_every"):
        NotifyOptions("@n", every)
