"""The part of the page of events that is about time-boxes, from their own table of transitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from switchgear.execution.time_boxes.box import BOX_TRANSITIONS, ENDED, BoxKind, BoxState
from tools.reference.markdown import table

_STATES: Mapping[BoxState, str] = {
    BoxState.OPEN: "The action left, and holds until its end.",
    BoxState.VOIDED: "The action proved not applied, so there is nothing to revert.",
    BoxState.REVERTING: "The revert is on record as an intent, and under way or held.",
    BoxState.REVERTED: "The revert succeeded.",
    BoxState.NEEDS_OPERATOR: "A person must decide: something has changed meanwhile, the revert failed, or nobody "
    "knows whether the action happened.",
    BoxState.CLOSED: "A person ended it without a revert: the action stays.",
}

_MEANINGS: Mapping[BoxKind, str] = {
    BoxKind.OPENED: "Written in the append of `intent.dispatched`. Names the intent, what reverts it, and when.",
    BoxKind.VOIDED: "Written in the append that says that the action was not applied.",
    BoxKind.EXTENDED: "Somebody moved its end. Names who, and why.",
    BoxKind.REVERTING: "The revert began, and its intent was accepted in the same append. Names who began it, and says "
    "whether that was early.",
    BoxKind.REVERTED: "The revert succeeded. Names its intent.",
    BoxKind.NEEDS_OPERATOR: "A person was called. Names the code.",
    BoxKind.CLOSED: "Somebody ended it without a revert. Names who, and why.",
}


def time_box_events() -> Iterator[str]:
    """Return the sections about time-boxes."""
    yield "## Events of a time-box\n"
    yield (
        "A time-box has a stream of its own, `time_box.` and its id, in its tenant's chain. Its id is that of its "
        "intent.\n"
    )
    states = [(f"`{state}`", "yes" if state in ENDED else "", _STATES[state]) for state in BoxState]
    yield from table(("State", "Final", "Meaning"), states)
    yield from table(
        ("Event", "Allowed in", "Leads to", "Meaning"),
        [
            (f"`{kind}`", _in_words(sources), f"`{target}`" if target else "the same state", _MEANINGS[kind])
            for kind, (sources, target) in BOX_TRANSITIONS.items()
        ],
    )


def _in_words(sources: frozenset[BoxState | None]) -> str:
    named = [f"`{state}`" for state in BoxState if state in sources]
    return ", ".join(["none yet", *named] if None in sources else named)
