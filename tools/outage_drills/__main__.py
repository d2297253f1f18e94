"""The command: `python -m tools.outage_drills [--runs N] [--rounds N] [--seed N] [--seconds N] [--page FILE]`.

Carries out so many drills in virtual time, and rounds with real servers, and prints how it goes, then one line with the
result. Exits 1 when a law broke, or when the time did not suffice. A server that is not installed is left out by name.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.outage_drills import laws
from tools.outage_drills.page import page_of
from tools.outage_drills.run import Report, Wish, run_drills, run_real
from tools.outage_drills.servers import missing_programs
from tools.outage_drills.tally import Tally

RUNS = 1_000
ROUNDS = 26
SECONDS_MAX = 900.0
_SEEDS = 1_000_000
_SHOW_EVERY = 50


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    options = _parsed(arguments)
    report = Report(Wish(options.runs, options.rounds, options.seed, options.seconds))
    print(f"seed {options.seed}, {options.runs} drills, {options.rounds} rounds with real servers", flush=True)
    began = time.monotonic()
    run_drills(report.wish, report.drills, _show_drill)
    if options.rounds:
        print(f"left out: {', '.join(missing_programs()) or 'nothing'}", flush=True)
        with tempfile.TemporaryDirectory(prefix="outage-drills-") as folder:
            asyncio.run(run_real(report.wish, report, Path(folder), _show_round))
    report.seconds = time.monotonic() - began
    for words in (*laws.in_words(report.broken), *report.repairs_in_words, report.line):
        print(words)
    if options.page is not None:
        options.page.write_text(page_of(report), encoding="utf-8")
    return 0 if report.ok else 1


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    drawn = random.SystemRandom().randrange(_SEEDS)
    parser = argparse.ArgumentParser(prog="python -m tools.outage_drills", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"drills in virtual time; default {RUNS:,}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds with real servers; default {ROUNDS}")
    parser.add_argument("--seed", type=int, default=drawn, help="default: drawn, and printed")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX, help="begin nothing after so many; default 900")
    parser.add_argument("--page", type=Path, help="also write the page of documentation to this file")
    return parser.parse_args(arguments)


def _show_drill(number: int, tally: Tally) -> None:
    if number % _SHOW_EVERY == 0:
        print(
            f"drill {number:5}  outages {tally.outages:6}  held back in one {tally.in_outage:6}  "
            f"effects {tally.effects:7}  broken {sorted(tally.broken) or 'none'}",
            flush=True,
        )


def _show_round(number: int, fault: str) -> None:
    print(f"round {number:5}  {fault}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
