"""A destructive tool that is declared in a file and reached over HTTP: with the gate red no byte of it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from switchgear import Switchgear
from switchgear.execution.contract import Call
from switchgear.execution.destruction import AttemptPermits

pytestmark = pytest.mark.integration

_FILE = """
[store]
url = "memory://"

[connectors.vault]
kind = "http"
base_url = "http://127.0.0.1:{port}"

[dependencies.vault]
kind = "function"
probe = false
down_after = 1

[tools."vault.delete"]
connector = "vault"
method = "DELETE"
path = "/items/7"
effect = "opaque"
destructive = true
"""


@asynccontextmanager
async def remote() -> AsyncIterator[tuple[int, list[str]]]:
    """Run a server that notes the request lines it gets; return its port and what it noted."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if line := await reader.readline():
            asked.append(line.decode().split(" HTTP")[0])
            while (await reader.readline()).strip():
                pass
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


@asynccontextmanager
async def opened(folder: Path, port: int) -> AsyncIterator[Switchgear]:
    """Open a gear with the tool, whose dependency is down."""
    file = folder / "switchgear.toml"
    file.write_text(_FILE.format(port=port))
    async with Switchgear.open(file, start=False) as gear:
        gear.health.observe("vault", "negative", "probe")
        yield gear


def well(gear: Switchgear) -> None:
    """Have the vault vouch."""
    for _ in range(2):
        gear.health.observe("vault", "positive", "probe")


async def test_no_byte_of_a_declared_tool_leaves_with_the_gate_red(tmp_path: Path) -> None:
    """Law 5 for declarative tools: in the outage nothing connects; once all vouch, one request comes."""
    async with remote() as (port, asked), opened(tmp_path, port) as gear:
        ann = gear.acting_as(tenant="acme", account="main", actor="person:ann")
        intent = await ann.submit("vault.delete", {}, key="k")
        await gear.run_until_idle(timeout=60)
        assert ((await intent.refresh()).code, asked) == ("DESTRUCTIVE_BLOCKED", [])
        well(gear)
        await (await ann.intent(intent.id)).replay(mode="resume", reason="it is back")
        await gear.run_until_idle(timeout=60)
        assert ((await intent.refresh()).state, asked) == ("succeeded", ["DELETE /items/7"])


@pytest.mark.parametrize("tool", ["vault.delete", "vault.block"])
async def test_what_turns_red_while_an_attempt_waits_stops_it_before_it_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    """After the wait for a connection or a thread the gate is asked again: nothing is sent, and it is held."""
    ask = AttemptPermits.check_leaving
    done: list[str] = []

    async with remote() as (port, asked), opened(tmp_path, port) as gear:

        @gear.tool("vault.block", destructive=True)
        def block(_call: Call) -> None:
            done.append("vault.block")

        def turned_red(permits: AttemptPermits) -> None:
            gear.health.observe("vault", "negative", "probe")
            ask(permits)

        monkeypatch.setattr(AttemptPermits, "check_leaving", turned_red)
        well(gear)
        ann = gear.acting_as(tenant="acme", account="main", actor="person:ann")
        intent = await ann.submit(tool, {}, key="k")
        await gear.run_until_idle(timeout=60)
        view = await intent.refresh()
        assert (view.state, view.code, view.attempts) == ("held", "DESTRUCTIVE_BLOCKED", 0)
        assert (asked, done) == ([], [])
        assert [event.type for event in await intent.events()].count("intent.dispatched") == 1
