"""How it is drawn what became of a doubt about an action, and what an action belongs to. Rows for `draw_intent`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rich.markup import escape

from switchgear.surfaces.cli.rendering import (
    View,
    changes_of_box,
    end_of_box,
    moment,
    revert_of_box,
    span,
    state_of_box,
    styled,
    why_box_waits,
)

_KINDS = {"compensate": "compensation"}
"""What an action is to what caused it, where the word of its purpose is none for that."""
_TO_COME = ("open", "needs_operator")
"""States of a time-box that may still be reverted."""

Rows = Iterator[tuple[str, str]]
"""Names and values, in markup; what is empty is not shown."""


def resolution_rows(intent: View) -> Rows:
    """Yield what became of the newest doubt: who said so, when and why; and what is awaited until that counts."""
    said = intent.get("resolution")
    if not said:
        return
    words = said["words"]
    if said["awaits"]:
        for word in words:
            yield ("proposed" if said["verdict"] else "said", f"{_verdict(word)} {_word(word)}")
            yield ("value then", _json(word["proposed_value"]))
        yield ("awaits", escape(said["next_step"]))
        return
    found = f"{_verdict(said)}, as {escape(said['lookup'] or 'a lookup')} found"
    yield ("resolved", f"{_verdict(said)} {_word(said)}" if said["by"] else found)
    for word in words[:-1]:
        yield ("before", f"{_verdict(word)} {_word(word)}")
    yield ("the doubt", _doubt(said["doubt"]))


def belonging_rows(intent: View) -> Rows:
    """Yield what an action belongs to: its time-box, its saga, what caused it, its generation and newest replay."""
    yield ("time-box", _time_box(intent))
    if box := intent.get("time_box"):
        yield from changes_of_box(box)
        yield ("revert", _revert(box))
    if saga := intent.get("saga"):
        yield (
            "saga",
            f"{escape(saga['id'])} {styled(saga['saga_state'])}, step {escape(saga['step'])} {saga['phase']}",
        )
        for name, other in (("done by", saga["intent"]), ("undone by", saga["compensation"])):
            yield (name, "" if other == intent["id"] else escape(other or ""))
    yield ("unreadable", _unreadable(intent.get("unreadable")))
    yield ("looked up", f"by {escape(intent['lookup'])}" if intent.get("lookup") else "")
    yield ("cause", _cause(intent.get("causation")))
    yield ("generation", str(intent["generation"]) if intent.get("generation", 1) > 1 else "")
    yield ("replay", _replay(intent.get("replay")))


def _verdict(said: View) -> str:
    return str(said["verdict"]).replace("_", " ")


def _word(said: View) -> str:
    why = "" if said["evidence"] is None else f": {escape(said['evidence'])}"
    return f"by {escape(said['by'])} at {moment(said['at'])}{why}"


def _doubt(doubt: View) -> str:
    since = f"since {moment(doubt['since'])}" if doubt["since"] is not None else ""
    return " ".join(filter(None, (since, escape(doubt["code"] or ""), escape(doubt["message"]))))


def _time_box(intent: View) -> str:
    """Return until when the time-box of an action lasts, or for how long before it has left."""
    box = intent.get("time_box")
    if not box:
        seconds = intent.get("revert_after")
        return f"reverted {span(seconds)} after it leaves" if seconds else ""
    until = "ended early, was set until" if box["begun_early"] else "until"
    return f"{until} {end_of_box(box)}; {state_of_box(box)}"


def _revert(box: View) -> str:
    """Return what reverts an action, who has begun that, and why it does not go on."""
    to_come = f"by {escape(box['undo'])}" if box["state"] in _TO_COME else ""
    return ": ".join(filter(None, (revert_of_box(box) or to_come, why_box_waits(box))))


def _unreadable(names: Sequence[str] | None) -> str:
    """Return what of an action cannot be shown since it is damaged, and what says more."""
    return f"its {' and '.join(names)}; see: switchgear explain LEDGER_CORRUPT" if names else ""


def _cause(cause: View | None) -> str:
    if not cause:
        return ""
    of = ", in ".join(escape(cause[name]) for name in ("intent", "saga") if cause[name])
    by = f", asked for by {escape(cause['by'])}" if cause["by"] else ""
    kind = str(cause["kind"])
    return f"{escape(_KINDS.get(kind, kind))} of {of}{by}"


def _replay(replay: View | None) -> str:
    if not replay:
        return ""
    end = " ".join(escape(replay[name]) for name in ("result", "cause", "refusal") if replay[name]) or "under way"
    asked = f"{escape(replay['mode'])} by {escape(replay['requested_by'])} at {moment(replay['requested_at'])}"
    return f"{asked}: {end}"


def _json(value: object) -> str:
    return "" if value is None else escape(json.dumps(value, ensure_ascii=False))
