"""The pages ``docs/runbooks/``: what `switchgear explain` prints, and how each code looks wherever it is met.

The words are those of the package. The examples are made by the surfaces themselves.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec
from rich.console import Console

from switchgear.control.intent_views import intent_view
from switchgear.control.obstacles import ObstacleView
from switchgear.core.problems import retry_after_text
from switchgear.execution.intent import Change, Intent
from switchgear.execution.transitions import State
from switchgear.runbooks import PAGES, runbook
from switchgear.surfaces.cli.failures import CommandFailure, failure_of_error, failure_of_problem
from switchgear.surfaces.cli.intents import draw_intent
from switchgear.surfaces.cli.output import draw_failure
from switchgear.surfaces.cli.rendering import draw_events
from switchgear.surfaces.cli.waiting import exit_code_of
from switchgear.surfaces.rest.problems import problem_document
from tools.reference.markdown import GENERATED, page, table
from tools.reference.runbook_examples import AT, Example, Met, Refusals, examples

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_WHERE = "POST http://127.0.0.1:8420/v1/intents"
_WIDTH = 110
_TELLING = (
    "id",
    "tool",
    "state",
    "attempts",
    "code",
    "message",
    "waiting_for",
    "hindrance",
    "obstacle",
    "ended",
    "final",
)
_SEEN = "Who sees it"

_INDEX = f"""# Runbooks

{GENERATED}
One page for each failure code, or for a family of codes. Written for whoever is called at night: what it means, what is
at risk, where to look first, how to fix it, and what not to do.

`switchgear explain CODE` prints the same page. It comes with the package and reaches no server. The `type` of a problem
leads here too: give it to `explain` as it is, or set `[server] documentation` to where these pages are published.
"""


def runbook_pages() -> Mapping[str, Callable[[], str]]:
    """Return what makes each page, by its path under ``docs/runbooks/``."""
    return {"index.md": _index, **{f"{name}.md": partial(_page, name) for name in PAGES}}


def _index() -> str:
    rows = [
        (f"[{runbook(name).title}]({name}.md)", ", ".join(f"`{code}`" for code in codes))
        for name, codes in PAGES.items()
    ]
    return page([_INDEX, *table(("Page", "Codes"), rows)])


def _page(name: str) -> str:
    shown = "\n".join(_shown(examples()[name])).rstrip()
    text = runbook(name).text({_SEEN: shown})
    title, _, rest = text.partition("\n\n")
    more = "\n\n[All runbooks](index.md) · [Failure codes](../reference/codes.md)"
    return page([title, "", GENERATED, rest.rstrip() + more])


def _shown(example: Example) -> Iterator[str]:
    yield "In Python:\n"
    yield from _fenced("text", f"{type(example.error).__name__}: {example.error}")
    yield from _SURFACES[example.met](example)
    yield from _recorded(example.recorded)


def _refused(example: Example) -> Iterator[str]:
    """Yield what a request is answered with, and what was accepted before says, if that is held by the same."""
    document = problem_document(example.error, _TRACE)
    wait = retry_after_text(document["retry_after"])
    header = "" if wait is None else f", with `Retry-After: {wait}`"
    yield f"Over REST, status {document['status']}{header}:\n"
    yield from _fenced("json", _formatted(document))
    yield from _failed(failure_of_problem(document, document["status"], where=_WHERE))
    if example.before is not None:
        yield "What was accepted before is held. `switchgear intents show` says so:\n"
        yield from _fenced("text", _drawn_action(_action_document(example)))


def _told_by_the_action(example: Example) -> Iterator[str]:
    """Yield what an action that was accepted says of itself."""
    document = _action_document(example)
    told = {name: document[name] for name in _TELLING if document[name] is not None}
    yield "In a gear the request is accepted, with status 202 over REST. The action itself says, among the rest:\n"
    yield from _fenced("json", _formatted(told))
    ended = int(exit_code_of(document, waited=True))
    yield f"On the command line, `switchgear submit --wait` ends with exit code {ended} and prints:\n"
    yield from _fenced("text", _drawn_action(document))


def _told_by_the_command(example: Example) -> Iterator[str]:
    yield "Not over REST: there is no server that could say it.\n"
    yield from _failed(failure_of_error(example.error, where="switchgear.toml"))


_SURFACES: Mapping[Met, Callable[[Example], Iterator[str]]] = {
    Met.REFUSAL: _refused,
    Met.ACTION: _told_by_the_action,
    Met.COMMAND: _told_by_the_command,
}


def _failed(failure: CommandFailure) -> Iterator[str]:
    yield f"On the command line, exit code {int(failure.exit_code)}:\n"
    yield from _fenced("text", _drawn_failure(failure))


def _action_document(example: Example) -> dict[str, Any]:
    action = example.action()
    view = intent_view(action, lambda _tool, _tenant: None, obstacle=_obstacle(action))
    document: dict[str, Any] = msgspec.to_builtins(view)
    return document


def _obstacle(action: Intent) -> ObstacleView | None:
    """Return what holds the action of an example: still the same as at first."""
    found = action.hindrance
    if action.state is not State.HELD or found is None:
        return None
    return ObstacleView(
        code=str(action.code),
        message=action.message,
        policy=found.policy,
        dependency=found.dependency,
        state=found.state,
        state_age=None,
        flapping=False,
        retry_after=found.retry_after,
        cause=None,
    )


def _recorded(recorded: tuple[Change, ...] | Refusals | str) -> Iterator[str]:
    if isinstance(recorded, str):
        yield f"In the ledger: {recorded[0].lower()}{recorded[1:]}"
        return
    yield "In the ledger:\n"
    yield from _fenced("text", _drawn_events(recorded))


def _drawn_action(document: dict[str, Any]) -> str:
    return _drawn(lambda console: draw_intent(console, document))


def _formatted(document: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _drawn_failure(failure: CommandFailure) -> str:
    return _drawn(lambda console: draw_failure(console, failure))


def _drawn_events(recorded: tuple[Change, ...] | Refusals) -> str:
    entries: list[tuple[str, dict[str, Any], dict[str, Any] | None]]
    if isinstance(recorded, Refusals):
        entries = [("admission.refused", dict(recorded.facts), None)]
    else:
        entries = [(str(change.kind), change.facts, change.payload) for change in recorded]
    views = [
        {"seq": seq, "at": AT, "type": kind, "facts": facts, "payload": payload, "hash": ""}
        for seq, (kind, facts, payload) in enumerate(entries, start=42)
    ]
    return _drawn(lambda console: draw_events(console, views))


def _drawn(draw: Callable[[Console], None]) -> str:
    stream = io.StringIO()
    draw(Console(file=stream, width=_WIDTH, no_color=True, highlight=False))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _fenced(language: str, text: str) -> Iterator[str]:
    yield f"```{language}\n{text}\n```\n"
