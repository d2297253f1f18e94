"""Views as tables and panels for people. Takes the JSON that REST answered with; prints, decides nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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


def styled(state: str) -> str:
    """Return a state in its colour, as markup."""
    style = STATE_STYLES.get(state)
    return f"[{style}]{escape(state)}[/]" if style else escape(state)


def moment(seconds: float | None) -> str:
    """Return a moment, seconds since the epoch, as UTC text; empty for None."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def table(console: Console, headings: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print rows of markup under headings, or `empty` when there are none."""
    drawn = Table(box=None, pad_edge=False, header_style="bold dim")
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
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
        ("not before", moment(intent.get("not_before"))),
        ("created", moment(intent["created_at"])),
        ("updated", moment(intent["updated_at"])),
        ("deadline", "" if intent["final"] else moment(intent["deadline_at"])),
        ("trace", escape(intent["trace"])),
    ]


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
    table(console, ("intent", "tool", "state", "attempts", "reason", "updated (UTC)"), rows, empty="no intents")
    if page.get("next_cursor"):
        console.print(f"[dim]more: --cursor {escape(page['next_cursor'])}[/]", soft_wrap=True)


def draw_events(console: Console, events: Sequence[View]) -> None:
    """Print entries of the ledger."""
    rows = [
        (
            str(event["seq"]),
            moment(event["at"]),
            escape(event["type"]),
            escape(event["stream"]),
            escape(_facts(event["facts"])),
            event["hash"][:12],
        )
        for event in events
    ]
    table(console, ("seq", "at (UTC)", "event", "stream", "facts", "hash"), rows, empty="no entries")


def _facts(facts: View) -> str:
    shown = ("attempt", "code", "wait", "retry_after", "tool", "count", "by")
    return " ".join(f"{name}={_short(facts[name])}" for name in shown if facts.get(name) is not None)


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
            *(str(breaker[name]) for name in ("calls", "failures", "refused", "opened", "in_flight", "queued")),
        )
        for breaker in breakers
    ]
    headings = (
        "dependency",
        "breaker",
        "retry after",
        "failing",
        "calls",
        "failures",
        "refused",
        "opened",
        "in flight",
        "queued",
    )
    table(console, headings, rows, empty="no dependencies")


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
    headings = ("tool", "effect", "needs key", "timeout", "attempts", "requires", "description")
    table(console, headings, rows, empty="no tools are registered")


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
