"""The commands `intents approve|reject|withdraw`. Approving shows the action first, and holds for what was shown."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.asking import ReasonOption, post
from switchgear.surfaces.cli.failures import failure_of_usage
from switchgear.surfaces.cli.intents import draw_intent
from switchgear.surfaces.cli.keys import IntentId, by_key, path_of
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.session import (
    DEFAULT_URL,
    JsonFlag,
    TokenOption,
    UrlOption,
    confirmed,
    examples,
    session,
)

_CHANNEL = {"channel": "cli"}
_ASK = "Approve this action?"
_UNASKED = "Write --digest DIGEST, or --yes."
_NOT_APPROVED = "not approved; it goes on waiting"

DigestOption = Annotated[
    str | None,
    typer.Option("--digest", help="Approve exactly the request of this digest, without showing it and asking."),
]


@by_key()
def approve(
    intent: IntentId,
    *,
    digest: DigestOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: approve it as it stands now.")] = False,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Approve one action. It is shown first, and you are asked; the yes holds for what was shown and nothing else."""
    with session(url, token, as_json=as_json) as opened:
        if digest is None:
            shown = opened.client.get(path_of(intent))
            digest = _digest_of(shown)
            if not _agreed(opened.output, shown, yes=yes):
                opened.output.note(_NOT_APPROVED)
                return ExitCode.REFUSED
        body = {**_CHANNEL, **({} if digest is None else {"digest": digest})}
        view = opened.client.post(path_of(intent, "/approve"), body)
        opened.output.answer(view, lambda console: draw_intent(console, view))
    return ExitCode.OK


APPROVE_EXAMPLES = examples(
    "switchgear intents list --state pending_approval",
    "switchgear intents approve int_0190b6…",
    "switchgear intents approve --tool crm.place_order --key order-17",
    "switchgear intents approve int_0190b6… --digest 9f86d081… --json",
)


@by_key()
def reject(
    intent: IntentId,
    *,
    reason: ReasonOption,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Reject one action that waits for approval. One no is enough, and ends it."""
    return _said(intent, "/reject", {**_CHANNEL, "reason": reason}, as_json=as_json, url=url, token=token)


REJECT_EXAMPLES = examples(
    'switchgear intents reject int_0190b6… --reason "wrong account"',
    'switchgear intents reject --tool crm.place_order --key order-17 --reason "wrong account"',
)


@by_key()
def withdraw(
    intent: IntentId,
    *,
    reason: ReasonOption = "",
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Take back your own approval of an action that has not left. It waits for approval again."""
    return _said(intent, "/withdraw", {**_CHANNEL, "reason": reason}, as_json=as_json, url=url, token=token)


WITHDRAW_EXAMPLES = examples(
    "switchgear intents withdraw int_0190b6…", "switchgear intents withdraw --tool crm.place_order --key order-17"
)


def _said(intent: str, what: str, body: dict[str, Any], *, as_json: bool, url: str, token: str | None) -> int:
    return post(path_of(intent, what), body, draw_intent, url, token, as_json=as_json)


def _digest_of(shown: dict[str, Any]) -> str | None:
    """Return what a yes is bound to; None where nobody is asked, which the server says in its own words."""
    approval = shown.get("approval")
    return None if approval is None else str(approval["digest"])


def _agreed(output: Output, shown: dict[str, Any], *, yes: bool) -> bool:
    """Show the action and ask about it, unless it was said to go ahead, or nobody is asked anyway.

    Raises `CommandFailure` (USAGE) where nobody can be asked: a machine, or a closed input.
    """
    if yes or shown["state"] != "pending_approval":
        return True
    if output.as_json:
        raise failure_of_usage("nobody can be asked with --json", advice=_UNASKED)
    draw_intent(output.console, shown)
    return confirmed(_ASK, advice=_UNASKED)
