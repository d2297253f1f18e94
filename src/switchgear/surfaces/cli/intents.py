"""The commands `intents list|show|events|cancel`, and how intents are drawn."""

from __future__ import annotations

import json

import typer
from rich.console import Console
from rich.markup import escape

from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.codes import Code, ExitCode
from switchgear.surfaces.cli.asking import (
    AfterOption,
    CursorOption,
    LimitOption,
    ReasonOption,
    StateOption,
    get,
    get_entries,
    post,
)
from switchgear.surfaces.cli.belongings import belonging_rows, resolution_rows
from switchgear.surfaces.cli.keys import (
    IntentId,
    QuietFlag,
    by_key,
    draw_ids,
    is_quiet,
    path_of,
)
from switchgear.surfaces.cli.rendering import (
    Column,
    View,
    draw_events,
    draw_more,
    moment,
    span,
    styled,
    table,
    times,
)
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session
from switchgear.surfaces.cli.waiting import DOUBTFUL, WaitOption, exit_code_of, until_settled

app = typer.Typer(no_args_is_help=True, help="Look at actions, and cancel them.")

_OUTCOMES = {"positive": "a right answer", "negative": "answered wrongly", "absent": "no answer"}
_FOR_PEOPLE = ("in_doubt", "needs_operator")
"""States that a person's word ends."""
_WAITS = ("ready", "held")
"""States of what runs again after an attempt in doubt, as its effect lets it."""
_CANCEL_ASKED = "requested; it had already left, so its outcome still counts"


@app.command(
    "list",
    epilog=examples(
        "switchgear intents list --state in_doubt",
        "switchgear intents list --json",
        "switchgear intents list --state held --quiet",
    ),
)
def list_(
    *,
    state: StateOption = None,
    limit: LimitOption = 50,
    cursor: CursorOption = None,
    quiet: QuietFlag = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """List the actions of your tenant, newest first."""
    return get(
        "/v1/intents",
        draw_ids if is_quiet(quiet=quiet, as_json=as_json) else draw_intents,
        url,
        token,
        as_json=as_json,
        query={"state": state, "limit": limit, "cursor": cursor},
    )


@app.command(
    "show",
    epilog=examples(
        "switchgear intents show int_0190b6…",
        "switchgear intents show int_0190b6… --wait 60",
        "switchgear intents show --tool crm.place_order --key order-17",
        "ORDER=$(switchgear intents show --tool crm.place_order --key order-17 --quiet)",
    ),
)
@by_key()
def show(
    intent: IntentId,
    *,
    wait: WaitOption = 0.0,
    quiet: QuietFlag = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show one action: its state, outcome, and what it waits for. With --wait it ends as `submit --wait` does.

    Name it by its id, or by the tool and the idempotency key that it was submitted with.
    """
    until = SYSTEM_CLOCK.monotonic() + wait
    draw = draw_ids if is_quiet(quiet=quiet, as_json=as_json) else draw_intent
    with session(url, token, as_json=as_json) as opened:
        view: View = opened.client.get(path_of(intent))
        view = until_settled(opened, view, until) if wait else view
        opened.output.answer(view, lambda console: draw(console, view))
    return exit_code_of(view, waited=True) if wait else ExitCode.OK


@app.command(
    "events",
    epilog=examples(
        "switchgear intents events int_0190b6…",
        "switchgear intents events --tool crm.place_order --key order-17",
    ),
)
@by_key()
def events(
    intent: IntentId,
    *,
    after: AfterOption = 0,
    limit: LimitOption = 200,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Show everything that the ledger has about one action, in order."""
    query = {"after": after, "limit": limit}
    return get_entries(path_of(intent, "/events"), draw_events, url, token, as_json=as_json, query=query)


@app.command(
    "cancel",
    epilog=examples(
        'switchgear intents cancel int_0190b6… --reason "customer withdrew"',
        'switchgear intents cancel --tool crm.place_order --key order-17 --reason "customer withdrew"',
    ),
)
@by_key()
def cancel(
    intent: IntentId,
    *,
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Cancel an action that has not left. One that has left is only asked to stop."""
    return post(path_of(intent, "/cancel"), {"reason": reason}, draw_intent, url, token, as_json=as_json)


def draw_intent(console: Console, intent: View) -> None:
    """Print one intent, a field a line, leaving out what is not known."""
    again = " [dim](answered from the record of the first request)[/]" if intent.get("replayed") else ""
    console.print(f"[bold]{escape(intent['id'])}[/]  {styled(intent['state'])}{again}")
    for name, value in _rows(intent):
        if value:
            console.print(f"  [dim]{name:>10}[/]  {value}", soft_wrap=True)


def draw_intents(console: Console, page: View, *, empty: str = "no intents") -> None:
    """Print a page of intents, or `empty` when there are none."""
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
    table(console, _COLUMNS, rows, empty=empty)
    draw_more(console, page)


def _see(intent: View, told: View) -> str:
    """Return what explains how an action stands: first that it is in doubt, then the code that it is told with."""
    doubt = Code.IN_DOUBT if intent["state"] in DOUBTFUL else ""
    codes = dict.fromkeys(code for code in (doubt, told.get("code")) if code)
    return "" if intent["state"] == "succeeded" else "; ".join(f"switchgear explain {code}" for code in codes)


def _settled_by(intent: View) -> str:
    """Return the command with which a person settles a doubt, or comes to that; empty without one, or in a lookup."""
    if intent["state"] in _WAITS and intent.get("doubt_since") is not None:
        command = f"switchgear intents cancel {escape(intent['id'])} --reason TEXT"
        return f"{command}: it does not run again, and a person says what became of the attempt in doubt"
    if intent["state"] not in _FOR_PEOPLE:
        return ""
    command = f"switchgear intents resolve {escape(intent['id'])} --applied --evidence TEXT"
    return f"{command}: it happened; or with --not-applied, or --abandon"


def _rows(intent: View) -> list[tuple[str, str]]:
    actor = f"{escape(intent['actor'])} in {escape(intent['account'])}"
    told = intent.get("obstacle") or intent
    reason = " ".join(escape(str(told[name])) for name in ("code", "message") if told.get(name))
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
        ("in doubt", _since(intent)),
        *resolution_rows(intent),
        ("ended", escape(intent.get("ended") or "")),
        ("because", _because(intent.get("obstacle"))),
        ("waits for", _waits_for(intent)),
        ("held", _held(intent)),
        ("see", _see(intent, told)),
        ("next", _settled_by(intent)),
        ("forced", _forced(intent.get("force"))),
        *_approval_rows(intent.get("approval")),
        ("not before", moment(intent.get("not_before"))),
        ("created", moment(intent["created_at"])),
        ("updated", moment(intent["updated_at"])),
        ("deadline", "" if intent["final"] else moment(intent["deadline_at"])),
        *belonging_rows(intent),
        ("trace", escape(intent["trace"])),
    ]


def _approval_rows(approval: View | None) -> list[tuple[str, str]]:
    if approval is None:
        return []
    who = f" by {', '.join(map(escape, approval['granted_by']))}" if approval["granted_by"] else ""
    stands = f"{len(approval['granted_by'])} of {approval['quorum']}{who}, rule {escape(approval['rule'])}"
    until = "" if approval["used"] else f", until {moment(approval['expires_at'])}"
    return [("approval", f"{stands}{until}"), ("digest", approval["digest"])]


def _waits_for(intent: View) -> str:
    """Return what an intent waits for: while it is held as that is now, else as it is on record."""
    if intent["state"] != "held":
        return _waited_for(intent)
    obstacle = intent.get("obstacle")
    if obstacle is None:
        return "nothing any more: it goes on by itself"
    where = " ".join(escape(obstacle[name]) for name in ("dependency", "state") if obstacle.get(name))
    age, again = obstacle["state_age"], obstacle["retry_after"]
    said = [
        f"{escape(obstacle['code'])}{f' ({where})' if where else ''}",
        "" if age is None else f"for {span(age)}{' and flapping' if obstacle['flapping'] else ''}",
    ]
    return " ".join(filter(None, said)) + ("" if again is None else f", looked at again in {span(again)}")


def _because(obstacle: View | None) -> str:
    """Return what was last observed of the dependency that is in the way."""
    cause = None if obstacle is None else obstacle["cause"]
    if cause is None:
        return ""
    ago = "" if cause["age"] is None else f" {span(cause['age'])} ago"
    detail = f": {escape(cause['detail'])}" if cause["detail"] else ""
    return f"{escape(cause['source'])}{ago}, {_OUTCOMES.get(cause['outcome'], escape(cause['outcome']))}{detail}"


def _held(intent: View) -> str:
    """Return since when an intent is held, and for what that was on record then."""
    hindrance = intent.get("hindrance")
    if intent["state"] != "held" or hindrance is None:
        return ""
    where = " ".join(escape(hindrance[name]) for name in ("dependency", "state") if hindrance[name])
    return f"since {moment(hindrance['since'])}{f', {where} then' if where else ''}"


def _waited_for(intent: View) -> str:
    """Return what defers an intent, in the facts of every refusal: code, dependency, its state, and when to look."""
    hindrance = intent.get("hindrance") or {}
    where = " ".join(escape(hindrance[name]) for name in ("dependency", "state") if hindrance.get(name))
    again = hindrance.get("retry_after")
    since = moment(hindrance.get("since"))
    said = [
        escape(intent.get("waiting_for") or ""),
        f"({where})" if where else "",
        f"since {since}" if since else "",
        "" if again is None else f"and looked at again {span(again)} later",
    ]
    return " ".join(part for part in said if part) if said[0] else ""


def _forced(force: View | None) -> str:
    if force is None:
        return ""
    until = "used" if force["used"] else f"until {moment(force['until'])}"
    return f"by {escape(force['by'])} over {', '.join(map(escape, force['overrode']))}, {until}"


def _since(intent: View) -> str:
    since, lookups = moment(intent.get("doubt_since")), intent.get("lookups")
    return since and f"since {since}{f', looked up {times(lookups)}' if lookups else ''}"


_COLUMNS = (
    Column("intent", whole=True),
    Column("tool"),
    Column("state", whole=True),
    Column("attempts", spare=True),
    Column("reason"),
    Column("updated", whole=True, spare=True),
)
