"""Writes the page of documentation that holds the last long run, from the template beside this file."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from importlib.resources import files
from string import Template

from tools.machine import machine_line
from tools.outage_drills import laws
from tools.outage_drills.faults import FAULTS
from tools.outage_drills.paths import PATHS
from tools.outage_drills.run import Report
from tools.outage_drills.tally import Tally, combinations

TEMPLATE = "page.md"
NOT_MEASURED = "No long run has been written down yet. The command above writes one."


def page_of(report: Report | None) -> str:
    """Return the page for `report`, with the machine that it ran on; without figures for None."""
    template = Template(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    last = NOT_MEASURED if report is None else _last_run(report)
    return template.substitute(faults=_faults(), paths=_paths(), last=last)


def _last_run(report: Report) -> str:
    broken = list(laws.in_words(report.broken))
    words = "none." if not broken else "\n\n" + "\n".join(f"- {one}" for one in broken)
    parts = [f"Measured on {machine_line()}. Seed {report.wish.seed}.", _table(report), f"Laws that broke: {words}"]
    if report.repairs:
        parts += ["From a repair until healthy, with real servers:", _repairs(report)]
    return "\n\n".join(parts)


def _table(report: Report) -> str:
    real, drills = report.rounds, report.drills
    tried = len(combinations()) - len(report.untried)
    counts: dict[str, tuple[object, object]] = {
        "drills, rounds": (f"{drills.drills} of {report.wish.drills}", f"{real.drills} of {report.wish.rounds}"),
        "outages": (drills.outages, real.outages),
        "combinations of fault, dependency and path": (f"{tried} of {len(combinations())}", len(real.tried)),
        "destroyed": (drills.effects, real.effects),
        "**destroyed when it was forbidden**": (f"**{_wrong(drills)}**", f"**{_wrong(real)}**"),
        "destroyed before anybody could know": (drills.unnoticed, real.unnoticed),
        "the latest of these, of what is allowed": (f"{drills.blind:.0%}", f"{real.blind:.0%}"),
        "held back": (drills.refusals, real.refusals),
        "held back in an outage": (drills.in_outage, real.in_outage),
        "findings that confirmed nothing": (drills.inferred, real.inferred),
        "the same with the gate and without": (drills.compared, ""),
        "until healthy again, median, of what is allowed": (_median(drills), _median(real)),
    }
    lines = ["| what | virtual time | real servers |", "|---|---:|---:|"]
    lines += [f"| {what} | {_number(one)} | {_number(other)} |" for what, (one, other) in counts.items()]
    return "\n".join([*lines, f"| seconds, of both | {round(report.seconds)} | |"])


def _wrong(tally: Tally) -> int:
    return sum(len(found) for law, found in tally.broken.items() if law not in {"late", "held for nothing", "changed"})


def _median(tally: Tally) -> str:
    return f"{statistics.median(tally.repaired):.0%}" if tally.repaired else ""


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _repairs(report: Report) -> str:
    return "\n".join(f"- {words}" for words in report.repairs_in_words)


def _faults() -> str:
    return "\n".join(_fault_rows())


def _fault_rows() -> Iterable[str]:
    yield "| fault | before real servers | a right answer in time | who can meet it |"
    yield "|---|---|---|---|"
    for name, fault in FAULTS.items():
        wire = "" if fault.wire is None else f"`{fault.wire}`"
        kinds = ", ".join(sorted(str(kind) for kind in fault.kinds))
        yield f"| {name} | {wire} | {'never' if fault.breaks else 'some'} | {kinds} |"


def _paths() -> str:
    return "\n".join(f"- {name}" for name in PATHS)
