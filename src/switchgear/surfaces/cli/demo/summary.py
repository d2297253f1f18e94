"""The end of the demo as numbers: one document for machines, and the same drawn for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from switchgear.surfaces.cli.demo.audit import Finding
from switchgear.surfaces.cli.demo.story import Story
from switchgear.surfaces.cli.demo.traffic import Answers
from switchgear.surfaces.cli.rendering import styled


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything that the demo says at its end. `ok` is the verdict."""

    ok: bool
    seconds: float
    seed: int
    folder: str
    requests: int
    accepted: int
    repeats: int
    lost: int
    submitted: int
    cancels: Mapping[str, int]
    states: Mapping[str, int]
    refused: Mapping[str, int]
    retried: int
    breaker: tuple[str, ...]
    kills: int
    finding: Finding
    chains: Mapping[str, Mapping[str, Any]]

    def document(self) -> dict[str, Any]:
        """Return it as values that fit into JSON."""
        finding = asdict(self.finding)
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "seed": self.seed,
            "folder": self.folder,
            "requests": self.requests,
            "accepted": self.accepted,
            "repeats": self.repeats,
            "lost": self.lost,
            "submitted": self.submitted,
            "cancels": dict(self.cancels),
            "succeeded": self.states.get("succeeded", 0),
            "states": dict(self.states),
            "refused": dict(self.refused),
            "retried": self.retried,
            "breaker": list(self.breaker),
            "upstream_kills": self.kills,
            "in_doubt": finding["doubts"],
            "effects": self.finding.effects,
            "effects_per_key_max": self.finding.effects_per_key_max,
            "problems": list(self.finding.problems),
            "ledger": {tenant: dict(found) for tenant, found in self.chains.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run left behind, before it is judged."""

    seconds: float
    seed: int
    folder: Path
    story: Story
    answers: Answers
    breaker: tuple[str, ...]
    kills: int
    chains: Mapping[str, Mapping[str, Any]]


def summary_of(run: Run, finding: Finding) -> Summary:
    """Put the numbers together. It is fine only if the audit found nothing and every chain is intact."""
    return Summary(
        ok=not finding.problems and all(found["ok"] for found in run.chains.values()),
        seconds=run.seconds,
        seed=run.seed,
        folder=str(run.folder),
        requests=len(run.answers.all),
        accepted=run.answers.accepted(),
        repeats=run.answers.repeats(),
        lost=run.answers.lost(),
        submitted=len(run.story.actions),
        cancels=dict(run.answers.cancels.most_common()),
        states=Counter(dict(run.story.states().most_common())),
        refused=dict(run.answers.refused().most_common()),
        retried=run.story.retries(),
        breaker=run.breaker,
        kills=run.kills,
        finding=finding,
        chains=run.chains,
    )


def draw_summary(console: Console, summary: Summary) -> None:
    """Print the summary for people."""
    console.print()
    table = Table(title="What happened", show_header=False, box=None, title_justify="left", title_style="bold")
    for name, value in _rows(summary):
        table.add_row(f"[dim]{name}[/]", value)
    console.print(table)
    _draw_doubts(console, summary.finding)
    for tenant, found in summary.chains.items():
        mark = "[green]verified[/]" if found["ok"] else f"[bold red]{escape(str(found['problem']))}[/]"
        console.print(f"ledger of {escape(tenant)}: {found['entries']} entries, {mark}", soft_wrap=True)
    for problem in summary.finding.problems:
        console.print(f"[bold red]does not add up[/] {escape(problem)}", soft_wrap=True)
    verdict = "[bold green]Everything adds up.[/]" if summary.ok else "[bold red]It does not add up.[/]"
    console.print(f"\n{verdict} [dim]Its configuration, store, exports and the CRM's log are kept:[/]", soft_wrap=True)
    console.print(f"[dim]files[/] {escape(summary.folder)}", soft_wrap=True)


def _rows(summary: Summary) -> list[tuple[str, str]]:
    finding = summary.finding
    states = "  ".join(f"{styled(state)} {count}" for state, count in summary.states.items())
    refused = "  ".join(f"{escape(code)} {count}" for code, count in summary.refused.items())
    cancels = "  ".join(f"{escape(what)} {count}" for what, count in summary.cancels.items())
    limit = "green" if finding.effects_per_key_max <= 1 else "bold red"
    return [
        ("requests sent", f"{summary.requests}, of which {summary.repeats} found an earlier action again"),
        ("actions submitted", str(summary.submitted)),
        ("outcomes", states),
        ("wishes to cancel", cancels or "none"),
        ("refused, by code", refused or "none"),
        ("retries", str(summary.retried)),
        ("breaker", " > ".join(styled(state) for state in summary.breaker) or "closed"),
        ("CRM killed", str(summary.kills)),
        ("effects in the CRM's log", str(finding.effects)),
        ("most effects for one key", f"[{limit}]{finding.effects_per_key_max}[/]"),
        ("in doubt", str(len(finding.doubts))),
    ]


def _draw_doubts(console: Console, finding: Finding) -> None:
    for doubt in finding.doubts:
        truth = "the CRM did it" if doubt.effects else "the CRM did not do it"
        console.print(
            f"  [magenta]in doubt[/] {escape(doubt.intent)} {escape(doubt.tool)} of {escape(doubt.tenant)}"
            f" [dim]({truth})[/]",
            soft_wrap=True,
        )
