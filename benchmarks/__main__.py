"""The command line: `make bench`, with ARGS= one of --quick, --write, --check-ratios and what --help lists."""

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
from benchmarks.durable.growth_report import growth, growth_of, with_growth
from benchmarks.durable.runner import ENGINES, measure_durable, measure_growth
from benchmarks.hand_written import LIBRARY as BY_HAND
from benchmarks.machine import machine_facts
from benchmarks.regression import THOROUGH, WORSE_MAX, check, measure_ratios, read_record, write_record
from benchmarks.report import Run, markdown, summary

_ROOT = Path(__file__).resolve().parents[1]
_README = _ROOT / "README.md"
_PAGE = _ROOT / "docs" / "reference" / "benchmarks.md"
_ONLY = "measure one table; that of growth is measured in no other way, since a million actions take minutes"


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for and print it. Return 0, or 1 when a ratio got worse."""
    options = _parser().parse_args(arguments)
    if options.check_ratios or options.write_ratios:
        return _check_ratios() if options.check_ratios else _write_ratios()
    run = _measure(options)
    page = markdown(run)
    print(json.dumps(run.as_dict(), indent=2) if options.json else page)
    if options.write:
        _write(run)
    return 0


def _write(run: Run) -> None:
    """Write the page and the README. What growth costs is kept there by other runs, and written alone by its own."""
    before = _PAGE.read_text(encoding="utf-8")
    if run.growth is not None:
        _PAGE.write_text(with_growth(before, growth(run.growth, run.machine)), encoding="utf-8")
        print("written to docs/reference/benchmarks.md", file=sys.stderr)
        return
    page, kept = markdown(run), growth_of(before)
    _PAGE.write_text(with_growth(page, kept) if kept else page, encoding="utf-8")
    _README.write_text(_with_figures(_README.read_text(encoding="utf-8"), summary(run)), encoding="utf-8")
    print("written to docs/reference/benchmarks.md and README.md", file=sys.stderr)


def _check_ratios() -> int:
    """Hold our ratios to the floors against the recorded ones. Return 1 when a row got worse."""
    _settle_down()
    found = check(read_record(), THOROUGH)
    for one in found:
        print(one)
    print(f"{len(found)} got worse by more than {WORSE_MAX - 1:.0%}" if found else "no row got worse")
    return 1 if found else 0


def _write_ratios() -> int:
    _settle_down()
    machine = machine_facts()
    write_record(measure_ratios(THOROUGH), machine)
    print("written to benchmarks/ratios.json")
    return 0


def _settle_down() -> None:
    logging.getLogger("switchgear").setLevel(logging.ERROR)  # breakers are opened on purpose
    gc.freeze()  # what was imported is not searched for garbage again and again


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
    parser.add_argument("--only", choices=("calls", "durable", "growth"), help=_ONLY)
    ratios = parser.add_mutually_exclusive_group()
    ratios.add_argument("--check-ratios", action="store_true", help="fail when a row got dearer beside one by hand")
    ratios.add_argument("--write-ratios", action="store_true", help="write what --check-ratios holds rows against")
    return parser


def _measure(options: argparse.Namespace) -> Run:
    _settle_down()
    machine = machine_facts()
    entrants = roster()
    return Run(
        machine=machine,
        versions=_versions(entrants),
        missing=entrants.missing,
        calls=measure_calls(entrants, QUICK if options.quick else FULL) if options.only in (None, "calls") else (),
        durable=measure_durable(quick=options.quick) if options.only in (None, "durable") else None,
        growth=measure_growth(quick=options.quick) if options.only == "growth" else None,
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
