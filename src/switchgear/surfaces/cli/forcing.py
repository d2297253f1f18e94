"""The command `intents force`: a person lets a held destructive action leave once."""

from __future__ import annotations

from typing import Annotated

import typer

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.intents import draw_intent
from switchgear.surfaces.cli.keys import IntentId, by_key, path_of
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session
from switchgear.surfaces.cli.typed_times import length_option

EXAMPLES = examples(
    "switchgear intents list --state held",
    'switchgear intents force int_0190b6… --reason "redis is replaced; sessions checked by hand" --for 300',
    'switchgear intents force --tool user.delete --key request-7 --reason "redis is replaced" --for 300',
)


@by_key()
def force(
    intent: IntentId,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record.")],
    seconds: Annotated[float, length_option("--for", "How long it is good for", least=1.0, most=3_600.0)],
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Let a held destructive action leave once, although a dependency does not vouch for it now.

    It is recorded with what it overrides. A kill switch is never overridden.
    """
    with session(url, token, as_json=as_json) as opened:
        view = opened.client.post(path_of(intent, "/force"), {"reason": reason, "seconds": seconds})
        opened.output.answer(view, lambda console: draw_intent(console, view))
    return ExitCode.OK
