"""Each fault of the proxy on real sockets, TCP and unix: what both ends see of it, and what they do not."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from switchgear.testing import (
    ConnectionFaults,
    PerDirection,
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
    slow_close,
)
from switchgear.testing.fault_proxy_words import HEALTHY, Fault
from tests.integration.fault_proxy.ends import Ends, ends_of, how_connecting_ends, how_it_ends, is_silent, receive

pytestmark = pytest.mark.integration

LATE_SECONDS = 0.05
FAR_TOO_LATE_SECONDS = 3_600.0


@pytest.fixture(params=["tcp", "unix"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of socket on both sides."""
    return str(request.param)


@pytest.fixture
def ends(kind: str, tmp_path: Path) -> Iterator[Ends]:
    """A healthy proxy before an upstream."""
    with ends_of(kind, tmp_path) as opened:
        yield opened


def seconds_of(act: Callable[[], object]) -> float:
    """Return how long it took."""
    start = time.monotonic()
    act()
    return time.monotonic() - start


def reset_on(kind: str) -> str:
    """Return what a reader sees of a reset: a unix socket has none, and ends."""
    return "reset" if kind == "tcp" else "end"


# --- healthy ---


def test_a_healthy_proxy_changes_nothing(ends: Ends) -> None:
    """Bytes pass both ways, and each side may end its own direction alone."""
    client, server = ends.both()
    client.sendall(b"ask")
    assert receive(server, 3) == b"ask"
    server.sendall(b"part")
    client.shutdown(socket.SHUT_WR)
    assert how_it_ends(server) == "end"
    server.sendall(b" two")
    server.close()
    assert receive(client, 9) == b"part two"
    counts = ends.proxy.wait_until(lambda counts: counts.open == 0)
    assert (counts.connections, counts.bytes_up, counts.bytes_down, counts.resets) == (1, 3, 8, 0)


def test_much_passes_in_order_through_a_small_buffer(kind: str, tmp_path: Path) -> None:
    """More than all buffers hold arrives unchanged, the sender being held back meanwhile."""
    data = bytes(range(256)) * 20_000
    with ends_of(kind, tmp_path, buffer_bytes_max=1_000) as ends:
        client, server = ends.both()
        client.settimeout(0)
        sent, received = 0, b""
        while sent < len(data):
            try:
                sent += client.send(data[sent:])
            except BlockingIOError:
                received += server.recv(100_000)
        assert received + receive(server, len(data) - len(received)) == data


def test_what_was_received_has_been_counted(ends: Ends) -> None:
    """Who has bytes in hand finds them in the counts, without waiting."""
    client, server = ends.both()
    for number in range(1, 50):
        client.sendall(b"x")
        assert receive(server, 1) == b"x"
        assert ends.proxy.counts.bytes_up == number


def test_a_reset_of_one_side_reaches_the_other(ends: Ends, kind: str) -> None:
    """What a real server does by a reset, it does through a proxy too."""
    client, server = ends.both()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    assert how_it_ends(client) == reset_on(kind)


# --- time ---


def test_latency_delays_each_direction(ends: Ends) -> None:
    """A round trip takes at least twice the latency."""
    client, server = ends.both()
    ends.proxy.fault = latency(LATE_SECONDS, jitter=0.01)

    def round_trip() -> None:
        client.sendall(b"ask")
        server.sendall(receive(server, 3))
        assert receive(client, 3) == b"ask"

    assert seconds_of(round_trip) >= 2 * LATE_SECONDS


def test_latency_of_one_direction_leaves_the_other_alone(ends: Ends) -> None:
    """What goes up at once may come down late."""
    client, server = ends.both()
    ends.proxy.fault = PerDirection(down=latency(FAR_TOO_LATE_SECONDS))
    client.sendall(b"ask")
    server.sendall(receive(server, 3))
    assert is_silent(client)


def test_bandwidth_is_kept(ends: Ends) -> None:
    """A thousand bytes at ten thousand a second take at least a tenth of a second."""
    client, server = ends.both()
    ends.proxy.fault = bandwidth(10_000)

    def send() -> None:
        client.sendall(bytes(1_000))
        assert len(receive(server, 1_000)) == 1_000

    assert seconds_of(send) >= 0.09


def test_a_slow_close_keeps_the_reader_waiting(ends: Ends) -> None:
    """Bytes are there at once, the end comes late."""
    client, server = ends.both()
    ends.proxy.fault = slow_close(LATE_SECONDS)
    start = time.monotonic()
    server.sendall(b"all")
    server.close()
    assert receive(client, 3) == b"all"
    assert how_it_ends(client) == "end"
    assert time.monotonic() - start >= LATE_SECONDS


# --- ends ---


def test_a_reset_ends_both_sides_at_once(ends: Ends, kind: str) -> None:
    """A live connection is torn down when the fault is set, without waiting for bytes."""
    client, server = ends.both()
    ends.proxy.fault = reset()
    assert (how_it_ends(client), how_it_ends(server)) == (reset_on(kind), reset_on(kind))
    assert ends.proxy.wait_until(lambda counts: counts.open == 0).resets == 1


def test_a_reset_of_new_connections_never_reaches_the_upstream(ends: Ends, kind: str) -> None:
    """Who connects under `reset()` is accepted and reset, and the upstream knows nothing of it."""
    ends.proxy.fault = reset()
    assert how_connecting_ends(ends) == reset_on(kind)
    ends.proxy.heal()
    client, server = ends.both()
    client.sendall(b"first")
    assert receive(server, 5) == b"first"


def test_a_reset_after_bytes_lets_exactly_those_pass(ends: Ends, kind: str) -> None:
    """The reader gets the bytes before the reset, and none after."""
    client, server = ends.both()
    ends.proxy.fault = PerDirection(down=reset(4))
    server.sendall(b"answer")
    assert receive(client, 4) == b"answ"
    assert how_it_ends(client) == reset_on(kind)


def test_an_answer_is_cut_in_the_middle(ends: Ends) -> None:
    """The reader sees an end in order where more should have come; the request went up whole."""
    client, server = ends.both()
    ends.proxy.fault = cut_mid_answer(3)
    client.sendall(b"question")
    assert receive(server, 8) == b"question"
    server.sendall(b"answer")
    assert receive(client, 10) == b"ans"


def test_a_cut_closes_both_sides_in_order(ends: Ends) -> None:
    """Both read an end."""
    client, server = ends.both()
    ends.proxy.fault = cut()
    assert (how_it_ends(client), how_it_ends(server)) == ("end", "end")


# --- silence ---


def test_a_blackhole_accepts_and_swallows(ends: Ends, kind: str) -> None:
    """Both ends send into nothing and are told nothing; afterwards the connection that lost bytes is reset."""
    client, server = ends.both()
    ends.proxy.fault = blackhole()
    client.sendall(b"lost")
    server.sendall(b"as well")
    ends.proxy.wait_until(lambda counts: (counts.lost_bytes_up, counts.lost_bytes_down) == (4, 7))
    assert is_silent(client)
    assert is_silent(server)
    ends.proxy.heal()
    assert how_it_ends(client) == reset_on(kind)


def test_a_new_connection_into_a_blackhole_is_made_and_stays_silent(ends: Ends) -> None:
    """To connect proves nothing."""
    ends.proxy.fault = blackhole()
    client = ends.connect()
    client.sendall(b"ping")
    ends.proxy.wait_until(lambda counts: counts.lost_bytes_up == 4)
    assert is_silent(client)


def test_a_blackhole_may_begin_after_bytes(ends: Ends) -> None:
    """What comes before is passed, what comes after is lost in silence."""
    client, server = ends.both()
    ends.proxy.fault = PerDirection(up=blackhole(3))
    client.sendall(b"ask me")
    assert receive(server, 3) == b"ask"
    ends.proxy.wait_until(lambda counts: counts.lost_bytes_up == 3)
    assert is_silent(server)


def test_a_half_open_connection_carries_requests_and_loses_answers(ends: Ends) -> None:
    """The request arrives and is carried out; the client never learns, not even that the server has closed."""
    client, server = ends.both()
    ends.proxy.fault = half_open()
    client.sendall(b"delete")
    assert receive(server, 6) == b"delete"
    server.sendall(b"done")
    server.close()
    ends.proxy.wait_until(lambda counts: counts.lost_bytes_down == 4)
    assert is_silent(client)


def test_the_other_half_may_be_the_dead_one(ends: Ends) -> None:
    """With `half_open("up")` requests are lost and the server never learns that its client has gone."""
    client, server = ends.both()
    ends.proxy.fault = half_open("up")
    server.sendall(b"event")
    assert receive(client, 5) == b"event"
    client.sendall(b"ack")
    client.close()
    ends.proxy.wait_until(lambda counts: counts.lost_bytes_up == 3)
    assert is_silent(server)


def test_a_partition_loses_nothing(ends: Ends) -> None:
    """What was sent meanwhile, and the end behind it, arrive when it is over."""
    client, server = ends.both()
    ends.proxy.fault = partition()
    client.sendall(b"kept")
    client.shutdown(socket.SHUT_WR)
    assert is_silent(server)
    ends.proxy.heal()
    assert receive(server, 10) == b"kept"


# --- the rest ---


def test_corruption_changes_bytes_and_says_nothing(ends: Ends) -> None:
    """As many bytes arrive as were sent, and every fourth is another."""
    client, server = ends.both()
    ends.proxy.fault = corrupt(4)
    client.sendall(bytes(8))
    assert [byte != 0 for byte in receive(server, 8)] == [False, False, False, True] * 2


def test_refuse_is_a_server_that_was_killed(ends: Ends, kind: str) -> None:
    """Who is connected is reset, who connects is refused; healed, it listens at the same address."""
    client, _ = ends.both()
    before = ends.proxy.address
    ends.proxy.fault = refuse()
    assert how_it_ends(client) == reset_on(kind)
    with pytest.raises(ConnectionRefusedError):
        ends.connect()
    ends.proxy.fault = refuse()  # said twice, it means the same
    ends.proxy.heal()
    again, server = ends.both()
    again.sendall(b"back")
    assert receive(server, 4) == b"back"
    assert ends.proxy.address == before


def test_refusing_alone_leaves_connections_alone(ends: Ends) -> None:
    """A server that stopped listening still serves whom it has."""
    client, server = ends.both()
    ends.proxy.fault = ConnectionFaults(refuse=True)
    with pytest.raises(ConnectionRefusedError):
        ends.connect()
    client.sendall(b"still")
    assert receive(server, 5) == b"still"


def test_a_dead_upstream_is_seen_as_a_reset(ends: Ends, kind: str) -> None:
    """The proxy has accepted before it knows; it says so by a reset, and counts it."""
    ends.upstream.close()
    assert how_connecting_ends(ends) == reset_on(kind)
    assert ends.proxy.wait_until(lambda counts: counts.unreachable == 1).connections == 1


def test_healing_releases_what_was_delayed(ends: Ends) -> None:
    """Live connections switch at once: bytes that had an hour to go arrive now."""
    client, server = ends.both()
    ends.proxy.fault = latency(FAR_TOO_LATE_SECONDS)
    client.sendall(b"now")
    assert is_silent(server)
    ends.proxy.heal()
    assert receive(server, 3) == b"now"


def test_a_share_strikes_the_same_connections_for_the_same_seed(kind: str, tmp_path: Path) -> None:
    """Which connections are struck depends on the seed and their number alone."""

    def struck(folder: Path) -> list[bool]:
        folder.mkdir()
        with ends_of(kind, folder, fault=PerDirection(down=cut(1, share=0.5))) as ends:
            found = []
            for _ in range(12):
                client, server = ends.both()
                server.sendall(b"ok")
                server.close()
                found.append(receive(client, 2) == b"o")
            return found

    first = struck(tmp_path / "a")
    assert first == struck(tmp_path / "b")
    assert {True, False} == set(first)


def test_one_more_than_the_bound_is_reset_and_counted(kind: str, tmp_path: Path) -> None:
    """A proxy holds at most so many connections, and who is turned away can be told from the counts."""
    with ends_of(kind, tmp_path, connections_max=1) as ends:
        client, server = ends.both()
        assert how_connecting_ends(ends) == reset_on(kind)
        assert ends.proxy.wait_until(lambda counts: counts.turned_away == 1).open == 1
        client.sendall(b"mine")
        assert receive(server, 4) == b"mine"
        client.close()
        server.close()
        ends.proxy.wait_until(lambda counts: counts.open == 0)
        ends.both()


@pytest.mark.parametrize("fault", [HEALTHY, blackhole(), partition(), half_open(), latency(FAR_TOO_LATE_SECONDS)])
def test_a_sender_is_held_back_by_the_bound_or_its_bytes_are_lost(kind: str, tmp_path: Path, fault: Fault) -> None:
    """A proxy never holds more than its buffers, whatever the fault: who sends for ever blocks, or is swallowed."""
    with ends_of(kind, tmp_path, fault=fault, buffer_bytes_max=1_000) as ends:
        client, _ = ends.both()
        client.settimeout(0.1)
        sent = 0
        try:
            while sent < 64_000_000:
                sent += client.send(bytes(1_000_000))
        except TimeoutError:
            assert sent < 64_000_000
        assert ends.proxy.counts.bytes_up < 64_000_000
        assert sent < 64_000_000 or fault == blackhole()
