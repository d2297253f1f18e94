"""The commands `intents doubts` and `intents resolve`: what is in doubt, and a person's word on it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.asking import get
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.intents import draw_intent
from switchgear.surfaces.cli.keys import IntentId, by_key, path_of
from switchgear.surfaces.cli.rendering import View, span
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session
from switchgear.surfaces.cli.typed_json import json_of

DOUBTS_EXAMPLES = examples("switchgear intents doubts", "switchgear intents list --state needs_operator")
RESOLVE_EXAMPLES = examples(
    'switchgear intents resolve int_0190b6… --applied --evidence "order 4711 in the CRM" --value \'{"order": 4711}\'',
    'switchgear intents resolve int_0190b6… --not-applied --evidence "no such order, asked support"',
    'switchgear intents resolve --tool mail.send --key letter-1 --not-applied --evidence "asked the postmaster"',
    'switchgear intents resolve int_0190b6… --abandon --evidence "the remote is gone"',
)
_AGREEMENT = "agreement"
_NOT_YET = {
    "second_person": "proposed; it counts once another person says the same",
    _AGREEMENT: "recorded; it settles nothing, since another person has said something else",
}
_ONE = "say what became of it: one of --applied, --not-applied, --abandon"


def doubts(*, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Show how much is in doubt, and since when."""
    return get("/v1/doubts", draw_doubts, url, token, as_json=as_json)


@by_key()
def resolve(
    intent: IntentId,
    *,
    evidence: Annotated[str, typer.Option("--evidence", help="How you found out; it goes on record.")],
    applied: Annotated[bool, typer.Option("--applied", help="It happened.")] = False,
    not_applied: Annotated[bool, typer.Option("--not-applied", help="It did not; it may run again.")] = False,
    abandon: Annotated[bool, typer.Option("--abandon", help="Nobody will find out; never run it again.")] = False,
    value: Annotated[str | None, typer.Option("--value", metavar="JSON", help="Its outcome, with --applied.")] = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Say what became of an action in doubt. A destructive one needs the same word of a second person.

    When the two say different things, both words are on record and nothing is settled: exit code 7.
    """
    body: dict[str, object] = {
        "verdict": _verdict(applied=applied, not_applied=not_applied, abandon=abandon),
        "evidence": evidence,
    }
    if value is not None:
        body["value"] = _value_of(value)
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.post(path_of(intent, "/resolve"), body)
        opened.output.answer(view, lambda console: draw_intent(console, view))
        said = view.get("resolution")
        if said and said["awaits"]:
            opened.output.note(_NOT_YET[said["awaits"]])
    return ExitCode.CONFLICT if said and said["awaits"] == _AGREEMENT else ExitCode.OK


def draw_doubts(console: Console, doubts: View) -> None:
    """Print how much is in doubt, one state a line."""
    for state in ("in_doubt", "reconciling", "needs_operator"):
        console.print(f"{doubts[state]:>6}  {state}")
    if doubts["oldest_since"] is not None:
        console.print(f"[dim]the oldest for {span(doubts['oldest_age'])}[/]")


def _verdict(*, applied: bool, not_applied: bool, abandon: bool) -> str:
    said = [name for name, yes in (("applied", applied), ("not_applied", not_applied), ("abandon", abandon)) if yes]
    if len(said) != 1:
        raise failure_of_usage(_ONE, advice="Look at the remote first; what you say is on record.")
    return said[0]


def _value_of(text: str) -> object:
    try:
        return json_of(text)
    except ValueError:
        raise failure_of_usage(
            f"--value is no JSON: {text[:60]!r}", advice="""Quote text: --value '"done"'."""
        ) from None
