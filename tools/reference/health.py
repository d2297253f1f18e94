"""The page of dependency health: states and moves with their diagram, from the one table, then every public name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from switchgear.health.pace import Leave, leave_of
from switchgear.health.standing import Health, Standing
from switchgear.health.transitions import TRANSITIONS, Move
from tools.reference.health_names import health_names
from tools.reference.markdown import GENERATED, page, table

_STATES: Mapping[Health, str] = {
    Health.HEALTHY: "It answers rightly, and lately.",
    Health.DEGRADED: "It answers, but slowly or not always.",
    Health.RECOVERING: "It answers again, or for the first time, and not often enough yet.",
    Health.UNHEALTHY: "It does not answer, answers wrongly, or an operator took it out.",
    Health.UNKNOWN: "It was never seen, or not for so long that what was seen says nothing.",
}

_MEANINGS: Mapping[Move, str] = {
    Move.ANSWERED: "The first right answer.",
    Move.CONFIRMED: "`up_after` right and quick answers in a row.",
    Move.WORN: "A `degraded_rate` of the latest ten answers was slow or missing, or a recovery ends with a slow one.",
    Move.STEADIED: "`up_after` right and quick answers in a row.",
    Move.FAILED: "`down_after` observations in a row without a right answer.",
    Move.RELAPSED: "One observation without a right answer.",
    Move.SILENT: "No right answer for `freshness`. Unhealthy lasts longer: nothing at all for `freshness`, and for "
    "probes `backoff_max` more.",
    Move.RECHECKED: "The source that said it was down fell silent, or an operator's word was withdrawn: what this "
    "source said meanwhile is confirmed anew.",
}

_PACES: Mapping[Leave, str] = {Leave.ALL: "run", Leave.SOME: "slow down; heavy ones pause", Leave.NOTHING: "pause"}

_HEAD = f"""# Health of dependencies

{GENERATED}
Where a dependency stands, and how that changes. How to use it: [Watch a dependency](../how-to/watch-a-dependency.md).
Why: [Absence is not evidence](../explanation/absence-is-not-evidence.md). Below:
[the options of a dependency](#dependency) and [every public name](#the-library) of `switchgear.health`.

## States

A state *vouches* when a destructive operation may rest on it, and then only without a doubt: the youngest observation
of each source is a right answer, and less of the traffic failed than makes it degraded.
"""

_SOURCES = """## Moves of one source

Calls and probes are judged apart, each by this table. The standing of the dependency is the worst of those that speak:
green probes do not clear failing traffic. A source that is unknown does not speak. One that has only begun to answer
speaks when no other has decided. An operator's word counts as unhealthy until it is withdrawn. A dependency that
changes its state more than `flap_changes` times in `flap_window` is *flapping*: it needs twice as many right answers in
a row, and up to eight times as many if it goes on.
"""


def health_page() -> str:
    """Return docs/reference/health.md."""
    return page([_HEAD, *_states(), _SOURCES, *_diagram(), *_moves(), *health_names()])


def _states() -> Iterator[str]:
    rows = [
        (f"`{state}`", "yes" if _vouches(state) else "", _PACES[leave_of(state)], _STATES[state]) for state in Health
    ]
    yield from table(("State", "Vouches", "Pollers", "Meaning"), rows)


def _vouches(state: Health) -> bool:
    return Standing(name="", state=state, critical=False, age=0.0, state_age=0.0).vouches


def _diagram() -> Iterator[str]:
    yield "```mermaid\nstateDiagram-v2"
    yield f"    [*] --> {Health.UNKNOWN}"
    for move, (sources, target) in TRANSITIONS.items():
        yield from (f"    {source} --> {target}: {move}" for source in sorted(sources) if source is not target)
    yield "```\n"


def _moves() -> Iterator[str]:
    rows = [
        (f"`{move}`", ", ".join(f"`{source}`" for source in sorted(sources)), f"`{target}`", _MEANINGS[move])
        for move, (sources, target) in TRANSITIONS.items()
    ]
    yield from table(("Move", "From", "To", "When"), rows)
