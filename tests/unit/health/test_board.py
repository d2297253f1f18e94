"""The board: every dependency of a process, read and told from any thread."""

from __future__ import annotations

import logging
import threading

import pytest

from switchgear.core.errors import OptionError
from switchgear.health import telling
from switchgear.health.board import DEPENDENCIES_MAX, HealthBoard
from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Polarity, Source
from switchgear.health.schedule import BreakerView
from switchgear.health.standing import Health
from switchgear.health.telling import HealthChanged
from switchgear.testing import VirtualClock

REDIS = Dependency("redis", kind="redis", critical=True, jitter=0.0)


def _board() -> tuple[HealthBoard, VirtualClock]:
    clock = VirtualClock()
    return HealthBoard([REDIS], clock=clock), clock


def _see(board: HealthBoard, signs: str) -> None:
    for sign in signs:
        board.observe("redis", Polarity.POSITIVE if sign == "+" else Polarity.ABSENT, Source.PROBE)


def test_what_was_never_declared_is_unknown() -> None:
    """Reading never raises: nothing is known, and nothing vouches."""
    standing = _board()[0].standing("postgres")
    assert (standing.state, standing.vouches, standing.reason) == (Health.UNKNOWN, False, "not declared")


def test_observing_what_was_never_declared_is_refused() -> None:
    """A mistyped name must not be observed into the void."""
    with pytest.raises(OptionError, match=r"board\.declare"):
        _board()[0].observe("reddis", "positive", "probe")


def test_a_name_means_one_dependency() -> None:
    """The same declaration again is nothing; another one of that name is refused."""
    board, _ = _board()
    board.declare(REDIS)
    with pytest.raises(OptionError, match="declared already"):
        board.declare(Dependency("redis", kind="redis"))
    assert board.names == ("redis",)
    assert board.dependency("redis") is REDIS


def test_a_board_is_bounded() -> None:
    """There is a named maximum, and what is above it is refused with a code."""
    board = HealthBoard(Dependency(f"d{n}", kind="tcp") for n in range(DEPENDENCIES_MAX))
    with pytest.raises(OptionError, match=f"{DEPENDENCIES_MAX}") as refused:
        board.declare(REDIS)
    assert refused.value.code == "INVALID_CONFIGURATION"


def test_a_reader_sees_staleness_at_its_very_moment() -> None:
    """What is kept for readers never outlives the freshness."""
    board, clock = _board()
    _see(board, "++")
    clock.advance(30.0 - 2**-7)
    assert board.standing("redis").vouches
    clock.advance(2**-8)
    assert board.standing("redis").vouches
    clock.advance(2**-8)
    assert board.standing("redis").state is Health.UNKNOWN


def test_a_reader_sees_an_observation_at_once() -> None:
    """What is kept for readers ends with the next observation."""
    board, _ = _board()
    _see(board, "++")
    assert board.standing("redis").vouches
    _see(board, "-")
    assert not board.standing("redis").vouches


def test_reading_again_makes_nothing_new() -> None:
    """Within a hundredth of a second readers share one record."""
    board, clock = _board()
    _see(board, "++")
    first = board.standing("redis")
    clock.advance(0.009)
    assert board.standing("redis") is first
    clock.advance(0.002)
    assert board.standing("redis").age == pytest.approx(0.011)
    assert board.standings() == (board.standing("redis"),)


def test_every_change_is_told_in_order() -> None:
    """Listeners hear each change of state with its reason, moment and next look."""
    board, clock = _board()
    board.plan_probes("redis")
    told: list[HealthChanged] = []
    stop = board.subscribe(told.append)
    _see(board, "++---")
    assert [(event.before, event.after) for event in told] == [
        (Health.UNKNOWN, Health.RECOVERING),
        (Health.RECOVERING, Health.HEALTHY),
        (Health.HEALTHY, Health.UNHEALTHY),
    ]
    last = told[-1]
    assert (last.name, last.critical, last.reason, last.retry_after) == ("redis", True, "probes: no answer", 10.0)
    assert (last.at, last.monotonic) == (clock.time(), clock.monotonic())
    stop()
    _see(board, "+")
    assert len(told) == 3


def test_what_time_changes_is_told_by_elapse() -> None:
    """Nobody has to observe for a silence to be told, with the moment at which it began."""
    board, clock = _board()
    _see(board, "++")
    told: list[HealthChanged] = []
    board.subscribe(told.append)
    assert board.elapse() == pytest.approx(30.0)
    clock.advance(31.0)
    board.standing("redis")
    assert told == []
    assert board.elapse() == float("inf")
    assert [(event.after, clock.monotonic() - event.monotonic) for event in told] == [(Health.UNKNOWN, 1.0)]


def test_an_observation_is_as_old_as_it_says() -> None:
    """What is reported late does not count as of now, and what is too old does not count."""
    board, _ = _board()
    board.observe("redis", "positive", "probe", age=5.0)
    board.observe("redis", "positive", "call", age=30.0)
    assert board.standing("redis").age == 5.0
    assert board.dependency("redis").freshness == 30.0


def test_an_observation_is_dated_by_when_it_was_made() -> None:
    """A process that stands still between the question and the telling makes nothing younger, and nothing is newer."""
    board, clock = _board()
    asked = board.now()
    clock.advance(5.0)
    board.observe("redis", "positive", "probe", at=asked)
    assert board.standing("redis").age == 5.0
    board.observe("redis", "positive", "probe", at=board.now() + 9.0)
    assert board.standing("redis").age == 0.0


def test_who_listens_twice_leaves_twice() -> None:
    """Leaving takes one subscription, not all of the same listener."""
    board, _ = _board()
    told: list[HealthChanged] = []
    note = told.append
    leave, _ = board.subscribe(note), board.subscribe(note)
    leave()
    leave()
    _see(board, "+")
    assert len(told) == 1


def test_events_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a listener is slow, so many events wait at most; the oldest give way, and are counted."""
    monkeypatch.setattr(telling, "EVENTS_MAX", 3)
    board, _ = _board()
    told: list[HealthChanged] = []

    def stall(event: HealthChanged) -> None:
        told.append(event)
        if len(told) == 1:
            _see(board, "-+-+-+")

    board.subscribe(stall)
    _see(board, "+")
    assert (len(told), board.events_dropped) == (4, 3)


def test_a_raising_listener_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted each time and logged once; the others hear everything."""
    board, _ = _board()
    told: list[HealthChanged] = []

    def explode(event: HealthChanged) -> None:
        raise ValueError("broken")

    board.subscribe(explode)
    board.subscribe(told.append)
    _see(board, "++---")
    assert (len(told), board.listener_errors) == (3, 3)
    assert sum("broken" in record.getMessage() for record in caplog.records) == 1


def test_a_listener_may_observe() -> None:
    """What a listener observes is told after the event that it hears, to all."""
    board, _ = _board()
    board.declare(Dependency("sessions", kind="function"))
    told: list[str] = []

    def follow(event: HealthChanged) -> None:
        if event.name == "redis" and event.after is Health.UNHEALTHY:
            for _ in range(3):
                board.observe("sessions", "absent", "call")

    board.subscribe(follow)
    board.subscribe(lambda event: told.append(f"{event.name} {event.after}"))
    _see(board, "---")
    assert told == ["redis unhealthy", "sessions unhealthy"]


def test_log_lines_are_throttled_and_events_are_not(caplog: pytest.LogCaptureFixture) -> None:
    """A dependency that flaps fills no log: the line says how many were left out, and when it is looked at again."""
    board, clock = _board()
    board.plan_probes("redis")
    told: list[HealthChanged] = []
    board.subscribe(told.append)
    with caplog.at_level(logging.INFO, "switchgear.health"):
        for _ in range(10):
            _see(board, "+-")
        clock.advance(6.0)
        _see(board, "+-")
    lines = [record.getMessage() for record in caplog.records]
    assert len(told) == 22
    assert len(lines) == 4
    assert lines[0] == "redis is recovering, was unknown: probes: 1 of 2 right answers in a row; next look in 1 s"
    assert lines[-1].startswith(
        "redis is unhealthy (flapping), was recovering: probes: no answer; next look in 10 s (9"
    )


def test_the_last_line_of_the_log_is_true(caplog: pytest.LogCaptureFixture) -> None:
    """A second outage soon after the first is in the log as well, a little later; the log never ends with "healthy"."""
    board, clock = _board()
    board.plan_probes("redis")
    with caplog.at_level(logging.INFO, "switchgear.health"):
        _see(board, "---++---")
        assert caplog.messages[-1].startswith("redis is healthy")
        assert board.elapse() == 5.0
        clock.advance(5.0)
        board.elapse()
        late = "redis is unhealthy, was healthy: probes: no answer; next look in 5 s"
        assert caplog.messages[-1] == late
        board.elapse()
        assert caplog.messages.count(late) == 1


def test_what_is_over_is_not_written_late(caplog: pytest.LogCaptureFixture) -> None:
    """Of the changes that were left out only the last one still holds; the others are counted."""
    board, clock = _board()
    with caplog.at_level(logging.INFO, "switchgear.health"):
        _see(board, "---++---++")
        clock.advance(5.0)
        board.elapse()
        assert [line.partition(":")[0] for line in caplog.messages] == [
            "redis is unhealthy, was unknown",
            "redis is recovering, was unhealthy",
            "redis is healthy, was recovering",
            "redis is healthy, was recovering",
        ]
        _see(board, "---")
        assert caplog.messages[-1].endswith("(1 like this left out)")


def test_the_breaker_says_when_nobody_probes() -> None:
    """Without a prober, the end of the breaker's cooldown is when it is looked at again."""
    board, _ = _board()
    board.watch_breaker("redis", lambda: BreakerView("open", 7.0))
    _see(board, "---")
    assert board.standing("redis").retry_after == 7.0
    board.watch_breaker("redis", None)
    _see(board, "-")
    assert board.standing("redis").retry_after is None
    assert board.probe_in("redis") == float("inf")


def test_threads_observe_and_read_together() -> None:
    """However many threads observe and read, events stay in order and no reader fails."""
    board, _ = _board()
    told: list[HealthChanged] = []
    board.subscribe(told.append)
    start = threading.Barrier(4)

    def work(signs: str) -> None:
        start.wait(timeout=60)
        for _ in range(100):
            _see(board, signs)
            board.standing("redis")

    threads = [threading.Thread(target=work, args=(signs,)) for signs in ("++", "---", "+-", "-")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert [event.before for event in told] == [Health.UNKNOWN, *(event.after for event in told[:-1])]
    assert told[-1].after is board.standing("redis").state
