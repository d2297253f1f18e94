"""The command `breakers`: the guards of the dependencies, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.rendering import Column, View, styled, table
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, examples, session

EXAMPLES = examples("switchgear breakers --json")


def breakers(*, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Show the breaker of each dependency: its state, when it may close, what waits for it."""
    with session(url, token, as_json=as_json) as opened:
        answer = opened.client.get("/v1/breakers")
        opened.output.answer(answer, lambda console: draw_breakers(console, answer["items"]))
    return ExitCode.OK


def draw_breakers(console: Console, breakers: Sequence[View]) -> None:
    """Print the guards of the dependencies."""
    rows = [
        (
            escape(breaker["dependency"]),
            styled(breaker["state"]),
            f"{breaker['retry_after']:.1f} s" if breaker["retry_after"] else "",
            "" if breaker["failure_rate"] is None else f"{breaker['failure_rate']:.0%}",
            *(_count(breaker[name]) for name in ("calls", "refused", "opened", "in_flight", "queued")),
        )
        for breaker in breakers
    ]
    table(console, _COLUMNS, rows, empty="no dependencies")
    for breaker in breakers:
        if breaker.get("tenant_state") not in (None, "closed"):
            console.print(_yours(breaker), soft_wrap=True)


def _yours(breaker: View) -> str:
    """Return what the breaker says that the tenant has of its own there."""
    wait = "" if breaker["tenant_retry_after"] is None else f", retry in {breaker['tenant_retry_after']:.1f} s"
    name = escape(breaker["dependency"])
    return f"{name}: your tenant's own breaker is {styled(breaker['tenant_state'])}{wait}; it refuses you alone"


def _count(number: int | None) -> str:
    """Return a count; empty when the caller may not see it."""
    return "" if number is None else str(number)


_COLUMNS = (
    Column("dependency"),
    Column("breaker", whole=True),
    Column("retry in", whole=True),
    Column("failing", whole=True),
    Column("calls", whole=True),
    Column("refused", whole=True),
    Column("opened", whole=True),
    Column("in flight", whole=True),
    Column("queued", whole=True),
)
