"""The demo's verdict: that it passes what adds up, and turns red for each thing that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from switchgear.core.codes import Code
from switchgear.surfaces.cli.demo.audit import Finding, audit, unfinished
from switchgear.surfaces.cli.demo.catalogue import Wish
from switchgear.surfaces.cli.demo.effects import Effect
from switchgear.surfaces.cli.demo.story import Story
from switchgear.surfaces.cli.demo.traffic import Answer

ORDER = Wish(tool="crm.create_order", arguments={"amount": 1}, key="order-1")

History = list[str]
DONE: History = ["intent.dispatched", "intent.succeeded"]
FAILED: History = ["intent.dispatched", "intent.not_applied", "intent.failed"]
DOUBTFUL: History = ["intent.dispatched", "intent.in_doubt"]
WAITING_AGAIN: History = ["intent.dispatched", "intent.in_doubt", "intent.retry_scheduled"]
CANCELLED: History = ["intent.cancelled"]
EXPIRED: History = ["intent.expired"]


def story_of(*histories: tuple[str, str, History]) -> Story:
    """Return the story of actions, each given as id, effect class, and events after it was accepted."""
    story = Story()
    for intent, effect, history in histories:
        accepted = {"tool": "crm.create_order", "effect": effect}
        story.tell("acme", {"stream": intent, "type": "intent.accepted", "at": 1.0, "facts": accepted})
        for kind in history:
            story.tell("acme", {"stream": intent, "type": kind, "at": 2.0, "facts": {}})
    return story


def effects_of(*keys: str) -> list[Effect]:
    """Return an upstream's log with one effect for each key given."""
    return [Effect(1.0, "order", key, {}) for key in keys]


def answered(intent: str, wish: Wish = ORDER) -> Answer:
    """Return the answer that accepts `wish` as `intent`."""
    return Answer("acme", wish, 202, intent, "", replayed=False)


def refused(code: Code, wish: Wish = ORDER) -> Answer:
    """Return the answer that refuses `wish`."""
    return Answer("acme", wish, 422, "", str(code), replayed=False)


def found(history: History, effects: int, effect: str = "keyed") -> Finding:
    """Audit one action with this history and this many effects in the upstream's log."""
    return audit(story_of(("int_1", effect, history)), [answered("int_1")], effects_of(*["int_1"] * effects))


@pytest.mark.parametrize(
    ("history", "effect", "right"),
    [
        (DONE, "keyed", {1}),
        (DONE, "opaque", {1}),
        (DONE, "read_only", {0}),
        (FAILED, "keyed", {0}),
        (CANCELLED, "natural", {0}),
        (EXPIRED, "opaque", {0}),
        ([], "keyed", {0}),
        (DOUBTFUL, "opaque", {0, 1}),
        (WAITING_AGAIN, "keyed", {0, 1}),
    ],
)
@pytest.mark.parametrize("effects", [0, 1, 2])
def test_each_state_allows_its_own_numbers_of_effects(
    history: History, effect: str, right: set[int], effects: int
) -> None:
    """Law 3: a success has one effect, what ended otherwise has none, a doubt has none or one; two are never right."""
    finding = found(history, effects, effect)
    assert (finding.problems == ()) == (effects in right)


def test_doctored_log_with_a_doubled_effect_is_red() -> None:
    """A demo that cannot fail proves nothing: one effect logged twice is found, named and counted."""
    finding = found(DONE, 2)
    assert finding.effects_per_key_max == 2
    assert "int_1" in finding.problems[0]


def test_doubt_says_what_the_upstream_did() -> None:
    """Law 4: whatever is in doubt is named, with what the witness knows of it."""
    done, undone = found(DOUBTFUL, 1), found(DOUBTFUL, 0)
    assert [doubt.effects for doubt in (*done.doubts, *undone.doubts)] == [1, 0]
    assert done.doubts[0].intent == "int_1"


def test_effect_without_a_record_is_red() -> None:
    """Law 2: no record, no action; an effect that the ledger does not know is found."""
    assert "not in the ledger" in audit(Story(), [], effects_of("int_9")).problems[0]


def test_acknowledged_action_that_is_not_in_the_ledger_is_red() -> None:
    """Nothing acknowledged may be lost."""
    assert "int_9" in audit(Story(), [answered("int_9")], []).problems[0]


def test_key_that_found_two_intents_is_red() -> None:
    """Law 3: the same key finds the same intent."""
    story = story_of(("int_1", "keyed", DONE), ("int_2", "keyed", DONE))
    finding = audit(story, [answered("int_1"), answered("int_2")], effects_of("int_1", "int_2"))
    assert "order-1" in finding.problems[0]


Say = Callable[[Wish], Answer]


@pytest.mark.parametrize(
    ("say", "right"),
    [
        (lambda wish: refused(Code.IDEMPOTENCY_CONFLICT, wish), True),
        (lambda wish: refused(Code.RATE_LIMITED_TENANT, wish), True),
        (lambda wish: refused(Code.INTERNAL, wish), False),
        (lambda wish: answered("int_1", wish), False),
        (lambda wish: Answer("acme", wish, 0, "", "", replayed=False), True),
    ],
)
def test_request_that_must_be_refused_is_watched(say: Say, *, right: bool) -> None:
    """A contradiction that is accepted, or refused with another code, is red; a limit may come first."""
    wish = replace(ORDER, expect=Code.IDEMPOTENCY_CONFLICT)
    finding = audit(story_of(("int_1", "read_only", [])), [say(wish)], [])
    assert (finding.problems == ()) == right


def test_a_run_that_did_nothing_is_red() -> None:
    """A gear that carried nothing out does not add up, however little contradicts it."""
    assert list(unfinished(Story(), ["acme"])) == ["no action of acme succeeded"]
    assert list(unfinished(story_of(("int_1", "keyed", DONE)), ["acme"])) == []
    left = list(unfinished(story_of(("int_1", "keyed", DONE), ("int_2", "keyed", WAITING_AGAIN)), ["acme"]))
    assert left == ["1 actions were still open when the demo gave up waiting"]
