"""The page of failure codes, from the one table that also decides statuses and exit codes."""

from __future__ import annotations

from collections.abc import Iterator

from switchgear.core.codes import FACTS, Code, ExitCode
from switchgear.runbooks import page_of
from tools.reference.markdown import GENERATED, page, table

_HEAD = f"""# Failure codes

{GENERATED}
Every refusal and every failure carries exactly one of these codes. The same code stands in the Python error, in the
problem document over REST, in the output of the command line and in the ledger. Codes are never renamed.

`defer` means that the same request may be let in later without being changed. `reject` means that it may not.
A code marked `defer` often comes with `retry_after`, in seconds. Some codes belong to features that a later release
brings; they are listed so that programs can know them already.
"""


def codes_page() -> str:
    """Return docs/reference/codes.md."""
    return page([_HEAD, *_overview(), *_details(), *_exit_codes()])


def _overview() -> Iterator[str]:
    header = ("Code", "Decision", "HTTP", "Exit", "Meaning")
    rows = [
        (
            _link(code),
            FACTS[code].decision,
            str(FACTS[code].http_status),
            str(int(FACTS[code].exit_code)),
            FACTS[code].meaning,
        )
        for code in Code
    ]
    yield from table(header, rows)


def _details() -> Iterator[str]:
    for code in Code:
        facts = FACTS[code]
        yield f"## {code}\n"
        yield f"{facts.meaning} {facts.advice}\n"
        yield f"What to do, step by step: [runbook](../runbooks/{page_of(code)}.md).\n"
        yield f"Decision `{facts.decision}`, HTTP status {facts.http_status}, exit code {int(facts.exit_code)}.\n"


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes of the command line\n"
    rows = [
        (
            str(int(exit_code)),
            exit_code.name,
            ", ".join(f"`{code}`" for code in Code if FACTS[code].exit_code is exit_code),
        )
        for exit_code in ExitCode
    ]
    yield from table(("Exit code", "Name", "Codes"), rows)


def _link(code: Code) -> str:
    return f"[`{code}`](#{str(code).lower()})"
