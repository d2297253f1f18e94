"""The raw client counts whole answers only, and never waits for a connection that is gone."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.durable.rest_client import Connection, Pool, RestError, post
from tests.turns import turns

_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nserver: x\r\n\r\n{"a":1}'


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True


async def _asked() -> tuple[Connection, asyncio.Task[bytes]]:
    connection = Connection()
    connection.connection_made(_Transport())
    asking = asyncio.create_task(connection.ask(b"request"))
    await turns()
    return connection, asking


@pytest.mark.parametrize("size", [1, 5, len(_ANSWER)])
async def test_an_answer_is_whole_in_whatever_pieces_it_comes(size: int) -> None:
    """The body is given once its length is here, not before; the next answer begins anew."""
    connection, asking = await _asked()
    for _ in range(2):
        for at in range(0, len(_ANSWER), size):
            assert not asking.done()
            connection.data_received(_ANSWER[at : at + size])
        assert await asking == b'{"a":1}'
        asking = asyncio.create_task(connection.ask(b"request"))
        await turns()
    asking.cancel()


@pytest.mark.parametrize("head", [b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_any_other_answer_is_an_error(head: bytes) -> None:
    """202 means that the outcome is not known: it must not count as an action."""
    connection, asking = await _asked()
    connection.data_received(head)
    with pytest.raises(RestError, match="not 200"):
        await asking


async def test_a_connection_that_is_lost_ends_the_wait() -> None:
    """Who waits for an answer hears that none will come; who asks afterwards as well."""
    connection, asking = await _asked()
    connection.connection_lost(None)
    with pytest.raises(RestError, match="was lost"):
        await asking
    connection.close()
    with pytest.raises(RestError, match="before the request"):
        await connection.ask(b"request")


async def test_a_connection_that_was_closed_while_idle_is_replaced() -> None:
    """The server closes what is idle for long; the next request goes over a new connection."""
    made: list[tuple[Connection, _Transport]] = []

    async def connect() -> Connection:
        made.append((Connection(), _Transport()))
        made[-1][0].connection_made(made[-1][1])
        return made[-1][0]

    async with Pool(connect, 1) as pool:
        made[0][1].close()
        asking = asyncio.create_task(pool.ask(b"request"))
        await turns(3)
        made[1][0].data_received(_ANSWER)
        assert await asking == b'{"a":1}'
    assert [transport.written for _, transport in made] == [b"", b"request"]
    assert made[1][1].closing


def test_a_request_says_how_long_its_body_is() -> None:
    """The server must know where it ends."""
    request = post("/path", {"Prefer": "wait=1"}, b"{}")
    assert request.startswith(b"POST /path HTTP/1.1\r\n")
    assert request.endswith(b"Prefer: wait=1\r\nContent-Length: 2\r\n\r\n{}")
