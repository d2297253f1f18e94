"""The page of events and states, with its diagram, from the one table of transitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from switchgear.execution.intent import FINAL, TRANSITIONS, Kind, State
from tools.reference.markdown import GENERATED, page, table

_STATES: Mapping[State, str] = {
    State.PROPOSED: "Asked for, and not yet on record. Never stored.",
    State.READY: "On record. It runs as soon as queue, gates and guard let it.",
    State.HELD: "On record, but its tool is not registered here. It waits; it is never failed for that.",
    State.DISPATCHED: "An attempt may have left. Written durably before its first byte leaves.",
    State.NOT_APPLIED: "The attempt is known to have changed nothing.",
    State.IN_DOUBT: "Whether the attempt happened is not known.",
    State.SUCCEEDED: "It happened. The value is on record.",
    State.FAILED: "It did not happen, and is not tried again.",
    State.DENIED: "A gate or the guard refused it for good before it left.",
    State.CANCELLED: "It was called off before it happened.",
    State.EXPIRED: "Its deadline passed before it left.",
}

_MEANINGS: Mapping[Kind, str] = {
    Kind.ACCEPTED: "The request was recorded and its key bound. Only then is it acknowledged.",
    Kind.HELD: "Its tool is not registered here.",
    Kind.RELEASED: "Its tool is registered again.",
    Kind.DEFERRED: "A guard or gate asked to come back later.",
    Kind.DISPATCHED: "The next attempt is about to leave. Names attempt and owner.",
    Kind.SUCCEEDED: "The attempt happened.",
    Kind.NOT_APPLIED: "The attempt changed nothing: a definite refusal, or it never connected.",
    Kind.IN_DOUBT: "No usable answer came, or the repeat that was to settle an earlier doubt will not take place.",
    Kind.RETRY_SCHEDULED: "Another attempt will follow. Names the code, the wait, and the attempts left.",
    Kind.FAILED: "No further attempt will follow.",
    Kind.DENIED: "A gate or the guard refused it for good.",
    Kind.CANCEL_REQUESTED: "Somebody asked to cancel after it had left. This never hides its outcome.",
    Kind.CANCELLED: "It was cancelled.",
    Kind.EXPIRED: "Its deadline passed before it left.",
}

_HEAD = f"""# Events and states

{GENERATED}
An intent is an action on record. Its state is a fold over its events, and the events are entries of its tenant's
ledger. Each event may happen in the states that its row names, and nowhere else.
"""

_OTHERS = (
    ("`admission.refused`", "the tenant's", "Requests refused before they became intents, counted by tool and code."),
    ("`breaker.opened`", "the platform's", "The breaker of a dependency opened."),
    ("`breaker.half_opened`", "the platform's", "It lets probes through."),
    ("`breaker.closed`", "the platform's", "Its probes succeeded."),
)


def events_page() -> str:
    """Return docs/reference/events.md."""
    return page([_HEAD, *_states(), *_diagram(), *_events(), *_others()])


def _states() -> Iterator[str]:
    yield "## States\n"
    rows = [(f"`{state}`", "yes" if state in FINAL else "", _STATES[state]) for state in State]
    yield from table(("State", "Final", "Meaning"), rows)


def _diagram() -> Iterator[str]:
    yield "```mermaid\nstateDiagram-v2"
    yield f"    [*] --> {State.PROPOSED}"
    for kind, (sources, target) in TRANSITIONS.items():
        for source in sorted(sources):
            yield f"    {source} --> {target or source}: {_word(kind)}"
    yield from (f"    {state} --> [*]" for state in sorted(FINAL))
    yield "```\n"


def _events() -> Iterator[str]:
    yield "## Events of an intent\n"
    rows = [
        (f"`{kind}`", ", ".join(f"`{source}`" for source in sorted(sources)), _after(target), _MEANINGS[kind])
        for kind, (sources, target) in TRANSITIONS.items()
    ]
    yield from table(("Event", "Allowed in", "Leads to", "Meaning"), rows)


def _others() -> Iterator[str]:
    yield "## Other events\n"
    yield from table(("Event", "Chain", "Meaning"), _OTHERS)


def _after(target: State | None) -> str:
    return "the same state" if target is None else f"`{target}`"


def _word(kind: Kind) -> str:
    return str(kind).removeprefix("intent.")
