"""The command line: `make bench`, `make bench ARGS=--quick`, `make bench ARGS=--write`."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.calls import FULL, QUICK, Roster, measure_calls, roster
from benchmarks.durable.runner import ENGINES, measure_durable
from benchmarks.hand_written import LIBRARY as BY_HAND
from benchmarks.machine import machine_facts
from benchmarks.report import Run, markdown, summary

_ROOT = Path(__file__).resolve().parents[1]
_README = _ROOT / "README.md"
_PAGE = _ROOT / "docs" / "reference" / "benchmarks.md"


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for and print it. Return 0."""
    options = _parser().parse_args(arguments)
    run = _measure(options)
    page = markdown(run)
    print(json.dumps(run.as_dict(), indent=2) if options.json else page)
    if options.write:
        _PAGE.write_text(page, encoding="utf-8")
        _README.write_text(_with_figures(_README.read_text(encoding="utf-8"), summary(run)), encoding="utf-8")
        print("written to docs/reference/benchmarks.md and README.md", file=sys.stderr)
    return 0


def _with_figures(text: str, figures: str) -> str:
    """Return `text` with what stands between its two marks replaced. Raises `ValueError` when a mark is missing."""
    begin = text.index("\n", text.index("<!-- benchmarks: begin")) + 1
    end = text.index("<!-- benchmarks: end")
    return f"{text[:begin]}\n{figures}\n{text[end:]}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description="Switchgear beside its peers, in one run.")
    parser.add_argument("--quick", action="store_true", help="a rough look in under 30 seconds")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--write", action="store_true", help="write docs/reference/benchmarks.md and the README")
    parser.add_argument("--only", choices=("calls", "durable"), help="measure one of the two tables")
    return parser


def _measure(options: argparse.Namespace) -> Run:
    logging.getLogger("switchgear").setLevel(logging.ERROR)  # breakers are opened on purpose
    gc.freeze()  # what was imported is not searched for garbage again and again
    machine = machine_facts()
    entrants = roster()
    return Run(
        machine=machine,
        versions=_versions(entrants),
        missing=entrants.missing,
        calls=() if options.only == "durable" else measure_calls(entrants, QUICK if options.quick else FULL),
        durable=None if options.only == "calls" else measure_durable(quick=options.quick),
        quick=options.quick,
    )


def _versions(entrants: Roster) -> Mapping[str, str]:
    named = {contender.library for row in entrants.by_row.values() for contender in row}
    named |= {engine.library for engine in ENGINES.values()}
    return {name: _version(name) for name in sorted(named - {BY_HAND})}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
