"""The commands `intents replay` and `ledger rebuild`, against a real server and its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from switchgear.core.codes import ExitCode
from tests.integration.cli.harness import Run, Server, prepare, run_in, serving

pytestmark = pytest.mark.integration

TOOLS = """
[tools."user.delete"]
function = "replayed_tools:refuse"
effect = "opaque"

[tools."mail.send"]
function = "replayed_tools:lose"
effect = "opaque"
"""
FUNCTIONS = '''
"""Tools that lose their answer, and tools that refuse the first time."""
from switchgear import NotApplied

seen = set()


async def lose(call, to: str):
    raise ConnectionResetError("the line broke")


async def refuse(call, to: str):
    if to not in seen:
        seen.add(to)
        raise NotApplied("no such user")
    return to
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server whose tools lose and refuse."""
    folder = prepare(tmp_path_factory.mktemp("replaying"))
    with (folder / "switchgear.toml").open("a") as configuration:
        configuration.write(TOOLS)
    (folder / "replayed_tools.py").write_text(FUNCTIONS)
    with serving(folder) as running:
        yield running


def submitted(gear: Run, tool: str, to: str) -> str:
    """Submit, wait, and return the id."""
    ran = gear("submit", tool, "--arg", f"to={to}", "--key", f"{tool}-{to}", "--wait", "10", "--json")
    return str(ran.document()["id"])


def test_one_is_replayed_and_its_end_is_the_exit_code(gear: Run) -> None:
    """A result is 0; a doubt has the exit code of doubts."""
    intent = submitted(gear, "user.delete", "ada")
    why = ("--reason", "drill")
    ran = gear("intents", "replay", intent, "--mode", "re-execute", *why, "--json")
    assert (ran.exit_code, ran.document()["result"]) == (ExitCode.OK, "executed")
    by_key = ("--tool", "user.delete", "--key", "user.delete-ada")
    verified = gear("intents", "replay", *by_key, "--mode", "verify", *why, "--json").document()
    assert (verified["result"], verified["intent"]["id"]) == ("verified", intent)
    lost = submitted(gear, "mail.send", "ada")
    ran = gear("intents", "replay", lost, "--mode", "resume", *why)
    assert (ran.exit_code, "in_doubt" in ran.output) == (ExitCode.IN_DOUBT, True)


def submitted_at_once(server: Server, names: list[str]) -> list[str]:
    """Submit many without a process for each."""
    token = (server.folder / "switchgear.token").read_text(encoding="ascii").strip()
    ids = []
    with httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
        for name in names:
            body = {"tool": "user.delete", "arguments": {"to": name}, "account": "main"}
            answer = client.post("/v1/intents", json=body, headers={"Idempotency-Key": name, "Prefer": "wait=10"})
            ids.append(str(answer.json()["id"]))
    return ids


def test_many_are_replayed_with_progress(gear: Run, server: Server) -> None:
    """More than one request asks for at once, so it says how far it is; a machine gets one document."""
    ids = submitted_at_once(server, [f"many-{number}" for number in range(12)])
    wish = ("--tool", "user.delete", "--state", "dead_lettered", "--mode", "re-execute", "--reason", "drill")
    ran = gear("intents", "replay", *wish, "--rate", "1000", "--limit", "12")
    assert ran.exit_code == ExitCode.OK
    assert "10 of at most 12" in ran.output
    assert ran.output.count("executed") == len(ids)
    ran = gear("intents", "replay", "--state", "succeeded", "--mode", "verify", "--reason", "drill", "--json")
    assert {item["result"] for item in ran.document()["items"]} == {"verified"}


@pytest.mark.parametrize("words", [(), ("int_0", "--state", "held")])
def test_one_or_many_and_not_both(gear: Run, words: tuple[str, ...]) -> None:
    """What is not clear is not sent."""
    ran = gear("intents", "replay", *words, "--mode", "verify", "--reason", "x", "--json")
    assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.USAGE, "INVALID_ARGUMENT")


def test_a_store_is_rebuilt_beside_its_running_engine(gear: Run, server: Server, tmp_path: Path) -> None:
    """It is only read, as it is at one moment; the new file is never an old one."""
    submitted(gear, "user.delete", "rebuilt")
    fresh = tmp_path / "fresh.db"
    config = str(server.folder / "switchgear.toml")
    ran = run_in(server.folder, "ledger", "rebuild", "--config", config, "--into", str(fresh), "--json")
    document = ran.document()
    assert (ran.exit_code, document["ok"], document["problems"]) == (ExitCode.OK, True, [])
    assert document["rebuilt_hash"] == document["stored_hash"]
    ran = run_in(server.folder, "ledger", "rebuild", str(fresh), "--into", str(fresh), "--json")
    assert ran.exit_code == ExitCode.USAGE
    ran = run_in(server.folder, "ledger", "rebuild", str(tmp_path / "none.db"), "--into", str(tmp_path / "x"), "--json")
    assert (ran.exit_code, ran.problem()["code"]) == (ExitCode.USAGE, "INVALID_ARGUMENT")
