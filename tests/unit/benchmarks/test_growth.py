"""A store that grows is measured at each power of ten, once, and a run that was cut short goes on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.durable import growth
from benchmarks.durable.grown import Cost, Grown
from benchmarks.durable.growth import OutOfTimeError, Wish, grow
from benchmarks.durable.starting import Start

_SMALL = Wish(actions=1_000, groups=(1, 3), left_open=5, a_round=2)
_NO_TIME = Wish(actions=1_000, groups=(1, 3), a_round=2, seconds_max=0.0)


def _folders(where: Path) -> list[Path]:
    return [path for path in where.iterdir() if path.is_dir()]


async def test_growth_is_measured_over_each_group(tmp_path: Path) -> None:
    """One cost for each group at each power of ten; by then each tenant has acted once beyond what was asked for."""
    grown = Grown()
    await grow(tmp_path, _SMALL, grown)
    assert [(cost.recorded, cost.tenants) for cost in grown.costs] == [(1_004, 1), (1_004, 3)]
    assert grown.recorded == 1_004 + 2 * 8 * 2
    assert all(cost.cpu_us > 0 and cost.p50_ms <= cost.p99_ms for cost in grown.costs)


async def test_each_group_has_a_young_store_of_its_own_to_be_compared_with(tmp_path: Path) -> None:
    """It holds the first actions of that group alone, its tenants have acted as often, and nothing of it is left."""
    grown = Grown()
    await grow(tmp_path, _SMALL, grown)
    assert [cost.young_recorded for cost in grown.costs] == [1_001, 1_003]
    assert [cost.beside_young for cost in grown.costs] == [c.young_per_second / c.per_second for c in grown.costs]
    assert not _folders(tmp_path)


async def test_a_run_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    """What is on record and what is measured stays; the next run does the rest."""
    with pytest.raises(OutOfTimeError):
        await grow(tmp_path, _NO_TIME, Grown.read(tmp_path))
    await grow(tmp_path, _SMALL, Grown.read(tmp_path))
    grown = Grown.read(tmp_path)
    await grow(tmp_path, _NO_TIME, grown)  # there is nothing left to do
    assert len(grown.costs) == 2


async def test_nothing_is_filled_without_room_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark does not fill the disk."""
    monkeypatch.setattr(growth, "BYTES_AN_ACTION_MAX", 10**15)
    with pytest.raises(OSError, match="GB are free"):
        await grow(tmp_path, _SMALL, Grown())


def test_what_was_measured_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """A result is the same before and after its file."""
    cost = Cost(
        recorded=1,
        tenants=2,
        per_second=3.0,
        p50_ms=4.0,
        p99_ms=5.0,
        cpu_us=6.0,
        young_recorded=7,
        young_per_second=8.0,
    )
    start = Start(cached=True, queued=1, seconds=2.0, open_seconds=1.0, read_mb=0.0)
    grown = Grown(costs=[cost], starts=[start], memory_mb={"1": 2.0}, file_bytes=3, recorded=4)
    grown.write(tmp_path)
    assert Grown.read(tmp_path) == grown == Grown.of(asdict(grown))
