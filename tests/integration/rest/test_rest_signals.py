"""A real process, real signals: SIGTERM and SIGINT stop it in order, a second one at once; nothing is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS
from switchgear.ledger.events import read

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).with_name("serving_process.py")
WAIT = {"tool": "crm.wait", "arguments": {}, "account": "main"}
BOUND = 50.0
"""Seconds within which a stop with a grace of half a second has to end."""


@dataclass
class Process:
    """The process and a client of it."""

    process: subprocess.Popen[str]
    client: httpx2.Client

    def accept(self, key: str, tool: str = "crm.wait") -> str:
        """Submit an action and return its id."""
        body, headers = {**WAIT, "tool": tool}, {"Idempotency-Key": key}
        return str(self.client.post("/v1/intents", json=body, headers=headers).json()["id"])

    def submit(self, key: str, tool: str = "crm.wait") -> str:
        """Submit an action and return its id once an attempt was dispatched."""
        intent_id = self.accept(key, tool)
        while not self.client.get(f"/v1/intents/{intent_id}").json()["attempts"]:
            pass
        return intent_id

    def stop(self, number: signal.Signals = signal.SIGTERM) -> httpx2.Response:
        """Send a signal, and return what `/readyz` says once it has come through."""
        self.process.send_signal(number)
        while (ready := self.client.get("/readyz")).status_code == 200:
            pass
        return ready

    def last_words(self) -> str:
        """Return the rest of what the process says until it has ended."""
        assert self.process.stderr is not None
        words = self.process.stderr.read()
        self.process.wait(60.0)
        return words


@contextmanager
def serving(folder: Path, seconds: float, grace: float = 100.0, **variables: str) -> Iterator[Process]:
    """Run the server while the block runs."""
    issuer = DevelopmentIssuer.create(folder / "key")
    token = issuer.issue(tenant="acme", accounts=["main"], actor="test", scope=PERMISSIONS)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(seconds), str(grace)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **variables},
    )
    assert process.stderr is not None
    try:
        url = process.stderr.readline().strip()
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            yield Process(process, client)
    finally:
        process.kill()
        process.wait(60.0)
        process.stderr.close()


async def state_of(folder: Path, intent_id: str) -> str:
    """Return the state of an intent as the next process finds it, before it carries anything out."""
    return (await states_of(folder, [intent_id]))[0]


async def states_of(folder: Path, intent_ids: list[str]) -> list[str]:
    """Return the states of intents as the next process finds them, before it carries anything out."""
    async with Switchgear.open(store=f"sqlite:///{folder / 'gear.db'}", start=False) as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="test")
        return [(await acme.intent(intent_id)).state for intent_id in intent_ids]


async def events_of(folder: Path, stream: str) -> list[str]:
    """Return the types of what the process recorded in a stream of the tenant, and nothing that came later."""
    async with Switchgear.open(store=f"sqlite:///{folder / 'gear.db'}", start=False) as gear:
        return [read(entry).type for entry in await gear.store.stream("acme", stream)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """SEMANTICS §12: not ready at once, new work refused, what is dispatched ends and is recorded."""
    with serving(tmp_path, seconds=100.0, grace=100.0) as server:
        intent_id = server.submit("k")
        ready = server.stop(number)
        refused = server.client.post("/v1/intents", json=WAIT, headers={"Idempotency-Key": "late"})
        health = server.client.get("/healthz")
        assert (ready.status_code, health.status_code, server.client.get("/livez").status_code) == (503, 503, 200)
        assert (refused.status_code, refused.json()["code"]) == (503, "SHUTTING_DOWN")
        assert (refused.headers["retry-after"], refused.json()["decision"]) == ("1", "defer")
        (tmp_path / "gate").touch()
        assert "in order: True" in server.last_words()
        assert server.process.returncode == 0
    assert await state_of(tmp_path, intent_id) == "succeeded"


async def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """SEMANTICS §12: the second signal does not wait; what was acknowledged is still there."""
    with serving(tmp_path, seconds=60.0) as server:
        intent_id = server.submit("k")
        server.stop()
        server.process.send_signal(signal.SIGTERM)
        assert "in order: False" in server.last_words()
        assert server.process.returncode == 0
    assert await state_of(tmp_path, intent_id) in {"ready", "in_doubt"}


async def test_what_is_claimed_and_not_dispatched_is_given_back(tmp_path: Path) -> None:
    """SEMANTICS §12: what waits for its turn stays ready and is done once, by the next process."""
    with serving(tmp_path, seconds=100.0, grace=100.0) as server:
        first = server.submit("first", "crm.one")
        waiting = [server.accept(f"k{number}", "crm.one") for number in range(20)]
        server.stop()
        (tmp_path / "gate").touch()
        assert "in order: True" in server.last_words()
    assert await states_of(tmp_path, [first, *waiting]) == ["succeeded", *["ready"] * 20]
    assert (tmp_path / "effects").read_text().split() == [first]
    assert await events_of(tmp_path, waiting[0]) == ["intent.accepted"]


@pytest.mark.parametrize("tool", ["mail.send", "crm.block"])
async def test_what_does_not_end_within_the_grace_is_in_doubt_when_the_process_ends(tmp_path: Path, tool: str) -> None:
    """SEMANTICS §12: a bounded wait, then the doubt is on record; a thread that blocks does not hold the end up."""
    with serving(tmp_path, seconds=100.0, grace=0.5) as server:
        intent_id = server.submit("k", tool)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)  # half a second later it may be gone: nobody asks it any more
        assert "in order: True" in server.last_words()
        assert time.monotonic() - started < BOUND
    assert (await events_of(tmp_path, intent_id))[-1] == "intent.in_doubt"
    assert not (tmp_path / "effects").exists()


async def test_a_blocking_tool_does_not_hold_up_a_second_signal(tmp_path: Path) -> None:
    """SEMANTICS §12: now is now, also while a thread cannot be stopped."""
    with serving(tmp_path, seconds=100.0) as server:
        intent_id = server.submit("k", "crm.block")
        server.stop()
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert "in order: False" in server.last_words()
        assert time.monotonic() - started < BOUND
    assert await state_of(tmp_path, intent_id) == "in_doubt"


async def test_what_was_counted_is_flushed(tmp_path: Path) -> None:
    """SEMANTICS §12: refusals that were only counted are on record when the process has ended."""
    with serving(tmp_path, seconds=0.1) as server:
        for _ in range(3):
            assert server.client.post("/v1/intents", json={**WAIT, "tool": "no.such"}).status_code == 404
        server.process.send_signal(signal.SIGTERM)
        assert "in order: True" in server.last_words()
    assert await events_of(tmp_path, "admission") != []


@pytest.mark.parametrize("signals", [1, 2])
async def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(tmp_path: Path, signals: int) -> None:
    """SEMANTICS §12: whatever was answered 202 is on record; a key that is sent again has had one effect at most."""
    with serving(tmp_path, seconds=0.01) as server:
        acknowledged = _stopped_in_a_flood(server, signals)
    states = await states_of(tmp_path, acknowledged)
    assert set(states) <= {"succeeded", "ready", "in_doubt"}
    done = Counter((tmp_path / "effects").read_text().split())
    assert max(done.values()) == 1
    assert {one for one, state in zip(acknowledged, states, strict=True) if state == "succeeded"} <= set(done)


def _stopped_in_a_flood(server: Process, signals: int) -> list[str]:
    """Send signals while submissions pour in, and return what was acknowledged until the end."""
    acknowledged: list[str] = []
    flood = threading.Thread(target=_flood, args=(server.client, acknowledged))
    flood.start()
    while len(acknowledged) < 20:
        time.sleep(0.001)
    for _ in range(signals):
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    server.last_words()
    flood.join(60.0)
    return acknowledged


def _flood(client: httpx2.Client, acknowledged: list[str]) -> None:
    """Submit until the server is gone or refuses; note what it acknowledged."""
    headers = dict(client.headers)
    with httpx2.Client(base_url=client.base_url, headers=headers) as own:
        for number in range(100_000):
            try:
                answer = own.post("/v1/intents", json=WAIT, headers={"Idempotency-Key": f"k{number}"})
            except httpx2.HTTPError:
                return
            if answer.status_code != 202:
                return
            acknowledged.append(answer.json()["id"])


async def test_the_service_manager_hears_of_start_life_and_end(tmp_path: Path) -> None:
    """READY=1 once requests are answered, WATCHDOG=1 while it lives, STOPPING=1 at the signal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60.0)
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with serving(tmp_path, seconds=100.0, grace=100.0, **variables) as server:
            said = _said_until(manager, "READY=1\nSTATUS=ready")
            assert server.client.get("/readyz").status_code == 200
            assert said == ["WATCHDOG=1"] * len(said)
            _said_until(manager, "WATCHDOG=1")
            server.submit("k")
            server.process.send_signal(signal.SIGTERM)
            _said_until(manager, "STOPPING=1\nSTATUS=stopping, for at most 100 s")
            _said_until(manager, "WATCHDOG=1")
            (tmp_path / "gate").touch()
            assert "in order: True" in server.last_words()


def _said_until(manager: socket.socket, wanted: str) -> list[str]:
    """Return what is said before `wanted`."""
    said = []
    while (heard := manager.recv(4096).decode()) != wanted:
        said.append(heard)
    return said
