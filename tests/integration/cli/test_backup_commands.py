"""Backup, restore and thaw on the command line, with real servers: the second serves what the first had backed up."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from switchgear.core.codes import ExitCode
from tests.integration.cli.harness import Run, Server, prepare, run_in, serving

pytestmark = pytest.mark.integration
ASK = ("submit", "text.count_words", "--arg", "text=to be", "--wait", "30", "--json")


def test_a_server_starts_frozen_on_what_was_restored(server: Server, gear: Run, tmp_path: Path) -> None:
    """Backed up while it runs, restored offline, served frozen, thawed; a thaw of what is not frozen is a conflict."""
    made = gear("ledger", "backup", "--json").document()
    thaw = ("ledger", "thaw", "--since", str(made["created_at"]), "--reason", "looked")
    assert gear(*thaw).exit_code == ExitCode.CONFLICT
    folder = prepare(tmp_path)
    backup = str(next(server.folder.rglob(made["file"])))
    assert run_in(folder, "ledger", "restore", backup, "--into", "restored.db").exit_code == ExitCode.OK
    configuration = folder / "switchgear.toml"
    configuration.write_text(configuration.read_text().replace("switchgear.db", "restored.db"))
    with serving(folder) as second:
        token = run_in(folder, "token", "--tenant", "acme", "--json").document()["token"]
        at = {"SWITCHGEAR_URL": second.url, "SWITCHGEAR_TOKEN": str(token)}
        assert "and is frozen" in run_in(folder, "ledger", "backups", **at).output
        problem = run_in(folder, "wait", "--json", **at).problem()
        assert (problem["code"], "switchgear ledger thaw" in str(problem["advice"])) == ("RESTORE_PENDING", True)
        early = run_in(folder, "ledger", "thaw", "--since", "2286-11-20T17:46:39Z", "--reason", "looked", **at)
        assert "2286-11-20T17:46:39.000Z, which is still to come; give when the backup was made" in early.errors
        assert "0 actions are in doubt" in run_in(folder, *thaw, **at).output
        assert run_in(folder, "wait", **at).exit_code == ExitCode.OK
        assert second.signal(signal.SIGTERM) == 0
