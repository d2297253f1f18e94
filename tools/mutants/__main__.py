"""The command: `python -m tools.mutants [MODULE ...] [--jobs N]`. Prints survivors, then a table of scores by module.

A MODULE is a module below `src/switchgear` without its ending, such as `policies/retry`, or a folder of them; default:
core and policies. Exits 1 when fewer than 95 of 100 mutants were noticed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import hypothesis.stateful
import pytest_asyncio  # noqa: F401 - loaded once, before the forks
from hypothesis import Phase

from tools.mutants.running import Result, results_of
from tools.mutants.selection import reach_of

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
ROOMS = ("core", "policies")
TESTS = ("unit/core/test_*.py", "unit/policies/test_*.py")
MODELS = ("core", "breaker", "faults", "levels", "rate_limit", "retry_budget", "shedding")
SCORE_MIN = 0.95
_NOTICED = ("killed", "timeout")


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    options = _parsed(arguments)
    modules = {_name_of(file): file for room in options.modules for file in _files_of(room)}
    files = list(_test_files())
    phases = [Phase.explicit, Phase.generate]
    hypothesis.settings.register_profile("mutants", database=None, deadline=None, derandomize=True, phases=phases)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        reach = pool.apply(reach_of, (files, list(modules.values())))
    results = list(_shown(results_of(modules, reach, files, options.jobs)))
    return _report(modules, results)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(ROOMS), help="such as policies/retry, or core")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once; default 1")
    return parser.parse_args(arguments)


def _files_of(room: str) -> list[Path]:
    """Return the modules that a path means. Raises `SystemExit` when there are none."""
    path = SOURCE / "switchgear" / room
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    if not all(file.is_file() for file in files):
        raise SystemExit(f"there is no module {room!r} below src/switchgear")
    return files


def _name_of(file: Path) -> str:
    *folders, last = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(folders if last == "__init__" else [*folders, last])


def _test_files() -> Iterator[str]:
    patterns = (*TESTS, *(f"property/test_{model}_*.py" for model in MODELS))
    for pattern in patterns:
        yield from (str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").glob(pattern)))


def _shown(results: Iterator[Result]) -> Iterator[Result]:
    for result in results:
        if result.fate not in _NOTICED:
            print(f"{result.fate:9} {result.module}:{result.line}: {result.what}", flush=True)
        yield result


def _report(names: Iterable[str], results: Sequence[Result]) -> int:
    """Print the table, and return the exit code."""
    tried = Counter(result.module for result in results)
    noticed = Counter(result.module for result in results if result.fate in _NOTICED)
    print("\n| module | mutants | noticed | score |\n|---|---:|---:|---:|")
    for name in filter(tried.__getitem__, names):
        print(_row(f"`{name.removeprefix('switchgear.')}`", tried[name], noticed[name]))
    print(_row("all", len(results), noticed.total()))
    return 0 if noticed.total() >= SCORE_MIN * len(results) else 1


def _row(name: str, tried: int, noticed: int) -> str:
    return f"| {name} | {tried} | {noticed} | {100 * noticed / max(1, tried):.1f} % |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
