"""What follows from a result, an interruption, a cancel: one table per rule of the effect classes."""

from __future__ import annotations

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.outcome import Verdict
from switchgear.execution import decide
from switchgear.execution.contract import Refused, Succeeded, Uncertain
from switchgear.execution.decide import Backoff, Moment
from switchgear.execution.intent import Change, Intent, evolve
from switchgear.execution.transitions import Kind, State
from tests.unit.execution.test_intent import intent

NOW = Moment(now=100.0, draw=0.5)
BACKOFF = Backoff(base=2.0, cap=30.0)


def dispatched(**fields: object) -> Intent:
    """Return an intent whose first attempt has left."""
    return intent(**{"state": State.DISPATCHED, "attempt": 1, "first_sent_at": 90.0, **fields})


def refused(*, retryable: bool = True, retry_after: float | None = None) -> Refused:
    """Return a definite refusal by the remote."""
    return Refused(Code.DEPENDENCY_FAILED, "no", retryable, Verdict.SUCCESS, retry_after)


def uncertain(code: Code = Code.TIMEOUT_INTENT_EXECUTE, retry_after: float | None = None) -> Uncertain:
    """Return a result of which nothing is known."""
    return Uncertain(code, "silence", retry_after=retry_after)


def kinds(changes: tuple[Change, ...]) -> list[Kind]:
    """Return the kinds of `changes`."""
    return [change.kind for change in changes]


def end_of(subject: Intent, changes: tuple[Change, ...]) -> State:
    """Return the state after `changes`, each of which the table must allow."""
    for change in changes:
        subject = evolve(subject, change, 100.0)
    return subject.state


def test_success_is_recorded_with_its_value() -> None:
    """A known success ends the intent."""
    changes = decide.after_result(dispatched(), BACKOFF, Succeeded({"n": 1}), NOW)
    assert kinds(changes) == [Kind.SUCCEEDED]
    assert changes[0].payload == {"value": {"n": 1}}


@pytest.mark.parametrize(
    ("subject", "result", "expected"),
    [
        (dispatched(), refused(), State.READY),
        (dispatched(), refused(retryable=False), State.DEAD_LETTERED),
        (dispatched(), refused(retry_after=-1.0), State.DEAD_LETTERED),
        (dispatched(attempt=3), refused(), State.DEAD_LETTERED),
        (dispatched(attempt=3, interruptions=1), refused(), State.READY),
        (dispatched(deadline_at=100.5), refused(), State.DEAD_LETTERED),
        (dispatched(cancel_requested=True), refused(), State.CANCELLED),
        (dispatched(effect=Effect.READ_ONLY), uncertain(), State.READY),
        (dispatched(effect=Effect.READ_ONLY, attempt=3), uncertain(), State.FAILED),
        (dispatched(effect=Effect.READ_ONLY, cancel_requested=True), uncertain(), State.CANCELLED),
        (dispatched(effect=Effect.KEYED), uncertain(), State.READY),
        (dispatched(effect=Effect.KEYED, attempt=3), uncertain(), State.IN_DOUBT),
        (dispatched(effect=Effect.KEYED, cancel_requested=True), uncertain(), State.IN_DOUBT),
        (dispatched(effect=Effect.KEYED, first_sent_at=39.0), uncertain(), State.IN_DOUBT),
        (dispatched(effect=Effect.KEYED, deadline_at=99.0), uncertain(), State.IN_DOUBT),
        (dispatched(effect=Effect.KEYED, first_sent_at=3_700.0), uncertain(), State.IN_DOUBT),  # the clock went back
        (dispatched(doubtful=True), refused(), State.READY),
        (dispatched(doubtful=True), refused(retryable=False), State.IN_DOUBT),
        (dispatched(doubtful=True, attempt=3), refused(), State.IN_DOUBT),
        (dispatched(doubtful=True, cancel_requested=True), refused(), State.IN_DOUBT),
        (dispatched(doubtful=True, effect=Effect.READ_ONLY, attempt=3), refused(), State.FAILED),
        (dispatched(effect=Effect.NATURAL), uncertain(), State.IN_DOUBT),
        (dispatched(effect=Effect.RECONCILABLE), uncertain(), State.IN_DOUBT),
        (dispatched(effect=Effect.OPAQUE), uncertain(), State.IN_DOUBT),
    ],
)
def test_what_a_result_leads_to(subject: Intent, result: Refused | Uncertain, expected: State) -> None:
    """Definite refusals retry within attempts and deadline; doubt follows the effect class."""
    assert end_of(subject, decide.after_result(subject, BACKOFF, result, NOW)) is expected


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (dispatched(effect=Effect.READ_ONLY), State.READY),
        (dispatched(effect=Effect.KEYED), State.READY),
        (dispatched(effect=Effect.KEYED, attempt=3), State.READY),
        (dispatched(effect=Effect.KEYED, first_sent_at=39.0), State.IN_DOUBT),
        (dispatched(effect=Effect.KEYED, interruptions=decide.INTERRUPTIONS_MAX), State.IN_DOUBT),
        (dispatched(effect=Effect.NATURAL), State.IN_DOUBT),
        (dispatched(effect=Effect.RECONCILABLE), State.IN_DOUBT),
        (dispatched(effect=Effect.OPAQUE), State.IN_DOUBT),
    ],
)
def test_what_an_interruption_leads_to(subject: Intent, expected: State) -> None:
    """An interrupted attempt is named as in doubt first; then reads and keyed writes run again, nothing else."""
    changes = decide.after_interruption(subject, BACKOFF, NOW, "killed")
    assert changes[0].kind is Kind.IN_DOUBT
    assert end_of(subject, changes) is expected


def test_an_engine_that_stops_counts_as_an_interruption_and_not_as_an_attempt() -> None:
    """An attempt that our own end cut off does not use up the tool's attempts."""
    subject = dispatched(effect=Effect.KEYED, attempt=3)
    changes = decide.after_result(subject, BACKOFF, uncertain(Code.SHUTTING_DOWN), NOW)
    assert end_of(subject, changes) is State.READY
    assert changes[0].facts["interruptions"] == 1


@pytest.mark.parametrize(("hint", "wait"), [(None, 1.0), (0.2, 1.0), (7.0, 7.0)])
def test_the_remotes_wish_is_the_least_wait(hint: float | None, wait: float) -> None:
    """Retry-After is obeyed when it is longer than the back-off (draw 0.5 of base 2)."""
    retry = decide.after_result(dispatched(), BACKOFF, refused(retry_after=hint), NOW)[-1]
    assert (retry.kind, retry.facts["wait"], retry.facts["not_before"]) == (
        Kind.RETRY_SCHEDULED,
        wait,
        100.0 + wait,
    )
    assert (retry.facts["attempt"], retry.facts["left"]) == (1, 2)


def test_a_hint_after_doubt_is_obeyed_and_jittered_upwards() -> None:
    """A 503 with Retry-After is not asked again before that time."""
    retry = decide.after_result(dispatched(), BACKOFF, uncertain(retry_after=4.0), NOW)[-1]
    assert 4.0 <= retry.facts["wait"] <= 4.4


@pytest.mark.parametrize("attempt", [1, 2, 5, 64, 10_000])
def test_backoff_grows_to_its_cap_and_never_beyond(attempt: int) -> None:
    """Waits saturate at any attempt number."""
    assert 0.0 <= BACKOFF.wait(attempt, 1.0) <= 30.0


def test_a_dispatch_that_was_recorded_but_not_sent_gives_its_attempt_back() -> None:
    """Nothing left, so it is not applied, and the attempt does not count."""
    subject = dispatched(attempt=2)
    changes = decide.after_unsent(subject, NOW)
    after = subject
    for change in changes:
        after = evolve(after, change, 100.0)
    assert (after.state, after.attempt) == (State.READY, 1)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.READY, [Kind.CANCELLED]),
        (State.HELD, [Kind.CANCELLED]),
        (State.DISPATCHED, [Kind.CANCEL_REQUESTED]),
        (State.IN_DOUBT, [Kind.CANCEL_REQUESTED]),
        (State.SUCCEEDED, []),
        (State.DEAD_LETTERED, []),
        (State.EXPIRED, []),
    ],
)
def test_a_cancel_ends_what_has_not_left_and_only_asks_for_the_rest(state: State, expected: list[Kind]) -> None:
    """After dispatch a cancel never hides an outcome."""
    assert kinds(decide.cancellation(intent(state=state), "why", "person:kim")) == expected


def test_waiting_for_a_repeat_never_turns_doubt_into_an_answer() -> None:
    """Expiry, denial and cancel of an intent that may have been applied lead back to doubt, with their code."""
    waiting = intent(state=State.READY, doubtful=True)
    assert end_of(waiting, decide.expiry(waiting)) is State.IN_DOUBT
    assert end_of(waiting, decide.denial(waiting, Code.RATE_LIMITED_CONNECTOR, "")) is State.IN_DOUBT
    cancelled = decide.cancellation(waiting, "why", "person:kim")
    assert end_of(waiting, cancelled) is State.IN_DOUBT
    assert cancelled[0].facts["cancel_requested"] is True
    fresh = intent(state=State.READY)
    assert end_of(fresh, decide.expiry(fresh)) is State.EXPIRED
    assert end_of(fresh, decide.denial(fresh, Code.RATE_LIMITED_CONNECTOR, "")) is State.DENIED
