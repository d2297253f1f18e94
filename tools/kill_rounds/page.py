"""Writes the page of documentation that holds the last long run, from the template beside this file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from importlib.resources import files
from string import Template

from tools.kill_rounds import laws
from tools.kill_rounds.rounds import Report
from tools.machine import machine_line

TEMPLATE = "page.md"


def page_of(report: Report) -> str:
    """Return the page for `report`, with the machine that it ran on."""
    template = Template(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    broken = (
        "none." if not report.broken else "\n\n" + "\n".join(f"- {words}" for words in laws.in_words(report.broken))
    )
    return template.substitute(
        table=_table(report),
        broken=broken,
        machine=f"{machine_line()}, SQLite {sqlite3.sqlite_version}",
        seed=report.wish.seed,
    )


def _table(report: Report) -> str:
    counts = {
        "rounds": f"{report.rounds} of {report.wish.rounds}",
        "kills": report.kills,
        "of them before the engine was ready": report.kills_before_ready,
        "actions acknowledged": report.acknowledged,
        "**acknowledged and lost**": f"**{len(report.broken.get('lost', ()))}**",
        "**doubled**": f"**{len(report.broken.get('doubled', ()))}**",
        "repeats of what was never answered": report.repeated,
        "answers that said to try later": report.put_off,
        "requests at the remote": report.requests,
        "effects at the remote": report.effects,
        "attempts cut off by a kill": report.cut_off,
        "of them opaque": report.cut_off_opaque,
        "in doubt at the end, of all tools": report.in_doubt,
        "ledger entries": report.entries,
        "seconds": round(report.seconds),
    }
    return "\n".join(_rows(counts.items()))


def _rows(counts: Iterable[tuple[str, object]]) -> Iterable[str]:
    yield "| what | count |"
    yield "|---|---:|"
    for what, count in counts:
        yield f"| {what} | {f'{count:,}' if isinstance(count, int) else count} |"
