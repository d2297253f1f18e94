"""The command `explain`: the runbook of a failure code, from the package itself. It reaches no server.

The page is printed as it is written, in Markdown: it reads well on a terminal, and can be copied into a ticket.
"""

from __future__ import annotations

import difflib
import sys
from typing import Annotated

import typer

from switchgear.core.codes import FACTS, Code, ExitCode
from switchgear.runbooks import Runbook, page_named, runbook
from switchgear.surfaces.cli.failures import CommandFailure, failure_of_usage
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.rendering import View
from switchgear.surfaces.cli.session import JsonFlag, examples

EXAMPLES = examples("switchgear explain CIRCUIT_OPEN", "switchgear explain urn:switchgear:code:IN_DOUBT --json")

Word = Annotated[
    str, typer.Argument(metavar="CODE", help="A failure code, the name of a page, or the `type` of a problem.")
]


def explain(word: Word, *, as_json: JsonFlag = False) -> int:
    """Explain a failure code: what it means, what is at risk, where to look first, and how to fix it."""
    name = page_named(word)
    if name is None:
        raise _unknown(word)
    page = runbook(name)
    Output(as_json=as_json).answer(_document(page), lambda _: _print(page))
    return ExitCode.OK


def _document(page: Runbook) -> View:
    """Return a page as JSON shows it: its name, each code with its row of the code table, and each section."""
    return {
        "page": page.name,
        "title": page.title,
        "codes": {str(code): _row(code) for code in page.codes},
        "sections": dict(page.sections),
    }


def _row(code: Code) -> View:
    facts = FACTS[code]
    return {
        "meaning": facts.meaning,
        "advice": facts.advice,
        "decision": facts.decision,
        "http_status": facts.http_status,
        "exit_code": int(facts.exit_code),
    }


def _print(page: Runbook) -> None:
    """Write the page as it is: a drawn one would fold the commands that somebody is about to copy."""
    sys.stdout.write(page.text())
    sys.stdout.flush()


def _unknown(word: str) -> CommandFailure:
    near = difflib.get_close_matches(word.strip().upper().replace("-", "_"), [*map(str, Code)], n=3)
    advice = f"Did you mean {' or '.join(near)}?" if near else "Copy the code from the error, such as CIRCUIT_OPEN."
    return failure_of_usage(f"there is no code {word[:100]!r}", advice=advice)
