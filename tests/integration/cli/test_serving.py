"""The commands that come before a server or are one: init, check, token, up; and how it stops and goes on."""

from __future__ import annotations

import signal
import socket
import stat
from pathlib import Path

import pytest

from switchgear.core.codes import ExitCode
from switchgear.gates.kill_switches.switches import SELF_PROBE
from tests.integration.cli.harness import prepare, run_apart, run_in, serving, wait_for, wait_for_state

pytestmark = pytest.mark.integration

PATIENT = """
[engine]
shutdown_grace = 3600.0
"""


def test_init_writes_what_check_accepts(tmp_path: Path) -> None:
    """The first configuration works as it is."""
    assert run_in(tmp_path, "init", "new/gear").exit_code == ExitCode.OK
    assert run_in(tmp_path / "new/gear", "check", "--json").document()["ok"] is True


def test_init_never_overwrites_without_force(tmp_path: Path) -> None:
    """A file that is there stays, unless --force is said."""
    file = tmp_path / "switchgear.toml"
    file.write_text("mine")
    ran = run_in(tmp_path, "init", "--json")
    assert (ran.exit_code, file.read_text()) == (ExitCode.USAGE, "mine")
    assert "--force" in ran.problem()["advice"]
    assert run_in(tmp_path, "init", "--force").exit_code == ExitCode.OK
    assert file.read_text() != "mine"


def test_check_names_every_problem(tmp_path: Path) -> None:
    """All that is wrong is said at once, with the file and the keys."""
    (tmp_path / "switchgear.toml").write_text("[server]\nport = 70000\nhots = 'x'\n")
    ran = run_in(tmp_path, "check", "--json")
    problem = ran.problem()
    assert (ran.exit_code, problem["code"]) == (ExitCode.USAGE, "INVALID_CONFIGURATION")
    assert {item["key"] for item in problem["problems"]} == {"server.port", "server.hots"}
    assert not (tmp_path / "switchgear.db").exists()


def test_token_is_private(tmp_path: Path) -> None:
    """Key and saved token are readable by their owner only."""
    prepare(tmp_path)
    ran = run_in(tmp_path, "token", "--tenant", "acme", "--save", "--json")
    assert (ran.document()["saved"], ran.document()["token"]) == ("switchgear.token", None)
    saved = (tmp_path / "switchgear.token").read_text().strip()
    assert saved not in run_in(tmp_path, "token", "--tenant", "acme", "--save").output
    for name in ("switchgear.token", "switchgear.db.development-key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_up_refuses_without_dev_and_off_loopback(tmp_path: Path) -> None:
    """Development tokens are never accepted by a server that others can reach; a refused start leaves no file."""
    prepare(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert "--dev" in run_apart(tmp_path, "up", "--json").problem()["advice"]
    ran = run_apart(tmp_path, "up", "--dev", "--host", "0.0.0.0", "--json")  # noqa: S104 - to be refused
    assert ran.exit_code == ExitCode.USAGE
    assert "loopback" in ran.problem()["detail"]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://x.db"])
def test_check_refuses_a_store_that_up_would_refuse(tmp_path: Path, url: str) -> None:
    """What `check` calls fine can be opened: a store that no adapter means is named with file and key."""
    (tmp_path / "switchgear.toml").write_text(f"[store]\nurl = '{url}'\n")
    ran = run_in(tmp_path, "check")
    assert ran.exit_code == ExitCode.USAGE
    assert "switchgear.toml" in ran.errors
    assert "store.url" in ran.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_stops_in_order(tmp_path: Path, number: int) -> None:
    """A first signal stops in order: exit code 0."""
    with serving(prepare(tmp_path)) as server:
        assert server.signal(number) == 0


def test_up_stops_at_once_on_a_second_signal(tmp_path: Path) -> None:
    """A second signal does not wait for the grace, and a read that it cut off goes on at the next start."""
    with (prepare(tmp_path) / "switchgear.toml").open("a") as configuration:
        configuration.write(PATIENT)
    with serving(tmp_path) as server:
        run_in(tmp_path, "token", "--tenant", "acme", "--save")
        words = ("submit", "slow.read", "--arg", "name=never", "--url", server.url, "--json")
        intent = run_in(tmp_path, *words).document()["id"]
        wait_for((tmp_path / "never.started").exists)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "stopping" in server.log)
        assert server.signal(signal.SIGTERM) == 1
    (tmp_path / "never").touch()
    with serving(tmp_path) as again:
        wait_for_state(again, intent, "succeeded")


def test_what_the_self_test_tries_is_refused_on_the_command_line_too(tmp_path: Path) -> None:
    """SEMANTICS §12: the tool that is always frozen is refused with the code of a kill switch, on every way in."""
    with serving(prepare(tmp_path)) as server:
        run_in(tmp_path, "token", "--tenant", "acme", "--save")
        ran = run_in(tmp_path, "submit", SELF_PROBE, "--url", server.url, "--json")
        assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.REFUSED, "KILL_SWITCH_ACTIVE")


def test_up_tells_the_service_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under systemd a start has ended when it says READY=1, and a stop begins with STOPPING=1."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with serving(prepare(tmp_path)) as server:
            assert manager.recv(4096) == b"READY=1\nSTATUS=ready"
            assert server.signal(signal.SIGTERM) == 0
            assert manager.recv(4096).startswith(b"STOPPING=1\n")


def test_everything_goes_on_after_kill(tmp_path: Path) -> None:
    """After kill -9 a read runs again by itself; a write that nobody can look up is in doubt and never run again."""
    with serving(prepare(tmp_path)) as server:
        run_in(tmp_path, "token", "--tenant", "acme", "--save")
        submit = ("submit", "--url", server.url, "--json")
        read = run_in(tmp_path, *submit, "slow.read", "--arg", "name=a").document()["id"]
        write = run_in(tmp_path, *submit, "slow.write", "--arg", "name=b", "--key", "k").document()["id"]
        wait_for(lambda: (tmp_path / "a.started").exists() and (tmp_path / "b.started").exists())
        server.signal(signal.SIGKILL)
    (tmp_path / "a").touch()
    (tmp_path / "b.started").unlink()
    with serving(tmp_path) as again:
        wait_for_state(again, read, "succeeded")
        wait_for_state(again, write, "in_doubt")
        assert not (tmp_path / "b.started").exists()
        submit = ("submit", "--url", again.url, "--json")
        repeat = run_in(tmp_path, *submit, "slow.write", "--arg", "name=b", "--key", "k")
        assert (repeat.exit_code, repeat.document()["id"]) == (ExitCode.IN_DOUBT, write)
