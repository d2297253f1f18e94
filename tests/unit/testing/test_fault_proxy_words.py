"""The words of the fault proxy: values that are checked when they are written, and say what they mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from switchgear import OptionError
from switchgear.testing import (
    ConnectionFaults,
    FaultProxy,
    PerDirection,
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
    slow_close,
)
from switchgear.testing.fault_proxy_words import HEALTHY, Fault, each_way, refuses

SWALLOWS = ConnectionFaults(then="swallow")


@pytest.mark.parametrize(
    ("word", "up", "down"),
    [
        (HEALTHY, HEALTHY, HEALTHY),
        (latency(0.2, jitter=0.1), *[ConnectionFaults(latency=0.2, jitter=0.1)] * 2),
        (bandwidth(10), *[ConnectionFaults(bytes_per_second=10)] * 2),
        (corrupt(5), *[ConnectionFaults(corrupt_every_bytes=5)] * 2),
        (slow_close(3.0), *[ConnectionFaults(slow_close=3.0)] * 2),
        (reset(7, share=0.5), *[ConnectionFaults(then="reset", after_bytes=7, share=0.5)] * 2),
        (cut(7), *[ConnectionFaults(then="cut", after_bytes=7)] * 2),
        (cut_mid_answer(7), HEALTHY, ConnectionFaults(then="cut", after_bytes=7)),
        (blackhole(), SWALLOWS, SWALLOWS),
        (half_open(), HEALTHY, SWALLOWS),
        (half_open("up"), SWALLOWS, HEALTHY),
        (partition(), *[ConnectionFaults(then="hold")] * 2),
        (refuse(), *[ConnectionFaults(then="reset")] * 2),
        (ConnectionFaults(refuse=True), HEALTHY, HEALTHY),
        (PerDirection(up=latency(1.0), down=reset()), latency(1.0), reset()),
    ],
)
def test_each_word_says_what_a_direction_meets(word: Fault, up: ConnectionFaults, down: ConnectionFaults) -> None:
    """A word is a value that anybody can write out."""
    assert each_way(word) == PerDirection(up=up, down=down)


@pytest.mark.parametrize(
    ("word", "refused"),
    [(refuse(), True), (ConnectionFaults(refuse=True), True), (reset(), False), (half_open(), False)],
)
def test_only_refuse_stops_listening(word: Fault, *, refused: bool) -> None:
    """Whether anybody listens is said by one option, and by no other."""
    assert refuses(word) is refused


@pytest.mark.parametrize(
    "build",
    [
        lambda: latency(-0.1),
        lambda: latency(0.1, jitter=float("nan")),
        lambda: latency(0.1, share=0),
        lambda: bandwidth(0),
        lambda: corrupt(0),
        lambda: slow_close(float("inf")),
        lambda: reset(-1),
        lambda: reset(share=1.5),
        lambda: cut_mid_answer(0),
        lambda: half_open("left"),  # type: ignore[arg-type] # the wrong word is the point
        lambda: ConnectionFaults(then="explode"),  # type: ignore[arg-type] # as above
        lambda: ConnectionFaults(after_bytes=5),
        lambda: ConnectionFaults(refuse=True, share=0.5),
        lambda: PerDirection(up=refuse()),
        lambda: PerDirection(down=half_open()),  # type: ignore[arg-type] # the wrong type is the point
        lambda: each_way("down"),  # type: ignore[arg-type] # as above
        lambda: FaultProxy(("127.0.0.1", 70_000)),
        lambda: FaultProxy(("127.0.0.1", True)),
        lambda: FaultProxy(""),
        lambda: FaultProxy(7),  # type: ignore[arg-type] # as above
        lambda: FaultProxy("/a.sock", connections_max=0),
        lambda: FaultProxy("/a.sock", buffer_bytes_max=0),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_written(build: Callable[[], object]) -> None:
    """A fault that says nothing, or something impossible, never reaches a proxy."""
    with pytest.raises(OptionError):
        build()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "example.org", ""])  # noqa: S104 - refused
def test_a_proxy_listens_on_loopback_only(host: str) -> None:
    """Nobody else on the network can reach what stands behind a proxy, not even by a name that resolves elsewhere."""
    with pytest.raises(OptionError, match="loopback"):
        FaultProxy("/a.sock", listen=(host, 0))


def test_a_fault_shows_what_was_given() -> None:
    """The text of a failed test says which fault it was, and nothing beside it."""
    assert repr(latency(0.2)) == "ConnectionFaults(latency=0.2)"
    assert repr(HEALTHY) == "ConnectionFaults()"


def test_the_seed_is_shown() -> None:
    """A run can be repeated from what a failed test prints, also when the seed was drawn."""
    drawn = FaultProxy("/a.sock")
    assert f"seed={drawn.seed}" in repr(drawn)
    assert FaultProxy("/a.sock", seed=7).seed == 7


def test_a_proxy_that_is_not_open_has_no_address() -> None:
    """Who asks too early is told what to write, on both doors, and a question is never left hanging."""
    with pytest.raises(SimulationError, match="async with"):
        _ = FaultProxy("/a.sock").address
    with pytest.raises(SimulationError, match="in_thread"):
        FaultProxy.in_thread("/a.sock").heal()
