"""Tables and failures for people: what must not fold, and which words a row has."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Rejected
from switchgear.surfaces.cli.breakers import draw_breakers
from switchgear.surfaces.cli.deadletters import draw_letters
from switchgear.surfaces.cli.dependencies import draw_dependencies, draw_destructive
from switchgear.surfaces.cli.failures import failure_of_error, failure_of_interrupt, failure_of_problem
from switchgear.surfaces.cli.intents import draw_intent, draw_intents
from switchgear.surfaces.cli.output import Output
from switchgear.surfaces.cli.rendering import counted, draw_entries, draw_events, span, times
from switchgear.surfaces.cli.replaying import draw_items
from switchgear.surfaces.cli.serving import draw_check
from switchgear.surfaces.cli.tools import draw_change

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

DEPENDENCY: dict[str, Any] = {
    "name": "redis",
    "state": "unhealthy",
    "state_age": 75.0,
    "retry_after": 12.0,
    "kind": "redis",
    "critical": False,
    "age": 90.0,
    "reason": "probes: ConnectionError",
    "flapping": False,
    "vouches": False,
}
DESTRUCTIVE: dict[str, Any] = {
    "operation": "crm.purge",
    "requires": ["crm"],
    "where": None,
    "passed": 0,
    "blocked": 1,
    "last_blocked": {"at": 0.0, "code": "DESTRUCTIVE_BLOCKED", "message": "crm is down"},
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
        (draw_dependencies, [DEPENDENCY], ("redis", "unhealthy", "12 s")),
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


def test_a_breaker_that_waits_for_nothing_tells_no_time() -> None:
    """No seconds stand beside a closed breaker, which lets everything through."""
    closed = {**BREAKER, "state": "closed", "retry_after": 0.0}
    assert "0.0 s" not in "".join(shown(draw_breakers, [closed], 200))


def test_a_breaker_of_ones_own_is_named_only_while_it_refuses() -> None:
    """A tenant whose credentials are refused reads that it alone waits; one whose are not reads nothing of it."""
    refused = {**BREAKER, "tenant_state": "open", "tenant_retry_after": 12.0}
    assert "crm: your tenant's own breaker is open, retry in 12.0 s" in "".join(shown(draw_breakers, [refused], 200))
    assert "own breaker" not in "".join(shown(draw_breakers, [{**refused, "tenant_state": "closed"}], 200))


def test_a_dependency_says_that_it_is_critical_and_flaps() -> None:
    """What cannot be relied on is named as such; what a tenant may not see is empty."""
    (_, line) = shown(draw_dependencies, [{**DEPENDENCY, "critical": True, "flapping": True}], 200)
    assert "redis (critical)" in line
    assert "unhealthy (flapping)" in line
    assert "1 min 15 s" in line
    hidden = {name: None for name in DEPENDENCY if name not in ("name", "state", "state_age")}
    assert "None" not in "".join(shown(draw_dependencies, [{**DEPENDENCY, **hidden}]))


def test_a_destructive_operation_says_when_it_was_blocked_last_and_why() -> None:
    """Never is empty."""
    blocked, never = shown(draw_destructive, [DESTRUCTIVE, {**DESTRUCTIVE, "last_blocked": None}], 200)[1:]
    assert "1970-01-01T00:00:00.000Z" in blocked
    assert "DESTRUCTIVE_BLOCKED: crm is down" in blocked
    assert never.split() == ["crm.purge", "crm"]


def test_asked_cancellation_is_said() -> None:
    """Who cancels what has left reads that the wish is on record and that its outcome still counts."""
    row = "      cancel  requested; it had already left, so its outcome still counts"
    assert row in shown(draw_intent, INTENT)
    for other in ({"cancel_requested": False}, {"state": "cancelled"}):
        assert row not in shown(draw_intent, {**INTENT, **other})


def test_times_of_an_action_say_utc() -> None:
    """A moment without its zone is read as local time."""
    assert "     created  1970-01-01T00:00:00.000Z" in shown(draw_intent, INTENT)


def test_check_shows_warnings_before_its_verdict() -> None:
    """A credential that is not set is worth a word, and no failure."""
    found = {"file": "switchgear.toml", "tools": ["a"], "warnings": ["[x] is not set"]}
    assert shown(draw_check, found) == ["warning [x] is not set", "fine switchgear.toml: 1 tool"]


def test_conflict_says_how_the_first_request_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """The state that a conflict carries is that of the first request, and is called so."""
    error = Conflict(code=Code.IDEMPOTENCY_CONFLICT, policy="idempotency", state="succeeded")
    Output(as_json=False).fail(failure_of_error(error))
    assert "first request: succeeded" in capsys.readouterr().err


def test_interrupt_is_told_without_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing failed, so there is no code: one line says what goes on."""
    Output(as_json=False).fail(failure_of_interrupt("int_1 goes on", intent="int_1"))
    assert capsys.readouterr().err == "int_1 goes on\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (0.25, "250 ms"),
        (1.0, "1 s"),
        (59.2, "1 min"),
        (3600.0, "1 h"),
        (45_960.0, "12 h 46 min"),
        (90_061.0, "1 d 1 h"),
    ],
)
def test_span_is_said_in_its_two_largest_units(seconds: float, words: str) -> None:
    """People are told hours and minutes, never a power of ten."""
    assert span(seconds) == words


def test_numbers_agree_with_their_nouns() -> None:
    """One action, two actions; once, twice, three times."""
    assert [counted(number, "action") for number in (0, 1, 2)] == ["0 actions", "1 action", "2 actions"]
    assert [times(number) for number in (1, 2, 3)] == ["once", "twice", "3 times"]


def test_failure_says_in_words_when_to_try_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A budget that is full until tomorrow says so in hours."""
    Output(as_json=False).fail(failure_of_error(Rejected("full", code=Code.BUDGET_EXCEEDED, retry_after=45_960.0)))
    assert "try again in 12 h 46 min" in capsys.readouterr().err


def test_what_is_wrong_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A problem with one error that its detail has word for word does not repeat it."""
    problem = {"detail": "/mode: bad", "errors": [{"where": "/mode", "message": "bad"}]}
    Output(as_json=False).fail(failure_of_problem(problem, 400, where=""))
    assert capsys.readouterr().err.count("/mode: bad") == 1


@pytest.mark.parametrize(
    ("facts", "payload", "shows"),
    [
        ({"step": "reserve", "intent": ID}, None, f"step=reserve intent={ID}"),
        (
            {"requested_by": "person:ada", "mode": "verify"},
            {"replay_reason": "audit"},
            "requested_by=person:ada “audit”",
        ),
        (
            {"cause": "gate", "refusal": "QUEUE_FULL"},
            {"detail": "no place"},
            "cause=gate refusal=QUEUE_FULL “no place”",
        ),
        ({"resolved_by": "person:ada"}, {"evidence": "a\nb", "value": 1}, "resolved_by=person:ada “a b”"),
        ({"wait": 45_960.0}, "erased", "wait=12 h 46 min"),
        ({"seconds": 4_200.0, "undo": "door.lock"}, None, "duration=1 h 10 min undo=door.lock"),
    ],
)
def test_telling_facts_of_an_event_stand_beside_it(facts: Any, payload: Any, shows: str) -> None:  # noqa: ANN401 - as JSON has them
    """Who, why and which step is read without --json, on one line."""
    assert shows in shown(draw_events, [{**EVENT, "facts": facts, "payload": payload}], 200)[1]


def test_who_resolved_a_doubt_and_why_is_shown() -> None:
    """An outcome that a person vouched for names the person and the evidence."""
    said = {"verdict": "applied", "awaits": None, "by": "person:ada", "at": 0.0, "evidence": "order [7]"}
    doubt = {"since": 0.0, "code": "TIMEOUT_INTENT_EXECUTE", "message": "no [answer]"}
    first = {"by": "person:ben", "verdict": "applied", "at": 0.0, "evidence": None}
    lines = shown(
        draw_intent, {**INTENT, "resolution": {**said, "lookup": None, "words": [first, said], "doubt": doubt}}
    )
    assert "    resolved  applied by person:ada at 1970-01-01T00:00:00.000Z: order [7]" in lines
    assert "      before  applied by person:ben at 1970-01-01T00:00:00.000Z" in lines
    assert "   the doubt  since 1970-01-01T00:00:00.000Z TIMEOUT_INTENT_EXECUTE no [answer]" in lines


def test_one_of_many_replays_says_why_it_failed() -> None:
    """The code of a tool says little; the message of the tool stands beside it."""
    item = {
        "id": ID,
        "result": None,
        "cause": "error",
        "refusal": "TOOL_FAILED",
        "detail": "no such contact",
        "error": None,
    }
    lines = shown(draw_items, {"items": [item], "stopped": None, "next_cursor": None}, 120)
    assert lines == [f"  {ID}  error TOOL_FAILED no such contact"]


def test_change_of_a_tool_shows_both_contracts() -> None:
    """Who accepts a change sees what was accepted and what is there now; an unreadable record is named so."""
    tool = {"name": "crm.update", "changed": True, "version": "1", "contract": "b" * 64, "differences": []}
    lines = shown(draw_change, {**tool, "accepted_version": "1", "accepted_contract": "a" * 64})
    assert lines[1:] == [
        "  accepted  version 1, contract " + "a" * 64,
        "       now  version 1, contract " + "b" * 64,
        "   differs  it is not on record what the accepted contract was made of",
    ]
    assert (
        "nothing that can be read" in shown(draw_change, {**tool, "accepted_version": "", "accepted_contract": ""})[1]
    )


HELD: dict[str, Any] = {
    **INTENT,
    "state": "held",
    "cancel_requested": False,
    "code": "DESTRUCTIVE_BLOCKED",
    "message": "crm.purge was not begun: redis does not vouch for it, being healthy for 3 s.",
    "waiting_for": "DESTRUCTIVE_BLOCKED",
    "hindrance": {"policy": "destructive", "dependency": "redis", "state": "healthy", "retry_after": 2.0, "since": 0.0},
    "obstacle": {
        "code": "DESTRUCTIVE_BLOCKED",
        "message": "crm.purge was not begun: redis does not vouch for it, being unhealthy for 75 s.",
        "policy": "destructive",
        "dependency": "redis",
        "state": "unhealthy",
        "state_age": 75.0,
        "flapping": True,
        "retry_after": 4.0,
        "cause": {"source": "probe", "outcome": "absent", "age": 2.0, "detail": "Connection refused"},
    },
}


def _intent_lines(intent: dict[str, Any]) -> dict[str, str]:
    text = io.StringIO()
    draw_intent(Console(file=text, width=200, color_system=None), intent)
    rows = [line.strip().split("  ", 1) for line in text.getvalue().splitlines()[1:]]
    return {name: value.strip() for name, value in rows}


def test_a_held_intent_shows_what_is_true_now_and_what_was_recorded() -> None:
    """The person on call reads state, for how long, cause and next look; the first reason is told as such."""
    rows = _intent_lines(HELD)
    assert rows["reason"] == f"DESTRUCTIVE_BLOCKED {HELD['obstacle']['message']}"
    assert rows["because"] == "probe 2 s ago, no answer: Connection refused"
    waits = "DESTRUCTIVE_BLOCKED (redis unhealthy) for 1 min 15 s and flapping, looked at again in 4 s"
    assert rows["waits for"] == waits
    assert rows["held"] == "since 1970-01-01T00:00:00.000Z, redis healthy then"
    assert rows["see"] == "switchgear explain DESTRUCTIVE_BLOCKED"


def test_what_is_held_for_nothing_any_more_says_so() -> None:
    """Between recovery and release there is nothing to wait for, and nothing to mend."""
    assert _intent_lines({**HELD, "obstacle": None})["waits for"] == "nothing any more: it goes on by itself"


@pytest.mark.parametrize("state", ["in_doubt", "needs_operator"])
def test_a_doubt_names_the_command_that_settles_it(state: str) -> None:
    """Whoever looks at it need not read a runbook to find the command."""
    command = f"switchgear intents resolve {ID} --applied --evidence TEXT: it happened"
    assert _intent_lines({**HELD, "state": state})["next"].startswith(command)


@pytest.mark.parametrize("state", ["reconciling", "held", "succeeded"])
def test_what_no_word_of_a_person_ends_names_no_command(state: str) -> None:
    """A lookup that is under way is waited for, and what is in no doubt needs nobody."""
    assert "next" not in _intent_lines({**HELD, "state": state})


def test_an_event_tells_what_a_force_overrode() -> None:
    """Whoever reads the ledger after an incident sees which dependency was overridden, and how it stood."""
    over = [{"dependency": "redis", "state": "unhealthy"}, {"dependency": "vault", "state": "unknown"}]
    forced = {**EVENT, "type": "intent.forced", "facts": {"by": "person:ben", "overrode": over}}
    left = {**EVENT, "type": "intent.dispatched", "facts": {"forced": {"by": "person:ben", "overrode": over[:1]}}}
    text = io.StringIO()
    draw_events(Console(file=text, width=200, color_system=None), [forced, left])
    first, second = text.getvalue().splitlines()[1:]
    assert "overrode=redis (unhealthy), vault (unknown) by=person:ben" in first
    assert "forced=redis (unhealthy)" in second


@pytest.mark.parametrize("state", ["failed", "denied", "held", "pending_approval"])
def test_every_refusal_leads_to_its_runbook(state: str) -> None:
    """A code on a terminal is not yet an answer: the line below says where the answer is."""
    assert _intent_lines({**HELD, "state": state})["see"] == "switchgear explain DESTRUCTIVE_BLOCKED"


def test_a_doubt_that_waits_to_run_again_leads_to_its_cancelling() -> None:
    """A person who knows what became of the attempt reads how to come to say it."""
    told = _intent_lines({**HELD, "doubt_since": 90.0})["next"]
    assert told.startswith(f"switchgear intents cancel {HELD['id']} --reason TEXT")
    assert "next" not in _intent_lines({**HELD, "doubt_since": None})


def test_no_dead_letters_are_no_intents_of_another_kind() -> None:
    """Who looks for dead letters reads that there are none, not that nothing was ever done."""
    assert shown(draw_letters, {"items": [], "next_cursor": None}) == ["no dead letters"]


@pytest.mark.parametrize("state", ["in_doubt", "reconciling", "needs_operator"])
def test_a_doubt_leads_to_the_runbook_of_doubts_first(state: str) -> None:
    """How a doubt is settled is what the reader needs now; what brought the action into it comes second."""
    both = "switchgear explain IN_DOUBT; switchgear explain DESTRUCTIVE_BLOCKED"
    assert _intent_lines({**HELD, "state": state})["see"] == both
    alone = {**HELD, "state": state, "code": "IN_DOUBT", "obstacle": None}
    assert _intent_lines(alone)["see"] == "switchgear explain IN_DOUBT"
