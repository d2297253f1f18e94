"""The fault proxy from entering to leaving: nothing outlives it, whatever it did to connections."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from switchgear.testing import (
    FaultProxy,
    SimulationError,
    bandwidth,
    blackhole,
    corrupt,
    cut,
    cut_mid_answer,
    half_open,
    latency,
    partition,
    refuse,
    reset,
    run_simulated,
    slow_close,
)
from switchgear.testing.errors import OutsideSimulation
from switchgear.testing.fault_proxy_words import HEALTHY, Fault
from tests.integration.fault_proxy.ends import ends_of, how_it_ends, listening, receive

pytestmark = pytest.mark.integration

EVERY_FAULT: tuple[Fault, ...] = (
    HEALTHY,
    latency(0.001, jitter=0.002),
    bandwidth(50_000),
    corrupt(10),
    slow_close(0.001),
    reset(20),
    cut(20),
    cut_mid_answer(20),
    blackhole(20),
    half_open(),
    partition(),
    refuse(),
    reset(share=0.5),
)


@asynccontextmanager
async def echo_server() -> AsyncIterator[tuple[str, int]]:
    """Run a server that sends back what it gets, and give its address."""
    running: set[asyncio.Task[None]] = set()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1_000):
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(echo(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


async def talk(port: int) -> None:
    """Ask and listen for a moment, whatever becomes of it."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(0.02):
                for _ in range(10):
                    writer.write(b"question")
                    await reader.read(8)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def open_files() -> int:
    """Return how many file descriptors are open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def storm(seed: int) -> None:
    """Let many talk while the fault is switched again and again."""
    draws = Random(seed)
    async with echo_server() as address, FaultProxy(address, seed=seed) as proxy:
        for _ in range(15):
            talking = asyncio.gather(*(talk(proxy.port) for _ in range(4)))
            for _ in range(3):
                await asyncio.sleep(0)
                proxy.fault = draws.choice(EVERY_FAULT)
            await talking


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_outlives_a_proxy(seed: int) -> None:
    """After leaving there is no task and no open file descriptor more than before, whatever the faults were."""
    await storm(100)  # what is opened once and kept, such as selectors, is open now
    before = open_files()
    await storm(seed)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert open_files() == before


async def test_every_fault_can_follow_every_other() -> None:
    """No order of faults leaves a proxy that does not heal."""
    async with echo_server() as address, FaultProxy(address) as proxy:
        for first in EVERY_FAULT:
            for second in EVERY_FAULT:
                proxy.fault = first
                proxy.fault = second
        proxy.heal()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"well")
        assert await reader.readexactly(4) == b"well"
        writer.close()


async def test_no_timer_outlives_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switching and leaving forget the timers of what was delayed, so that none pile up."""
    loop = asyncio.get_running_loop()
    far: list[asyncio.TimerHandle] = []
    is_waiting = asyncio.Event()
    call_at = loop.call_at

    def recorded(when: float, callback: Callable[..., object]) -> asyncio.TimerHandle:
        timer = call_at(when, callback)
        if when > loop.time() + 60.0:
            far.append(timer)
            is_waiting.set()
        return timer

    monkeypatch.setattr(loop, "call_at", recorded)
    async with echo_server() as address, FaultProxy(address, fault=latency(3_600.0)) as proxy:
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"late")
        await is_waiting.wait()
        for number in range(5):
            proxy.fault = latency(3_601.0 + number)
        assert [timer.cancelled() for timer in far] == [True] * 5 + [False]
        writer.close()
    assert all(timer.cancelled() for timer in far)


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=repr)
def test_leaving_ends_every_connection(fault: Fault, tmp_path: Path) -> None:
    """Who is still connected at the end is told, whatever the fault was."""
    with ExitStack() as stack:
        with ends_of("tcp", tmp_path) as ends:
            clients = [ends.connect() for _ in range(3)]
            ends.proxy.wait_until(lambda counts: counts.open == 3)
            for client in clients:
                ends.opened.remove(client)
                stack.enter_context(client)
            ends.proxy.fault = fault
        assert all(how_it_ends(client) in {"end", "reset"} for client in clients)
        assert ends.proxy.counts.open == 0


async def test_a_connection_being_made_ends_with_its_proxy(tmp_path: Path) -> None:
    """Leaving waits for no upstream that does not accept."""
    upstream, address = listening("unix", tmp_path)
    upstream.listen(0)
    with upstream, ExitStack() as stack:
        async with FaultProxy(address) as proxy:
            for _ in range(4):  # more than fit into the queue of the upstream
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(0)
                client.connect(proxy.path)
            await proxy.wait_until(lambda counts: counts.connections == 4)
        assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_thread_ends_with_its_proxy(tmp_path: Path) -> None:
    """Blocking code leaves no thread behind."""
    with ends_of("tcp", tmp_path):
        assert any(one.name.startswith("fault-proxy") for one in threading.enumerate())
    assert not any(one.name.startswith("fault-proxy") for one in threading.enumerate())


# --- where it listens ---


def test_a_path_of_its_own_is_removed(tmp_path: Path) -> None:
    """A proxy before a unix socket makes a folder for its own, and takes it away again."""
    with FaultProxy.in_thread(tmp_path / "up.sock") as proxy:
        path = Path(proxy.path)
        assert path.is_socket()
        proxy.fault = refuse()
        assert path.is_socket()
    assert not path.parent.exists()


def test_a_given_path_is_removed_and_its_folder_kept(tmp_path: Path) -> None:
    """Only what the proxy made is taken away."""
    with FaultProxy.in_thread(("127.0.0.1", 1), listen=tmp_path / "proxy.sock") as proxy:
        assert proxy.address == str(tmp_path / "proxy.sock")
        with pytest.raises(SimulationError, match="no port"):
            _ = proxy.port
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_an_address_that_is_taken_is_an_error_and_left_alone(kind: str, tmp_path: Path) -> None:
    """A proxy never takes the place of somebody else."""
    other, address = listening(kind, tmp_path)
    with other, pytest.raises(OSError, match="in use"):
        FaultProxy.in_thread("/nobody.sock", listen=address).__enter__()
    assert kind == "tcp" or Path(str(address)).is_socket()


async def test_kinds_may_differ(tmp_path: Path) -> None:
    """A unix socket may stand before a TCP server, and IPv6 is loopback too where there is any."""
    async with echo_server() as address, FaultProxy(address, listen=tmp_path / "p.sock") as proxy:
        reader, writer = await asyncio.open_unix_connection(proxy.path)
        writer.write(b"both")
        assert await reader.readexactly(4) == b"both"
        writer.close()
    with suppress(OSError):  # a machine may have no IPv6
        async with FaultProxy(("::1", 1), listen=("::1", 0)) as proxy:
            assert proxy.address == ("::1", proxy.port)


async def test_a_proxy_is_entered_once() -> None:
    """A second time would mix up what was counted."""
    proxy = FaultProxy(("127.0.0.1", 1))
    async with proxy:
        with pytest.raises(SimulationError, match="once"):
            await proxy.__aenter__()
        with pytest.raises(SimulationError, match="no path"):
            _ = proxy.path
    proxy.fault = latency(1.0)  # says nothing any more, and does no harm


# --- what it tells ---


async def test_an_error_in_the_block_has_the_seed() -> None:
    """Who reads a failure knows how to repeat it."""
    with pytest.raises(ZeroDivisionError) as one:
        async with FaultProxy(("127.0.0.1", 1), seed=41):
            raise ZeroDivisionError
    assert "seed=41" in one.value.__notes__[0]


def test_an_error_in_a_blocking_block_has_the_seed() -> None:
    """The same from a thread."""
    proxy = FaultProxy.in_thread(("127.0.0.1", 1), seed=41)
    assert "seed=41" in repr(proxy)
    with pytest.raises(ZeroDivisionError) as one, proxy:
        raise ZeroDivisionError
    assert "seed=41" in one.value.__notes__[0]


async def test_waiting_for_what_never_comes_ends_and_says_what_is_there() -> None:
    """A test that waits in vain fails with the counts."""
    async with FaultProxy(("127.0.0.1", 1)) as proxy:
        with pytest.raises(TimeoutError, match="connections=0"):
            await proxy.wait_until(lambda counts: counts.connections > 0, timeout=0.01)


def test_what_was_counted_stays_readable(tmp_path: Path) -> None:
    """Counts and address are for after the block as well."""
    with ends_of("unix", tmp_path) as ends:
        client, server = ends.both()
        client.sendall(b"x")
        assert receive(server, 1) == b"x"
    assert (ends.proxy.counts.bytes_up, ends.proxy.counts.open) == (1, 0)


def test_a_simulation_has_no_real_sockets() -> None:
    """In simulated time a proxy says that it does not belong there."""

    async def main() -> None:
        async with FaultProxy(("127.0.0.1", 1)):
            pytest.fail("it was entered")

    with pytest.raises(OutsideSimulation):
        run_simulated(main())
