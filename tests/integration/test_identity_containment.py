"""The worked example as processes: a real SCIM server, a real file, a real kill -9."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from switchgear import Switchgear
from switchgear.ledger.events import read

ROOT = Path(__file__).parents[2]
EXAMPLE = "examples.identity_containment"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LOOKED_UP = ("intent.accepted", "idp.lookup_user")
SECONDS_MAX = 120
pytestmark = pytest.mark.integration


def started(module: str, *words: str) -> subprocess.Popen[str]:
    """Start a module of the example."""
    command = [sys.executable, "-m", f"{EXAMPLE}.{module}", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def rest_of(process: subprocess.Popen[str]) -> str:
    """Return what else a process prints until it ends. `communicate` misses what was read ahead with a line."""
    assert process.stdout is not None
    with process.stdout as output:
        rest = output.read()
    process.wait(SECONDS_MAX)
    return rest.strip()


@dataclass
class Scene:
    """A provider, its administrator, and the gear's file."""

    administrator: httpx2.Client
    folder: Path

    @property
    def configuration(self) -> str:
        """The path of the gear's file."""
        return str(self.folder / "switchgear.toml")

    def user(self, name: str) -> dict[str, object]:
        """Return a user as the provider shows it."""
        found = self.administrator.get("/Users", params={"filter": f'userName eq "{name}"'}).raise_for_status().json()
        user: dict[str, object] = found["Resources"][0]
        return user

    def change(self, name: str, path: str, value: object) -> None:
        """Change one attribute of a user."""
        body = {"schemas": [PATCH_SCHEMA], "Operations": [{"op": "replace", "path": path, "value": value}]}
        self.administrator.patch(f"/Users/{self.user(name)['id']}", json=body).raise_for_status()

    def contain(self, name: str, incident: str, seconds: float) -> subprocess.Popen[str]:
        """Start the program."""
        words = (name, "--incident", incident, "--seconds", str(seconds), "--config", self.configuration)
        return started("contain", *words)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Run a provider, and write the example's configuration for it."""
    provider = started("provider", "--port", "0")
    try:
        url = line_of(provider)
        text = (ROOT / "examples" / "identity_containment" / "switchgear.toml").read_text(encoding="utf-8")
        text = text.replace("http://127.0.0.1:8765/v2", url)
        assert url in text
        text = text.replace("sqlite:///containment.db", f"sqlite:///{tmp_path}/containment.db")
        (tmp_path / "switchgear.toml").write_text(text, encoding="utf-8")
        with httpx2.Client(base_url=url) as administrator:
            yield Scene(administrator, tmp_path)
    finally:
        provider.kill()
        provider.communicate(timeout=SECONDS_MAX)


def test_a_user_is_contained_for_a_while_and_given_back(scene: Scene) -> None:
    """Out of service at once, back when the time is over, and nothing else of it was touched."""
    before = scene.user("ada")
    program = scene.contain("ada", "incident-1", 8.0)
    assert line_of(program).startswith("ada is out of service, succeeded")
    assert scene.user("ada")["active"] is False
    assert rest_of(program) == "ada: reverted"
    assert program.returncode == 0
    after = scene.user("ada")
    assert {**after, "meta": None} == {**before, "meta": None}


async def test_after_kill_9_the_overdue_user_comes_back_before_anything_else(scene: Scene) -> None:
    """The end is on record before the action leaves, so no crash can make a containment last for ever."""
    seconds = 5.0
    program = scene.contain("ada", "incident-2", seconds)
    assert line_of(program).startswith("ada is out of service")
    ends_at = time.monotonic() + seconds
    program.kill()
    program.communicate(timeout=SECONDS_MAX)
    await asyncio.sleep(max(0.0, ends_at - time.monotonic()))
    assert scene.user("ada")["active"] is False
    other = scene.contain("bob", "incident-3", 0.2)
    assert line_of(other).startswith("bob is out of service")
    assert rest_of(other) == "bob: reverted"
    assert scene.user("ada")["active"] is True
    again = scene.contain("ada", "incident-2", seconds)
    assert rest_of(again).splitlines()[-1] == "ada: reverted"
    assert scene.user("ada")["active"] is True
    await _check_the_ledger(scene)


async def _check_the_ledger(scene: Scene) -> None:
    """Ada was contained once, her revert began before anything of bob's, and the chain is whole."""
    async with Switchgear.open(scene.configuration, start=False) as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="service:test")
        recorded = [read(entry) for entry in await gear.store.entries("acme")]
        kinds = [event.type for event in recorded]
        assert kinds.count("time_box.opened") == kinds.count("time_box.reverted") == 2
        asked = [(event.type, event.facts.get("tool")) for event in recorded]
        first = asked.index(LOOKED_UP)
        assert first < kinds.index("time_box.reverting") < asked.index(LOOKED_UP, first + 1)
        assert [box.state for box in (await acme.time_boxes.list()).items] == ["reverted", "reverted"]
        assert (await gear.control.ledger.verify(acme.principal)).ok


def test_what_somebody_else_changed_is_left_to_a_person(scene: Scene) -> None:
    """An administrator who touches the user while it is contained may have had a reason: nothing is given back."""
    program = scene.contain("ada", "incident-4", 2.0)
    assert line_of(program).startswith("ada is out of service")
    scene.change("ada", "title", "Left the company")
    said = rest_of(program)
    assert said.startswith("ada: needs_operator CHANGED_MEANWHILE")
    assert program.returncode == 7
    assert scene.user("ada")["active"] is False
