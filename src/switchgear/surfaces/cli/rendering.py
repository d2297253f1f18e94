"""Views as tables and panels for people. Takes the JSON that REST answered with; prints, decides nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

View = Mapping[str, Any]

STATE_STYLES: Mapping[str, str] = {
    "succeeded": "green",
    "failed": "red",
    "in_doubt": "bold magenta",
    "cancelled": "yellow",
    "expired": "yellow",
    "held": "cyan",
    "dispatched": "cyan",
    "ready": "cyan",
    "closed": "green",
    "open": "bold red",
    "half_open": "yellow",
}


_WIDE = 120
_CANCEL_ASKED = "requested; it had already left, so its outcome still counts"


def styled(state: str) -> str:
    """Return a state in its colour, as markup."""
    style = STATE_STYLES.get(state)
    return f"[{style}]{escape(state)}[/]" if style else escape(state)


def moment(seconds: float | None) -> str:
    """Return a moment, seconds since the epoch, as UTC text; empty for None."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


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


def draw_intent(console: Console, intent: View) -> None:
    """Print one intent, a field a line, leaving out what is not known."""
    again = " [dim](answered from the record of the first request)[/]" if intent.get("replayed") else ""
    console.print(f"[bold]{escape(intent['id'])}[/]  {styled(intent['state'])}{again}")
    for name, value in _intent_rows(intent):
        if value:
            console.print(f"  [dim]{name:>10}[/]  {value}", soft_wrap=True)


def _intent_rows(intent: View) -> list[tuple[str, str]]:
    actor = f"{escape(intent['actor'])} in {escape(intent['account'])}"
    reason = " ".join(escape(str(intent[name])) for name in ("code", "message") if intent.get(name))
    return [
        ("cancel", _CANCEL_ASKED if intent["cancel_requested"] and intent["state"] != "cancelled" else ""),
        ("tool", f"{escape(intent['tool'])} [dim]({intent['effect']})[/]"),
        ("key", escape(intent.get("key") or "")),
        ("by", actor),
        ("arguments", escape(json.dumps(intent["arguments"], ensure_ascii=False))),
        ("attempts", f"{intent['attempts']} of {intent['attempts_max']}"),
        (
            "value",
            escape(json.dumps(intent["value"], ensure_ascii=False)) if intent["value"] is not None else "",
        ),
        ("reason", reason),
        ("waits for", escape(intent.get("waiting_for") or "")),
        ("not before", _moment_of_day(intent.get("not_before"))),
        ("created", _moment_of_day(intent["created_at"])),
        ("updated", _moment_of_day(intent["updated_at"])),
        ("deadline", "" if intent["final"] else _moment_of_day(intent["deadline_at"])),
        ("trace", escape(intent["trace"])),
    ]


def _moment_of_day(seconds: float | None) -> str:
    return "" if seconds is None else f"{moment(seconds)} UTC"


def draw_intents(console: Console, page: View) -> None:
    """Print a page of intents."""
    rows = [
        (
            escape(item["id"]),
            escape(item["tool"]),
            styled(item["state"]),
            str(item["attempts"]),
            escape(item.get("code") or item.get("waiting_for") or ""),
            moment(item["updated_at"]),
        )
        for item in page["items"]
    ]
    table(console, _INTENTS, rows, empty="no intents")
    if page.get("next_cursor"):
        console.print(f"[dim]more: --cursor {escape(page['next_cursor'])}[/]", soft_wrap=True)


def draw_events(console: Console, events: Sequence[View]) -> None:
    """Print what the ledger has about one action."""
    table(console, _EVENTS, [_event_row(event) for event in events], empty="no entries")


def draw_entries(console: Console, events: Sequence[View]) -> None:
    """Print entries of the ledger, each with its stream."""
    rows = [(*row[:2], escape(event["stream"]), *row[2:]) for event in events for row in [_event_row(event)]]
    table(console, _ENTRIES, rows, empty="no entries")


def _event_row(event: View) -> tuple[str, ...]:
    number, at, kind = str(event["seq"]), moment(event["at"]), escape(event["type"])
    return (number, at, kind, escape(_facts(event["facts"])), event["hash"][:12])


def _facts(facts: View) -> str:
    shown = ("attempt", "code", "wait", "retry_after", "tool", "count", "by")
    return " ".join(f"{name}={_short(facts[name])}" for name in shown if facts.get(name) is not None)


def _count(number: int | None) -> str:
    """Return a count; empty when the caller may not see it."""
    return "" if number is None else str(number)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def draw_breakers(console: Console, breakers: Sequence[View]) -> None:
    """Print the guards of the dependencies."""
    rows = [
        (
            escape(breaker["dependency"]),
            styled(breaker["state"]),
            "" if breaker["retry_after"] is None else f"{breaker['retry_after']:.1f} s",
            "" if breaker["failure_rate"] is None else f"{breaker['failure_rate']:.0%}",
            *(_count(breaker[name]) for name in ("calls", "refused", "opened", "in_flight", "queued")),
        )
        for breaker in breakers
    ]
    headings = (
        "dependency",
        "breaker",
        "retry in",
        "failing",
        "calls",
        "refused",
        "opened",
        "in flight",
        "queued",
    )
    columns = [Column(heading, whole=heading != "dependency") for heading in headings]
    table(console, columns, rows, empty="no dependencies")


def draw_tools(console: Console, tools: Sequence[View]) -> None:
    """Print the registered tools."""
    rows = [
        (
            escape(tool["name"]),
            escape(tool["effect"]),
            "yes" if tool["needs_key"] else "no",
            f"{tool['timeout']:g} s",
            str(tool["attempts"]),
            escape(", ".join(tool["requires"])),
            escape(tool["description"]),
        )
        for tool in tools
    ]
    table(console, _TOOLS, rows, empty="no tools are registered")


def draw_check(console: Console, found: View) -> None:
    """Print that a configuration is fine, and what it warns of."""
    for warning in found["warnings"]:
        console.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)
    console.print(f"[green]fine[/] {escape(found['file'])}: {len(found['tools'])} tools", soft_wrap=True)


def draw_verification(console: Console, found: View) -> None:
    """Print what verifying a chain found."""
    head = found["head"]
    if found["ok"]:
        console.print(f"[green]verified[/] {found['entries']} entries of {escape(head['tenant'])}", soft_wrap=True)
        console.print(f"[dim]head {head['seq']} {head['hash']}[/]", soft_wrap=True)
        return
    console.print(f"[bold red]not intact[/] {escape(str(found['problem']))}", soft_wrap=True)
    if found.get("first_bad_seq") is not None:
        console.print(f"first bad entry: {found['first_bad_seq']}")


_INTENTS = (
    Column("intent", whole=True),
    Column("tool"),
    Column("state", whole=True),
    Column("attempts", spare=True),
    Column("reason"),
    Column("updated (UTC)", whole=True, spare=True),
)
_EVENTS = (
    Column("seq", whole=True),
    Column("at (UTC)", whole=True),
    Column("event", whole=True),
    Column("facts"),
    Column("hash", whole=True, spare=True),
)
_ENTRIES = (
    Column("seq", whole=True),
    Column("at (UTC)", whole=True),
    Column("stream", whole=True),
    Column("event"),
    Column("facts", spare=True),
    Column("hash", whole=True, spare=True),
)
_TOOLS = (
    Column("tool", whole=True),
    Column("effect", whole=True),
    Column("needs key", whole=True),
    Column("timeout", whole=True),
    Column("attempts", spare=True),
    Column("requires"),
    Column("description"),
)
