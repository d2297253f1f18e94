"""Tables and failures for people: what must not fold, and which words a row has."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict
from switchgear.surfaces.cli.failures import failure_of_error, failure_of_interrupt
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.rendering import (
    draw_breakers,
    draw_check,
    draw_entries,
    draw_events,
    draw_intent,
    draw_intents,
)

ID = "int_019a" + "0" * 28
INTENT: dict[str, Any] = {
    "id": ID,
    "tool": "crm.create_order",
    "account": "main",
    "actor": "service:orders",
    "state": "dispatched",
    "effect": "keyed",
    "key": "order-17",
    "arguments": {},
    "attempts": 1,
    "attempts_max": 3,
    "created_at": 0.0,
    "updated_at": 0.0,
    "deadline_at": 60.0,
    "not_before": None,
    "value": None,
    "code": "DEPENDENCY_FAILED",
    "message": "",
    "waiting_for": None,
    "cancel_requested": True,
    "final": False,
    "trace": "0" * 32,
}
EVENT: dict[str, Any] = {
    "seq": 1234,
    "stream": ID,
    "type": "intent.retry_scheduled",
    "at": 0.0,
    "facts": {"code": "DEPENDENCY_FAILED", "wait": 0.5},
    "hash": "f" * 64,
}
BREAKER: dict[str, Any] = {
    "dependency": "crm",
    "state": "half_open",
    "retry_after": 12.0,
    "failure_rate": 0.5,
    **dict.fromkeys(("calls", "failures", "refused", "opened", "in_flight", "queued"), 1),
}


def shown(draw: Any, view: Any, width: int = 80) -> list[str]:  # noqa: ANN401 - each view has its own shape
    """Return what `draw` prints of `view` on a console of `width` characters, by line."""
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        draw(console, view)
    return captured.get().splitlines()


@pytest.mark.parametrize(
    ("draw", "view", "whole"),
    [
        (draw_intents, {"items": [INTENT]}, (ID, "dispatched")),
        (draw_events, [EVENT], ("1234", "intent.retry_scheduled")),
        (draw_entries, [EVENT], ("1234", ID)),
        (draw_breakers, [BREAKER], ("crm", "half_open")),
    ],
)
def test_table_fits_80_columns_without_folding_ids_or_headings(draw: Any, view: Any, whole: tuple[str, ...]) -> None:  # noqa: ANN401 - as above
    """What is copied, an id or a state, stands on one line at 80 columns, and so do the headings."""
    lines = shown(draw, view)
    wide = shown(draw, view, 200)
    assert all(any(word in line for line in lines) for word in whole)
    assert set(lines[0].split()) <= set(wide[0].split())
    assert all(word in lines[1] for word in whole)
    assert max(map(len, lines)) <= 80
    assert len(wide) == 2


def test_events_of_one_action_do_not_repeat_its_id() -> None:
    """The id was asked for; the place belongs to the facts."""
    assert not any(ID in line for line in shown(draw_events, [EVENT], 200))


def test_count_that_the_caller_may_not_see_is_empty() -> None:
    """Counts over all tenants are unknown to one tenant, and unknown is not a word in a table."""
    hidden = {name: None for name in BREAKER if name not in ("dependency", "state")}
    assert "None" not in "".join(shown(draw_breakers, [{**BREAKER, **hidden}]))


def test_asked_cancellation_is_said() -> None:
    """Who cancels what has left reads that the wish is on record and that its outcome still counts."""
    row = "      cancel  requested; it had already left, so its outcome still counts"
    assert row in shown(draw_intent, INTENT)
    for other in ({"cancel_requested": False}, {"state": "cancelled"}):
        assert row not in shown(draw_intent, {**INTENT, **other})


def test_times_of_an_action_say_utc() -> None:
    """A moment without its zone is read as local time."""
    assert "     created  1970-01-01 00:00:00 UTC" in shown(draw_intent, INTENT)


def test_check_shows_warnings_before_its_verdict() -> None:
    """A credential that is not set is worth a word, and no failure."""
    found = {"file": "switchgear.toml", "tools": ["a"], "warnings": ["[x] is not set"]}
    assert shown(draw_check, found) == ["warning [x] is not set", "fine switchgear.toml: 1 tools"]


def test_conflict_says_how_the_first_request_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """The state that a conflict carries is that of the first request, and is called so."""
    error = Conflict(code=Code.IDEMPOTENCY_CONFLICT, policy="idempotency", state="succeeded")
    Output(as_json=False).fail(failure_of_error(error))
    assert "first request: succeeded" in capsys.readouterr().err


def test_interrupt_is_told_without_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing failed, so there is no code: one line says what goes on."""
    Output(as_json=False).fail(failure_of_interrupt("int_1 goes on", intent="int_1"))
    assert capsys.readouterr().err == "int_1 goes on\n"
