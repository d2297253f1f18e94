"""What the drawing of several commands shares: tables, states, moments, entries of the ledger.

Takes the JSON that REST answered with; prints, decides nothing. What one subject alone draws is in its own module.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from switchgear.core.moments import moment_text

View = Mapping[str, Any]

STATE_STYLES: Mapping[str, str] = {
    "succeeded": "green",
    "failed": "red",
    "in_doubt": "bold magenta",
    "reconciling": "magenta",
    "needs_operator": "bold magenta",
    "dead_lettered": "red",
    "cancelled": "yellow",
    "expired": "yellow",
    "held": "cyan",
    "dispatched": "cyan",
    "ready": "cyan",
    "closed": "green",
    "open": "bold red",
    "half_open": "yellow",
    "healthy": "green",
    "degraded": "yellow",
    "recovering": "yellow",
    "unhealthy": "bold red",
    "unknown": "bold red",
}

_WIDE = 120
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def styled(state: str) -> str:
    """Return a state in its colour, as markup."""
    style = STATE_STYLES.get(state)
    return f"[{style}]{escape(state)}[/]" if style else escape(state)


def moment(seconds: float | None) -> str:
    """Return a moment, seconds since the epoch, as it is written everywhere; empty for None."""
    return "" if seconds is None else moment_text(seconds)


def span(seconds: float) -> str:
    """Return a span of time in words, its two largest units: ``12 h 46 min``, ``4 s``, ``250 ms``."""
    if 0.0 < seconds < 1.0:
        return f"{math.ceil(seconds * 1000)} ms"
    left = math.ceil(seconds)
    words: list[str] = []
    for unit, size in _UNITS:
        amount, left = divmod(left, size)
        if amount or words:
            words.append(f"{amount} {unit}" if amount else "")
    return " ".join(word for word in words[:2] if word) or "0 s"


def counted(number: int, noun: str, *, plural: str = "") -> str:
    """Return a number of things: ``1 action``, ``2 actions``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def times(number: int) -> str:
    """Return how often something happened: ``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `whole` values are never folded; one that is `spare` needs a wide console."""

    heading: str
    whole: bool = False
    spare: bool = False


def table(console: Console, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print rows of markup under headings that never fold, or `empty` when there are none.

    Below 120 characters the spare columns are left out, so that the others have their place.
    """
    shown = [column.heading for column in columns if console.width >= _WIDE or not column.spare]
    gap = 2 if console.width >= _WIDE else 1
    drawn = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold dim")
    for column in columns:
        if column.heading in shown:
            fewest = len(column.heading)
            drawn.add_column(column.heading, overflow="fold", no_wrap=column.whole, min_width=fewest)
    for row in rows:
        drawn.add_row(*(cell for column, cell in zip(columns, row, strict=True) if column.heading in shown))
    console.print(drawn if drawn.row_count else f"[dim]{escape(empty)}[/]")


def draw_more(console: Console, page: View) -> None:
    """Print how a list goes on, and what is damaged and was left out of it; nothing where there is neither."""
    if damaged := page.get("unreadable"):
        lost = f"{counted(len(damaged), 'record')} left out, being damaged: {', '.join(map(escape, damaged))}"
        console.print(f"[bold red]{lost}[/]; see: switchgear explain LEDGER_CORRUPT", soft_wrap=True)
    if page.get("next_cursor"):
        console.print(f"[dim]more: --cursor {escape(page['next_cursor'])}[/]", soft_wrap=True)


def state_of_box(box: View) -> str:
    """Return the state of a time-box; one that is overdue stands out."""
    return styled(box["state"]) + (" [bold red]overdue[/]" if box["overdue"] else "")


def end_of_box(box: View) -> str:
    """Return when a time-box ends, and how often that was moved."""
    return moment(box["reverts_at"]) + (f", extended {times(box['extensions'])}" if box["extensions"] else "")


def revert_of_box(box: View) -> str:
    """Return which action reverts a time-box, how it stands, and who began it early; empty before it begins."""
    if not box["revert"]:
        return ""
    early = f", begun early by {escape(box['begun_by'])}" if box["begun_early"] else ""
    tried = f", tried {times(box['revert_attempts'])}" if box["revert_attempts"] else ""
    met = "" if box["revert_code"] == box["code"] else " ".join(_words_of(box, "revert_code", "revert_message"))
    return f"{escape(box['revert'])} {styled(box['revert_state'] or 'unreadable')}{early}{tried}{met and ': ' + met}"


def captured_of_box(box: View) -> Iterator[tuple[str, str]]:
    """Yield what the action of a time-box has captured of what it changed: before, and after."""
    for name, value in (box["captured"] or {}).items():
        yield ({"prior": "before", "now": "after"}[name], escape(json.dumps(value, ensure_ascii=False)))


def changes_of_box(box: View) -> Iterator[tuple[str, str]]:
    """Yield what somebody did to a time-box: who, when and why, the oldest first; and what of it cannot be read."""
    for change in box["changes"]:
        how_far = "" if change["seconds"] is None else f"by {span(change['seconds'])} "
        moved = "" if change["reverts_at"] is None else f"{how_far}to {moment(change['reverts_at'])} "
        why = f": {escape(change['reason'])}" if change["reason"] else ""
        name, done = _CHANGES[change["kind"]]
        yield (name, f"{done}{moved}by {escape(change['by'])} at {moment(change['at'])}{why}")
    if box["unreadable"]:
        yield ("unreadable", f"its {' and '.join(box['unreadable'])}; see: switchgear explain LEDGER_CORRUPT")


def _words_of(view: View, *names: str) -> list[str]:
    return [escape(str(view[name])) for name in names if view[name]]


def why_box_waits(box: View) -> str:
    """Return why a time-box does not go on by itself now; empty when it does."""
    return escape(" ".join(str(word) for word in (box["waiting_for"], box["code"], box["message"]) if word))


def is_cut_short(box: View) -> bool:
    """Return whether a time-box ended before its time, or without a revert."""
    return box["begun_early"] or box["state"] in ("closed", "voided")


def draw_events(console: Console, events: Sequence[View]) -> None:
    """Print what the ledger has about one action."""
    table(console, _EVENTS, [_event_row(event) for event in events], empty="no entries")


def draw_entries(console: Console, events: Sequence[View]) -> None:
    """Print entries of the ledger, each with its stream."""
    rows = [(*row[:2], escape(event["stream"]), *row[2:]) for event in events for row in [_event_row(event)]]
    table(console, _ENTRIES, rows, empty="no entries")


def draw_verification(console: Console, found: View) -> None:
    """Print what verifying a chain found."""
    head = found["head"]
    if found["ok"]:
        console.print(
            f"[green]verified[/] {counted(found['entries'], 'entry', plural='entries')} of {escape(head['tenant'])}",
            soft_wrap=True,
        )
        console.print(f"[dim]head {head['seq']} {head['hash']}[/]", soft_wrap=True)
        return
    console.print(f"[bold red]not intact[/] {escape(str(found['problem']))}", soft_wrap=True)
    if found.get("first_bad_seq") is not None:
        console.print(f"first bad entry: {found['first_bad_seq']}")


def _event_row(event: View) -> tuple[str, ...]:
    number, at, kind = str(event["seq"]), moment(event["at"]), escape(event["type"])
    return (number, at, kind, escape(_told(event)), event["hash"][:12])


def _told(event: View) -> str:
    """Return what tells most of an event, in one line: facts by name, then what a person or a remote said."""
    facts, payload = event["facts"], event.get("payload")
    told = [
        f"{_LABELS.get(name, name)}={_short(name, facts[name])}" for name in _TELLING if facts.get(name) is not None
    ]
    said = payload if isinstance(payload, dict) else {}
    return " ".join([*told, *(_quoted(said[name]) for name in _SAID if said.get(name))])


def _short(name: str, value: object) -> str:
    if name in _SPANS and isinstance(value, int | float):
        return span(value)
    if name in _OVERRIDDEN:
        return _overridden(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _overridden(value: object) -> str:
    """Return what a person's force overrode, or an attempt left under: each dependency, and its state then."""
    told = value.get("overrode") if isinstance(value, dict) else value
    rows = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return ", ".join(f"{one.get('dependency')} ({one.get('state')})" for one in rows)


def _quoted(value: object) -> str:
    """Return words of somebody on one line, cut at 80 characters."""
    words = " ".join(str(value).split())
    return f"“{words if len(words) <= _QUOTED_MAX else words[: _QUOTED_MAX - 1] + '…'}”"


_CHANGES = {"extended": ("extended", ""), "revert_begun": ("revert", "begun "), "closed": ("closed", "")}
_QUOTED_MAX = 80
_TELLING = (
    *(
        "step",
        "how",
        "attempt",
        "mode",
        "verdict",
        "result",
        "cause",
        "refusal",
        "code",
        "before",
        "wait",
        "retry_after",
        "overrode",
        "forced",
        "asked",
        "seconds",
        "undo",
        "revert",
    ),
    *("tool", "tenant", "target", "count", "intent", "by", "resolved_by", "proposed_by", "requested_by", "channel"),
)
"""Facts that are shown beside an event, in this order."""
_LABELS = {"seconds": "duration"}
"""What a fact is called where its name says a unit in which it is not shown."""
_SPANS = ("wait", "retry_after", "seconds")
_OVERRIDDEN = ("overrode", "forced")
_SAID = ("evidence", "replay_reason", "reason", "message", "detail")
"""Members of a payload that are shown: what somebody said."""


_EVENTS = (
    Column("seq", whole=True),
    Column("at", whole=True),
    Column("event", whole=True),
    Column("facts"),
    Column("hash", whole=True, spare=True),
)
_ENTRIES = (
    Column("seq", whole=True),
    Column("at", whole=True),
    Column("stream", whole=True),
    Column("event"),
    Column("facts", spare=True),
    Column("hash", whole=True, spare=True),
)
