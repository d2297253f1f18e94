"""Starts each engine, or the growth of ours, in a process of its own, within a bound, and collects what it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contenders import OURS
from benchmarks.durable.disk import syncs_per_second
from benchmarks.durable.driver import Figures
from benchmarks.durable.grown import Grown

IN_FLIGHT = 64
ENGINE_SECONDS_MAX = 60.0
GROWTH_SECONDS_MAX = 1_800.0
ON_UVLOOP = f"{OURS} on uvloop"
OVER_REST = f"{OURS} over REST"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Entrant:
    """An engine's module, its library, and bursts that it gets through in a few seconds: full and quick.

    The module has `opening`, which opens the engine in a folder; and `run`, where its loop is not asyncio's own.
    """

    module: str
    library: str
    burst: int
    burst_quick: int


ENGINES: Mapping[str, Entrant] = {
    OURS: Entrant("ours", "switchgear", 10_000, 2_000),
    ON_UVLOOP: Entrant("ours_on_uvloop", "switchgear", 10_000, 2_000),
    OVER_REST: Entrant("rest", "switchgear", 4_000, 500),
    "DBOS": Entrant("dbos_engine", "dbos", 500, 100),
    "huey": Entrant("huey_engine", "huey", 3_000, 300),
}


@dataclass(frozen=True, slots=True)
class DurableResult:
    """Figures by engine, why others have none, and the disk's own bound."""

    figures: list[Figures]
    failures: dict[str, str] = field(default_factory=dict)
    disk_syncs_per_second: float = 0.0


def measure_durable(*, quick: bool) -> DurableResult:
    """Run every engine, one after the other, on the disk that holds this clone."""
    cache = _ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    figures: list[Figures] = []
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=cache, prefix="bench-", ignore_cleanup_errors=True) as folder:
        syncs = syncs_per_second(Path(folder), 0.3 if quick else 1.0)
        for name in ENGINES:
            try:
                figures.append(_run(name, Path(folder), quick=quick))
            except (subprocess.SubprocessError, ValueError) as error:
                failures[name] = _reason(error)
    return DurableResult(figures, failures, syncs)


def measure_growth(*, quick: bool) -> Grown:
    """Grow a store on the disk that holds this clone. Progress goes to standard error.

    The store stays while the growth is not at its end, so that the next run goes on there. Raises `SubprocessError`
    when it failed, or took too long.
    """
    folder = _ROOT / ".cache" / ("bench-growth-quick" if quick else "bench-growth")
    much = ("--actions", "10000", "--open", "500") if quick else ()
    command = [sys.executable, "-m", "benchmarks.durable.growth", str(folder), *much]
    finished = subprocess.run(
        command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=GROWTH_SECONDS_MAX
    )
    shutil.rmtree(folder)
    return Grown.of(json.loads(finished.stdout.splitlines()[-1]))


def _run(name: str, folder: Path, *, quick: bool) -> Figures:
    entrant = ENGINES[name]
    place = folder / entrant.module
    place.mkdir()
    burst = entrant.burst_quick if quick else entrant.burst
    seconds = 1.0 if quick else 6.0
    command = [sys.executable, "-m", "benchmarks.durable", name, str(place), *map(str, (burst, seconds, IN_FLIGHT))]
    finished = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, check=True, timeout=ENGINE_SECONDS_MAX
    )
    return Figures(**json.loads(finished.stdout.splitlines()[-1]))


def _reason(error: Exception) -> str:
    """Return the last line that the process wrote, or what went wrong with it."""
    lines = (getattr(error, "stderr", None) or "").strip().splitlines()
    return lines[-1] if lines else str(error)
