"""The two janitors of the example in sixteen outages: what each one deletes, and that the page says the same."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.examples.outages import OUTAGES, Outage, Stage, stage
from tests.integration.examples.sessions import LINE_SECONDS_MAX, LIVE, ROOT, Program, started, world

pytestmark = pytest.mark.integration

PAGE = ROOT / "docs" / "how-to" / "run-a-janitor.md"
DELETED = r"^(forgot|ended) "
PAUSED = next(outage for outage in OUTAGES if str(outage) == "redis paused")
_outages = pytest.mark.parametrize("outage", OUTAGES, ids=str)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """Run Redis and the runner with live sessions, behind proxies."""
    with world(tmp_path) as made, stage(made) as staged:
        yield staged


def row_of(outage: Outage) -> list[str]:
    """Return what the page says of an outage: its cells for the naive janitor and for the other one."""
    name = f"`{outage.target}`, {outage.words}"
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    return next(row[1:] for row in rows if row[0] == name)


def lost(scene: Stage, outage: Outage) -> str:
    """Return in words what became of live sessions on the side that had no outage."""
    if outage.target == "api_socket":
        return f"forgot {len(LIVE) - len(scene.world.live_records())} of {len(LIVE)} live sessions"
    return f"ended {len(LIVE) - len(scene.world.live_processes())} of {len(LIVE)} live sessions"


@_outages
def test_the_naive_janitor_deletes_what_is_alive(scene: Stage, outage: Outage) -> None:
    """What the example warns of is real: silence, read as an answer, deletes every live session."""
    with started("naive", scene.words) as naive:
        _wait_for_a_turn_that_deletes_nothing(scene, naive)
        scene.begin(outage)
        until = time.monotonic() + LINE_SECONDS_MAX
        while lost(scene, outage) != row_of(outage)[0]:
            assert time.monotonic() < until, "\n".join((lost(scene, outage), *naive.lines))
            time.sleep(0.05)


def _wait_for_a_turn_that_deletes_nothing(scene: Stage, naive: Program) -> None:
    """Wait until all have answered it in time, so nobody is lost. On a slow machine it has deleted before: it does."""
    for _ in range(100):
        before = naive.wait_for("^turn", after=len(naive.lines))
        scene.world.populate()
        after = naive.wait_for("^turn", after=naive.wait_for("^turn", after=before))
        if not re.search(DELETED, "\n".join(naive.lines[before:after]), re.MULTILINE):
            return
    pytest.fail("\n".join(("it deletes what is alive although all answer:", *naive.lines)))


@_outages
def test_the_guarded_janitor_deletes_nothing_in_an_outage_and_goes_on_after_it(scene: Stage, outage: Outage) -> None:
    """No live session is lost, nothing at all is deleted meanwhile, and what is dead is deleted before and after."""
    with started("janitor", scene.words) as janitor:
        scene.world.add_ended("dead-before")
        scene.world.add_leaver("leaver")
        janitor.wait_for("^forgot dead-before$")
        before = janitor.wait_until_well(outage.target)
        scene.begin(outage)
        held = _hold(scene, outage, janitor, before) if outage.is_seen else _clean(scene, janitor)
        assert f"{lost(scene, outage)}: {held}" == row_of(outage)[1]
        scene.repair(outage)
        scene.world.add_ended("dead-after")
        janitor.wait_for("^forgot dead-after$")
        if not outage.forgets:
            janitor.wait_for("^forgot leaver$")
        assert (scene.world.live_records(), scene.world.live_processes()) == ([*LIVE], [*LIVE])
        assert janitor.stop() == 0


def _hold(scene: Stage, outage: Outage, janitor: Program, before: int) -> str:
    """Let a session end on the other side while the outage lasts: it is held. Return why, as the log says it."""
    seen = janitor.wait_for(f"^{outage.target} is unhealthy", after=before)
    assert re.search(r"next look in [0-9.]+ s( \([0-9]+ like this left out\))?$", janitor.lines[seen - 1])
    if outage.target == "api_socket":
        scene.world.close("leaver")
    else:
        scene.world.runner.ask(op="end", session="leaver")
    proxy = scene.proxies[outage.target]
    looks = proxy.counts.connections + 2
    proxy.wait_until(lambda counts: counts.connections >= looks)
    assert not re.search(DELETED, "\n".join(janitor.lines[seen:]), re.MULTILINE)
    return janitor.lines[seen - 1].partition(",")[0]


def _clean(scene: Stage, janitor: Program) -> str:
    """Let it clean twice with everybody up again, and one of them empty. Return why live sessions stay."""
    for session in ("dead-meanwhile", "dead-later"):
        scene.world.add_ended(session)
        janitor.wait_for(f"^forgot {session}$")
    return "nobody said that they ended"


def test_started_in_an_outage_it_waits(scene: Stage) -> None:
    """What was never seen is not healthy: nothing is deleted before both have answered."""
    scene.world.add_ended("dead")
    scene.world.redis.pause()
    with started("janitor", scene.words) as janitor:
        janitor.wait_for("^redis is unhealthy")
        assert not re.search(DELETED, "\n".join(janitor.lines), re.MULTILINE)
        scene.world.redis.resume()
        janitor.wait_for("^forgot dead$")
    assert scene.world.live_records() == [*LIVE]


def test_stopped_in_an_outage_it_ends_at_once(scene: Stage) -> None:
    """A loop that is paused until who knows when does not keep the program from ending."""
    scene.begin(PAUSED)
    with started("janitor", scene.words) as janitor:
        janitor.wait_for("^redis is unhealthy")
        assert janitor.stop() == 0
    assert not re.search(DELETED, "\n".join(janitor.lines), re.MULTILINE)


def test_a_second_signal_does_not_wait(scene: Stage) -> None:
    """The first signal waits for the session at hand, the second for nothing."""
    with started("janitor", [*scene.words, "--timeout", "10"]) as janitor:
        scene.world.add_ended("dead")
        janitor.wait_for("^forgot dead$")
        scene.world.runner.pause()
        # Of two questions without an answer one is that of a turn: there is one probe at a time.
        scene.proxies["api_socket"].wait_until(lambda counts: counts.open >= 2)
        janitor.process.send_signal(signal.SIGTERM)
        janitor.wait_for("^stopping")
        assert janitor.process.poll() is None
        assert janitor.stop() == -signal.SIGTERM
