"""A real process, real signals: SIGTERM and SIGINT stop it in order, a second one at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).with_name("serving_process.py")
WAIT = {"tool": "crm.wait", "arguments": {}, "account": "main"}


@dataclass
class Process:
    """The process and a client of it."""

    process: subprocess.Popen[str]
    client: httpx2.Client

    def submit(self, key: str) -> str:
        """Submit an action and return its id once an attempt was dispatched."""
        view = self.client.post("/v1/intents", json=WAIT, headers={"Idempotency-Key": key}).json()
        while self.client.get(f"/v1/intents/{view['id']}").json()["state"] != "dispatched":
            pass
        found: str = view["id"]
        return found

    def last_words(self) -> str:
        """Return the rest of what the process says until it has ended."""
        assert self.process.stderr is not None
        words = self.process.stderr.read()
        self.process.wait(10.0)
        return words


@contextmanager
def serving(folder: Path, seconds: float) -> Iterator[Process]:
    """Run the server while the block runs."""
    issuer = DevelopmentIssuer.create(folder / "key")
    token = issuer.issue(tenant="acme", accounts=["main"], actor="test", scope=PERMISSIONS)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(seconds)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    try:
        url = process.stderr.readline().strip()
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            yield Process(process, client)
    finally:
        process.kill()
        process.wait(10.0)
        process.stderr.close()


async def state_of(folder: Path, intent_id: str) -> str:
    """Return the state of an intent as the next process finds it, before it carries anything out."""
    async with Switchgear.open(store=f"sqlite:///{folder / 'gear.db'}", start=False) as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="test")
        return str((await acme.intent(intent_id)).state)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """SEMANTICS §12: not ready at once, new work refused, what is dispatched ends and is recorded."""
    with serving(tmp_path, seconds=1.0) as server:
        intent_id = server.submit("k")
        server.process.send_signal(number)
        while (ready := server.client.get("/readyz")).status_code == 200:
            pass
        refused = server.client.post("/v1/intents", json=WAIT, headers={"Idempotency-Key": "late"})
        assert (ready.status_code, refused.json()["code"]) == (503, "SHUTTING_DOWN")
        assert "in order: True" in server.last_words()
        assert server.process.returncode == 0
    assert await state_of(tmp_path, intent_id) == "succeeded"


async def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """SEMANTICS §12: the second signal does not wait; what was acknowledged is still there."""
    with serving(tmp_path, seconds=60.0) as server:
        intent_id = server.submit("k")
        server.process.send_signal(signal.SIGTERM)
        while server.client.get("/readyz").status_code == 200:
            pass
        server.process.send_signal(signal.SIGTERM)
        assert "in order: False" in server.last_words()
        assert server.process.returncode == 0
    assert await state_of(tmp_path, intent_id) in {"ready", "in_doubt"}
