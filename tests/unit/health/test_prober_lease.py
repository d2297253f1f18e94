"""The lease of several processes: one holds it, and the others never believe what may be old."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from switchgear.health.evidence import Polarity
from switchgear.health.prober_lease import FILE_BYTES_MAX, REPORTS_KEPT, FileLease, Report
from switchgear.testing import VirtualClock

PONG = Report("redis", Polarity.POSITIVE, "pong", 0.25)


class Pair:
    """Who leads, and who follows."""

    def __init__(self, folder: Path) -> None:
        """Share a path and a clock."""
        self.clock = VirtualClock()
        self.leader, self.follower = (FileLease(folder / "lease", clock=self.clock) for _ in range(2))
        self.file = folder / "lease.reports"
        assert self.leader.acquire()

    def rewrite(self, text: str, mode: int = 0o600) -> None:
        """Put another file in the place of the reports."""
        self.file.unlink(missing_ok=True)
        self.file.write_text(text, encoding="utf-8")
        self.file.chmod(mode)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Return two that share a lease; the first one has it."""
    return Pair(tmp_path)


def test_one_holds_it(pair: Pair) -> None:
    """Asking again changes nothing; giving it back lets the other one have it."""
    assert pair.leader.acquire()
    assert not pair.follower.acquire()
    pair.leader.release()
    pair.leader.release()
    assert pair.follower.acquire()
    assert not pair.leader.acquire()


def test_a_fork_does_not_inherit_it(pair: Pair) -> None:
    """A child asks for itself, and does not keep the lock beyond the life of its parent."""
    child = os.fork()
    if child == 0:
        os._exit(int(pair.leader.acquire()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pair.leader.acquire()


def test_what_was_there_before_is_not_believed(pair: Pair) -> None:
    """The file of a process that is dead says nothing to one that starts."""
    pair.leader.publish(PONG)
    pair.clock.advance(1.0)
    assert pair.follower.news() == []
    assert pair.follower.news() == []
    pair.leader.publish(PONG)
    pair.clock.advance(0.5)
    (found,) = pair.follower.news()
    assert found.report == PONG
    assert found.age == pytest.approx(0.75)


def test_news_is_as_old_as_it_may_be(pair: Pair) -> None:
    """It is dated by the last look, when it was not there, and by what the file says, whichever is older."""
    pair.follower.news()
    pair.clock.advance(7.0)
    pair.leader.publish(PONG)
    assert [found.age for found in pair.follower.news()] == [7.0]
    pair.clock.advance(1.0)
    pair.leader.publish(Report("redis", Polarity.POSITIVE, "late", 20.0))
    assert [found.age for found in pair.follower.news()] == [20.0]


def test_a_file_that_appears_late_is_old(pair: Pair) -> None:
    """A leader that was paused while it wrote cannot make an old answer young: the file has its date."""
    pair.follower.news()
    pair.leader.publish(PONG)
    kept = pair.file.read_bytes()
    pair.file.unlink()
    written = pair.clock.time()
    pair.clock.advance(3_600.0)
    pair.follower.news()
    pair.file.write_bytes(kept)
    pair.file.chmod(0o600)
    os.utime(pair.file, (written, written))
    assert [found.age for found in pair.follower.news()] == [pytest.approx(3_600.25)]


def test_a_clock_set_back_makes_nothing_young(pair: Pair) -> None:
    """The wall clock can make news older, never younger."""
    pair.follower.news()
    pair.clock.advance(7.0)
    pair.leader.publish(PONG)
    pair.clock.jump_wall(-10_000.0)
    assert [found.age for found in pair.follower.news()] == [7.0]


def test_nothing_is_told_twice_and_streaks_survive(pair: Pair) -> None:
    """Several reports between two looks come in order, each once, the latest ten at least."""
    pair.follower.news()
    for number in range(REPORTS_KEPT + 5):
        pair.leader.publish(Report("redis", Polarity.ABSENT, str(number), 0.0))
    pair.leader.publish(Report("nats", Polarity.POSITIVE, "", 0.0))
    told = [found.report.detail for found in pair.follower.news()]
    assert told == [*(str(number) for number in range(5, REPORTS_KEPT + 5)), ""]
    assert pair.follower.news() == []


def test_another_leader_begins_anew(pair: Pair) -> None:
    """Numbers of the one before do not hide what the next one says."""
    pair.follower.news()
    for _ in range(3):
        pair.leader.publish(PONG)
    assert len(pair.follower.news()) == 3
    pair.leader.release()
    third = FileLease(pair.file.with_name("lease"), clock=pair.clock)
    assert third.acquire()
    third.publish(PONG)
    assert len(pair.follower.news()) == 1


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2, "by": "a", "reports": []}', '{"version": 1, "by": "a", "reports": [[1]]}']
    + [json.dumps({"version": 1, "by": "a", "reports": [[1, age, "r", "positive", "", 0]]}) for age in (-1, "x")],
)
def test_a_broken_file_says_nothing(pair: Pair, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, and the next good one is read again."""
    pair.follower.news()
    pair.rewrite(text)
    assert pair.follower.news() == pair.follower.news() == []
    assert len(caplog.records) == 1
    pair.leader.publish(PONG)
    assert len(pair.follower.news()) == 1


def test_a_file_of_others_says_nothing(pair: Pair, tmp_path: Path) -> None:
    """Who may write the file could have anything destroyed: others may not, and links are not followed."""
    good = json.dumps({"version": 1, "by": "a", "reports": [[1, 0.0, "redis", "positive", "", 0.0]]})
    pair.follower.news()
    pair.rewrite(good, 0o666)
    assert pair.follower.news() == []
    pair.rewrite(good + " " * FILE_BYTES_MAX)
    assert pair.follower.news() == []
    pair.file.unlink()
    (tmp_path / "elsewhere").write_text(good, encoding="utf-8")
    pair.file.symlink_to(tmp_path / "elsewhere")
    assert pair.follower.news() == []


def test_a_full_disk_does_not_end_the_prober(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """Reports that cannot be written are logged once; this process goes on."""
    pair.file.mkdir()
    pair.leader.publish(PONG)
    pair.leader.publish(PONG)
    assert ["cannot be written" in record.getMessage() for record in caplog.records] == [True]
    pair.file.rmdir()
    pair.leader.publish(PONG)
    assert pair.file.is_file()


def test_a_clock_that_is_set_back_makes_no_report_younger(pair: Pair) -> None:
    """A report of an hour ago, written anew by a new holder, is an hour old whatever the wall clock says."""
    pair.follower.news()
    pair.leader.publish(PONG)
    pair.clock.advance(3_600.0)
    pair.follower.news()
    pair.leader.release()
    assert pair.leader.acquire()
    pair.leader.publish(PONG)
    pair.clock.jump_wall(-3_600.0)
    pair.clock.advance(1.0)
    assert max(found.age for found in pair.follower.news()) >= 3_600.0


def test_a_look_that_failed_dates_nothing(pair: Pair) -> None:
    """What is new after a look that saw nothing may be as old as the look before it."""
    pair.follower.news()
    pair.clock.advance(20.0)
    pair.rewrite("half a rep")
    pair.follower.news()
    pair.leader.publish(PONG)
    pair.clock.jump_wall(-60.0)
    pair.clock.advance(1.0)
    assert [found.age >= 20.0 for found in pair.follower.news()] == [True]
