"""The command `submit`: hand in one action, and wait for its outcome if asked to."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.codes import Code
from switchgear.surfaces.cli.failures import CommandFailure, failure_of_interrupt, failure_of_usage
from switchgear.surfaces.cli.intents import draw_intent
from switchgear.surfaces.cli.rendering import View
from switchgear.surfaces.cli.session import (
    DEFAULT_URL,
    JsonFlag,
    Session,
    TokenOption,
    UrlOption,
    examples,
    session,
)
from switchgear.surfaces.cli.typed_json import json_of
from switchgear.surfaces.cli.typed_times import length_option, moment_option
from switchgear.surfaces.cli.waiting import WaitOption, exit_code_of, until_settled

_NOT_ANSWERED = "interrupted before the server answered; see: switchgear intents "
_LIST = "Give each name once; a list is one value: --arg '{name}=[1, 2]'."

ArgOption = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="NAME=VALUE", help="One argument, each name once; the value is JSON, else text."),
]
ArgsOption = Annotated[
    str | None,
    typer.Option("--args", metavar="JSON|@FILE|-", help="All arguments as a JSON object; - reads input."),
]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="Idempotency key: the same for every repeat of this one action.")
]
AccountOption = Annotated[
    str | None, typer.Option("--account", help="The account to act for; the token's own if it has only one.")
]
DeadlineOption = Annotated[
    float | None,
    length_option("--deadline", "Give up when it has not left within this time, above 0"),
]
RevertAfterOption = Annotated[
    float | None,
    length_option("--revert-after", "Give it a time-box: its tool's revert undoes it so long after it left"),
]
DelayOption = Annotated[
    float | None,
    length_option("--delay", "Do not let it leave before so long from now"),
]
NotBeforeOption = Annotated[
    float | None,
    moment_option("--not-before", "The same as a moment; not both"),
]
PriorityOption = Annotated[
    str | None,
    typer.Option(
        "--priority", help="critical_plus, critical (default), sheddable_plus or sheddable: which of yours goes first."
    ),
]


def submit(
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="The tool, as `switchgear tools` names it.")],
    *,
    context: typer.Context,
    arg: ArgOption = None,
    args: ArgsOption = None,
    key: KeyOption = None,
    account: AccountOption = None,
    wait: WaitOption = 0.0,
    deadline: DeadlineOption = None,
    revert_after: RevertAfterOption = None,
    delay: DelayOption = None,
    not_before: NotBeforeOption = None,
    priority: PriorityOption = None,
    as_json: JsonFlag = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
) -> int:
    """Submit one action. It is recorded before this returns; Ctrl-C while waiting does not stop it."""
    _refuse_more(context.args)
    body: dict[str, Any] = {"tool": tool, "arguments": arguments_of(arg or (), args)}
    further = {
        "account": account,
        "deadline": deadline,
        "revert_after": revert_after,
        "delay": delay,
        "not_before": not_before,
        "priority": priority,
    }
    body |= {name: value for name, value in further.items() if value is not None}
    with session(url, token, as_json=as_json) as opened:
        with _hint_for_text(arg or ()):
            intent = _submitted(opened, body, key, wait)
        opened.output.answer(intent, lambda console: draw_intent(console, intent))
    return exit_code_of(intent, waited=wait > 0)


SETTINGS = {"allow_extra_args": True}
"""How the framework is to read its line: it hands over what stands behind the tool's name, which is told better."""
EXAMPLES = examples(
    'switchgear submit text.count_words --arg text="to be or not to be" --wait 10',
    'switchgear submit text.count_words --arg text="good night" --delay 3600 --priority sheddable',
    'switchgear submit crm.place_order --args \'{"contact_id": "7", "amount": 20}\' --key order-17',
    "switchgear submit crm.place_order --args @order.json --key order-17 --wait 30 --json",
)


def arguments_of(pairs: Sequence[str], document: str | None) -> dict[str, Any]:
    """Return the arguments: those of `document`, then `pairs` over them.

    Raises `CommandFailure` (USAGE) for what is no object, no JSON, or no pair, and for a name that comes twice.
    """
    arguments = _object_of(_text_of(document)) if document is not None else {}
    return {**arguments, **_pairs_of(pairs)}


def text_instead(pairs: Sequence[str], detail: str) -> list[str]:
    """Return the pairs that `detail` names and that were read as number, true, false or null, written as text."""
    split = [pair.partition("=") for pair in pairs]
    return [
        f"--arg {shlex.quote(f'{name}={json.dumps(value, ensure_ascii=False)}')}"
        for name, _, value in split
        if f"/{name}: " in detail and isinstance(_value_of(value), int | float | None)
    ]


def look_for(body: dict[str, Any], key: str | None) -> str:
    """Return how to look for what may have been accepted: by its key where it has one."""
    if key is None:
        return "list"
    account = ["--account", body["account"]] if "account" in body else []
    return shlex.join(["show", "--tool", body["tool"], "--key", key, *account])


def _refuse_more(words: Sequence[str]) -> None:
    """Raise `CommandFailure` (USAGE) for words behind the tool's name: it says where they go, as they were given."""
    if words:
        said = f"arguments are given with --args or --arg, not behind the tool's name: {shlex.join(words)}"
        raise failure_of_usage(said, advice=f"Write {_as_options(words)}")


def _as_options(words: Sequence[str]) -> str:
    """Return how `words` are written as options: as the one object that they are, or each as a pair."""
    if words[0].startswith(("{", "@", "-")):
        return f"--args {shlex.quote(' '.join(words))}"
    return " ".join(f"--arg {shlex.quote(word if '=' in word else f'NAME={word}')}" for word in words)


def _submitted(opened: Session, body: dict[str, Any], key: str | None, wait: float) -> View:
    """Hand it in, and only then wait, so that Ctrl-C while waiting can always name what goes on."""
    headers = {} if key is None else {"Idempotency-Key": json.dumps(key)}
    until = SYSTEM_CLOCK.monotonic() + wait
    try:
        intent = opened.client.post("/v1/intents", body, headers=headers)
    except KeyboardInterrupt:
        raise failure_of_interrupt(_NOT_ANSWERED + look_for(body, key)) from None
    return until_settled(opened, intent, until) if wait else intent


@contextmanager
def _hint_for_text(pairs: Sequence[str]) -> Iterator[None]:
    """Add to a refusal of the arguments how to write a value that was read as JSON and may be meant as text."""
    try:
        yield
    except CommandFailure as failure:
        instead = text_instead(pairs, str(failure.problem.get("detail")))
        if failure.problem.get("code") == Code.INVALID_ARGUMENT and instead:
            failure.advice = f"If text is meant, write {' '.join(instead)}. {failure.advice}"
        raise


def _text_of(document: str) -> str:
    if document == "-":
        return sys.stdin.read()
    if not document.startswith("@"):
        return document
    try:
        return Path(document[1:]).read_text(encoding="utf-8")
    except OSError as error:
        raise failure_of_usage(f"--args {document}: the file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise failure_of_usage(f"--args {document}: the file is not UTF-8 text") from error


def _object_of(text: str) -> dict[str, Any]:
    try:
        value = json_of(text)
    except ValueError as error:
        raise failure_of_usage(f"--args is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise failure_of_usage('--args must be a JSON object, such as \'{"name": "Ada"}\'')
    return value


def _pairs_of(pairs: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise failure_of_usage(f"--arg {pair!r} is not NAME=VALUE")
        if name in found:
            raise failure_of_usage(f"--arg {name}=… is given twice", advice=_LIST.format(name=name))
        found[name] = _value_of(value)
    return found


def _value_of(text: str) -> object:
    try:
        return json_of(text)
    except ValueError:
        return text
