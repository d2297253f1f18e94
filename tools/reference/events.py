"""The page of events and states, with its diagram, from the one table of transitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from switchgear.execution.transitions import FINAL, TRANSITIONS, Kind, State
from tools.reference.markdown import GENERATED, page, table
from tools.reference.sagas import saga_events
from tools.reference.time_boxes import time_box_events

_STATES: Mapping[State, str] = {
    State.PROPOSED: "Asked for, and not yet on record. Never stored.",
    State.PENDING_APPROVAL: "On record. People must approve it before it may leave.",
    State.READY: "On record. It runs as soon as queue, gates and guard let it.",
    State.HELD: "On record, and something stands in its way: a kill switch, a budget, a changed or unknown tool, a "
    "dependency that is not healthy. It keeps its place, says why, and goes on when that has changed.",
    State.DISPATCHED: "An attempt may have left. Written durably before its first byte leaves.",
    State.NOT_APPLIED: "The attempt is known to have changed nothing.",
    State.IN_DOUBT: "Whether the attempt happened is not known.",
    State.RECONCILING: "A lookup is finding out whether it happened.",
    State.NEEDS_OPERATOR: "No rule can tell whether it happened. A person must.",
    State.SUCCEEDED: "It happened. The value is on record.",
    State.FAILED: "It did not happen, and is not tried again. A write goes on to be a dead letter.",
    State.ABANDONED: "A person gave up to find out whether it happened.",
    State.DEAD_LETTERED: "It failed or was abandoned, and is kept until a person requeues or discards it.",
    State.DISCARDED: "A person put a dead letter away.",
    State.DENIED: "A gate or the guard refused it for good before it left.",
    State.REJECTED: "A person refused to approve it.",
    State.CANCELLED: "It was called off before it happened.",
    State.EXPIRED: "Its deadline passed before it left.",
}

_MEANINGS: Mapping[Kind, str] = {
    Kind.ACCEPTED: "The request was recorded and its key bound. Only then is it acknowledged.",
    Kind.APPROVAL_REQUESTED: "A rule asks for approval. Names rule, quorum, expiry, and the digest of what is granted.",
    Kind.APPROVAL_GIVEN: "One person said yes. Names who and through which channel.",
    Kind.APPROVED: "Enough people said yes.",
    Kind.APPROVAL_WITHDRAWN: "Somebody took a yes back before it left.",
    Kind.REJECTED: "Somebody said no.",
    Kind.HELD: "Something stands in its way. Names the code.",
    Kind.RELEASED: "What stood in its way has changed.",
    Kind.FORCED: "A person let its next attempt leave although a dependency does not vouch. Names who, until when, and "
    "what it overrides.",
    Kind.DEFERRED: "A guard or gate asked to come back later.",
    Kind.DISPATCHED: "The next attempt is about to leave. Names attempt and owner.",
    Kind.SUCCEEDED: "The attempt happened.",
    Kind.NOT_APPLIED: "The attempt changed nothing: a definite refusal, or it never connected.",
    Kind.IN_DOUBT: "No usable answer came, or the repeat that was to settle an earlier doubt will not take place, or "
    "the store came from a backup and has forgotten what happened since (`restored`).",
    Kind.RECONCILING: "A lookup began. Names it.",
    Kind.NEEDS_OPERATOR: "No rule can settle the doubt.",
    Kind.RESOLUTION_PROPOSED: "A person said what became of it, which does not count yet. Names who, and what is "
    "awaited: a second person who says the same, or agreement, where another one has said something else; the evidence "
    "is its payload.",
    Kind.ABANDONED: "A person gave up to find out.",
    Kind.RETRY_SCHEDULED: "Another attempt will follow. Names the code, the wait, and the attempts left.",
    Kind.FAILED: "No further attempt will follow.",
    Kind.DEAD_LETTERED: "It is kept for a person to decide.",
    Kind.REQUEUED: "A person set it going again, with the same keys.",
    Kind.DISCARDED: "A person put it away. Names the reason.",
    Kind.DENIED: "A gate or the guard refused it for good.",
    Kind.CANCEL_REQUESTED: "Somebody asked to cancel after it had left. This never hides its outcome.",
    Kind.CANCELLED: "It was cancelled.",
    Kind.EXPIRED: "Its deadline, or that of its approval, passed before it left.",
    Kind.REPLAY_REQUESTED: "Somebody asked for a replay. Names who, why, and the mode.",
    Kind.REPLAY_STARTED: "The replay began.",
    Kind.REPLAY_COMPLETED: "The replay ended. Names its result.",
    Kind.REPLAY_FAILED: "The replay ended without its result. Names the cause.",
    Kind.REEXECUTED: "It begins anew, as another generation with a downstream key of its own.",
    Kind.ADOPTED: "The engine that went on with it is lost, and another one does now. Names both. Only on a store that "
    "several engines share.",
}

_HEAD = f"""# Events and states

{GENERATED}
An intent is an action on record. Its state is a fold over its events, and the events are entries of its tenant's
ledger. Each event may happen in the states that its row names, and nowhere else.
"""

_ANYWHERE = frozenset(
    {Kind.REPLAY_REQUESTED, Kind.REPLAY_STARTED, Kind.REPLAY_COMPLETED, Kind.REPLAY_FAILED, Kind.ADOPTED}
)
"""Events that happen in every state, or every open one, and change none: left out of the diagram."""

_OTHERS = (
    ("`admission.refused`", "the tenant's", "Requests refused before they became intents, counted by tool and code."),
    ("`budget.soft_limit`", "the tenant's", "A budget reached its soft share: once a period."),
    ("`budget.exhausted`", "the tenant's", "A budget is spent, or could not cover an action: once a period."),
    ("`platform.budgets_read`", "the platform's", "Somebody read the spending of every tenant. Names who."),
    (
        "`platform.ledger_read`",
        "the platform's",
        "Somebody of a tenant read this chain. Names who, and what was asked.",
    ),
    ("`platform.in_flight_read`", "the platform's", "Who tripped a switch was shown what of all tenants had left."),
    ("`kill_switch.tripped`", "of who set it", "A kill switch was set, or made stricter. Names target and mode."),
    ("`kill_switch.released`", "of who set it", "A kill switch was taken off. Names who had tripped it."),
    ("`ledger.backed_up`", "the platform's", "The store was copied. Names the file and its digest."),
    ("`ledger.restored`", "the platform's", "This store was made of a backup. Names its time and the ends of chains."),
    ("`ledger.thawed`", "the platform's", "Somebody let a restored store go on. Names since when it has forgotten."),
    ("`breaker.opened`", "the platform's", "The breaker of a dependency opened."),
    ("`breaker.half_opened`", "the platform's", "It lets probes through."),
    ("`breaker.closed`", "the platform's", "Its probes succeeded."),
    ("`dependency.healthy`", "the platform's", "A dependency is well by fresh right answers in a row."),
    ("`dependency.degraded`", "the platform's", "It answers, but slowly or not always."),
    ("`dependency.recovering`", "the platform's", "It answers again, not yet often enough."),
    ("`dependency.unhealthy`", "the platform's", "It does not answer, or wrongly. Says when it is asked again."),
    ("`dependency.unknown`", "the platform's", "Nothing was heard of it for longer than its freshness."),
)


def events_page() -> str:
    """Return docs/reference/events.md."""
    return page([_HEAD, *_states(), *_diagram(), *_events(), *time_box_events(), *saga_events(), *_others()])


def _states() -> Iterator[str]:
    yield "## States\n"
    rows = [(f"`{state}`", "yes" if state in FINAL else "", _STATES[state]) for state in State]
    yield from table(("State", "Final", "Meaning"), rows)


def _diagram() -> Iterator[str]:
    yield "```mermaid\nstateDiagram-v2"
    yield f"    [*] --> {State.PROPOSED}"
    for kind, (sources, target) in TRANSITIONS.items():
        for source in sorted(sources) if kind not in _ANYWHERE else ():
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
