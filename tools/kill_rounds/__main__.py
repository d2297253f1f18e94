"""The command: `python -m tools.kill_rounds [--rounds N] [--seed N] [--seconds N] [--folder DIR] [--page FILE]`.

Kills an engine so many times and prints how it goes, then one line with the result. Exits 1 when a law broke, or when
the time did not suffice. The folder keeps the store and the logs of a run that failed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.kill_rounds import laws
from tools.kill_rounds.page import page_of
from tools.kill_rounds.rounds import Report, Run, Wish, run_rounds

ROUNDS = 200
SECONDS_MAX = 900.0
_SEEDS = 1_000_000


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    options = _parsed(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kill-rounds-"))
    folder.mkdir(parents=True, exist_ok=True)
    wish = Wish(options.rounds, options.seed, folder, options.seconds)
    print(f"seed {wish.seed}, {wish.rounds} rounds, in {folder}", flush=True)
    report = asyncio.run(run_rounds(wish, _show))
    for words in laws.in_words(report.broken):
        print(words)
    print(report.line)
    if options.page is not None:
        options.page.write_text(page_of(report), encoding="utf-8")
    _tidy(report, kept=options.folder is not None)
    return 0 if report.ok else 1


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    drawn = random.SystemRandom().randrange(_SEEDS)
    parser = argparse.ArgumentParser(prog="python -m tools.kill_rounds", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--seed", type=int, default=drawn, help="default: drawn, and printed")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX, help="begin no round after so many; default 900")
    parser.add_argument("--folder", type=Path, help="an empty folder for store and logs; default: one that is removed")
    parser.add_argument("--page", type=Path, help="also write the page of documentation to this file")
    return parser.parse_args(arguments)


def _show(number: int, run: Run) -> None:
    print(
        f"round {number:4}  kills {run.kills.total():4}  acknowledged {len(run.callers.acknowledged):6}  "
        f"entries {run.chains.entries:7}  cut off {len(run.cut_off):5}  broken {sorted(run.broken) or 'none'}",
        flush=True,
    )


def _tidy(report: Report, *, kept: bool) -> None:
    """Remove the folder of a run in which every law held."""
    if report.ok and not kept:
        shutil.rmtree(report.wish.folder)
    else:
        print(f"store and logs are in {report.wish.folder}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
