"""Kill switches as data: targets, what they cover, tripping, releasing, folding, the row."""

from __future__ import annotations

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid, StoreError
from switchgear.gates.kill_switches.switches import (
    NO_SWITCHES,
    RELEASED,
    SELF_PROBE,
    SWITCHES_MAX,
    TRIPPED,
    Mode,
    Step,
    Switch,
    Switches,
    checked_reason,
    checked_target,
    decoded,
    encoded,
    folded,
    release,
    touches,
    trip,
)
from switchgear.ledger.events import NO_CONTEXT, Recorded

ADA, BOB, AGENT = "person:ada", "person:bob", "agent:helper"


def tripped(now: Switches, target: str = "tool:x", mode: Mode = Mode.FREEZE, by: str = ADA) -> Switches:
    """Return what is on after a trip."""
    step = trip(now, target, mode, reason="because", by=by, at=1.0)
    return now if step is None else step.after


def recorded(step: Step, by: str, *, seq: int = 1, erased: bool = False) -> Recorded:
    """Return the event of a step as it is read back."""
    payload = None if erased else {"reason": step.reason}
    return Recorded(
        "acme", seq, seq, "", "kill_switches", step.kind, 1, 1.0, by, "", NO_CONTEXT, step.facts, payload, None
    )


@pytest.mark.parametrize("target", ["global", "tenant:acme", "connector:crm", "tool:crm.update_contact"])
def test_a_target_names_one_thing(target: str) -> None:
    """What may be stopped is everything, a tenant, a connector or a tool."""
    assert checked_target(target) == target


@pytest.mark.parametrize("target", ["", "everything", "tool:", "tool: x", "queue:a", "global:x", f"tool:{SELF_PROBE}"])
def test_what_is_no_target_is_refused(target: str) -> None:
    """A slip of the pen must not look as if it stopped something; the self-probe's own stays frozen."""
    with pytest.raises(Invalid):
        checked_target(target)


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("gloabl", "did you mean global?"),
        ("Tool:crm.update", "did you mean tool:crm.update?"),
        ("conector:crm", "did you mean connector:crm?"),
        ("tenants", "did you mean tenant:NAME?"),
        ("queue:a", "connector:NAME or tool:NAME"),
    ],
)
def test_a_slip_of_the_pen_in_a_target_is_met_with_what_was_meant(target: str, meant: str) -> None:
    """Who stops something is in a hurry: the answer is what to write, not only what may be written."""
    with pytest.raises(Invalid) as caught:
        checked_target(target)
    assert str(caught.value).endswith(meant)


def test_who_tripped_it_is_told_who_can_release_it() -> None:
    """A missing permission is not the reason, so the words name the other person, and the setting for those alone."""
    tripped = trip(Switches({}), "global", Mode.FREEZE, reason="stop", by=ADA, at=1.0)
    assert tripped is not None
    with pytest.raises(Denied, match=r"another person must, unless single_operator = true in \[kill_switches\]"):
        release(tripped.after, "global", reason="fixed", by=ADA, single_operator=False)


@pytest.mark.parametrize(
    ("target", "covers"),
    [
        ("global", True),
        ("tenant:acme", True),
        ("tenant:globex", False),
        ("connector:crm", True),
        ("connector:mail", True),
        ("connector:search", False),
        ("tool:crm.update", True),
        ("tool:crm", False),
    ],
)
def test_what_a_target_covers(target: str, covers: bool) -> None:  # noqa: FBT001 - a column of the table
    """A connector covers every tool that requires it, also when another one carries it out."""
    assert touches(target, tenant="acme", tool="crm.update", requires=("crm", "mail")) is covers


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_reason_says_something(reason: str) -> None:
    """Who looks later must find out why."""
    with pytest.raises(Invalid):
        checked_reason(reason)


def test_tripping_again_changes_nothing_and_escalating_adds_who_did() -> None:
    """A repeat of PUT is no event; everybody who made it stricter is among those who cannot release it alone."""
    once = tripped(NO_SWITCHES, mode=Mode.STOP_NEW)
    assert trip(once, "tool:x", Mode.STOP_NEW, reason="again", by=BOB, at=2.0) is None
    twice = tripped(once, mode=Mode.FREEZE, by=BOB)
    assert twice.on["tool:x"] == Switch("tool:x", Mode.FREEZE, "because", (ADA, BOB), 1.0)


def test_a_freeze_is_not_weakened_by_a_trip() -> None:
    """Weakening is a release in part, so it goes by the rules of a release."""
    with pytest.raises(Conflict):
        trip(tripped(NO_SWITCHES), "tool:x", Mode.STOP_NEW, reason="softer", by=BOB, at=2.0)


def test_law_10_a_scope_has_a_most_of_switches() -> None:
    """The row is bounded; what is on stays on, and may be made stricter."""
    full = Switches({f"tool:{n}": Switch(f"tool:{n}", Mode.STOP_NEW, "", (ADA,), 1.0) for n in range(SWITCHES_MAX)})
    with pytest.raises(Conflict):
        trip(full, "tool:one-more", Mode.FREEZE, reason="r", by=ADA, at=1.0)
    assert trip(full, "tool:7", Mode.FREEZE, reason="r", by=ADA, at=1.0) is not None


@pytest.mark.parametrize(
    ("by", "single", "refused"),
    [
        (ADA, False, Code.PERMISSION_DENIED),
        (BOB, False, Code.PERMISSION_DENIED),
        ("person:eve", False, None),
        (ADA, True, None),
    ],
)
def test_another_person_releases(by: str, single: bool, refused: Code | None) -> None:  # noqa: FBT001 - a column
    """None of those who tripped it releases it alone, unless one operator is all there is."""
    now = tripped(tripped(NO_SWITCHES, mode=Mode.STOP_NEW), by=BOB)
    if refused is None:
        assert release(now, "tool:x", reason="r", by=by, single_operator=single).after == NO_SWITCHES
        return
    with pytest.raises(Denied) as refusal:
        release(now, "tool:x", reason="r", by=by, single_operator=single)
    assert refusal.value.code is refused


def test_what_is_not_on_cannot_be_released() -> None:
    """A release of the wrong name must not look like one that worked."""
    with pytest.raises(Denied) as refusal:
        release(tripped(NO_SWITCHES), "tool:y", reason="r", by=BOB, single_operator=False)
    assert refusal.value.code is Code.NOT_FOUND


def test_law_11_switches_are_what_their_events_say() -> None:
    """Folding the events again gives what the steps came to; an erased reason changes nothing else."""
    now, events = NO_SWITCHES, []
    for number, (target, mode, by) in enumerate(
        [("tool:x", Mode.STOP_NEW, ADA), ("global", Mode.FREEZE, AGENT), ("tool:x", Mode.FREEZE, BOB)]
    ):
        step = trip(now, target, mode, reason="r", by=by, at=1.0)
        assert step is not None
        events.append(recorded(step, by, seq=number, erased=number == 0))
        now = step.after
    off = release(now, "global", reason="r", by=BOB, single_operator=False)
    events.append(recorded(off, BOB, seq=9))
    found = folded(events)
    assert found is not None
    assert not found.differ_from(off.after)
    assert [event.type for event in events] == [TRIPPED, TRIPPED, TRIPPED, RELEASED]


def test_a_fold_begins_where_nothing_was_on() -> None:
    """Events whose beginning is archived say nothing, until one that came when nothing was on."""
    first = trip(NO_SWITCHES, "global", Mode.FREEZE, reason="r", by=ADA, at=1.0)
    assert first is not None
    off = release(first.after, "global", reason="r", by=BOB, single_operator=False)
    assert folded([]) is None
    assert folded([recorded(off, BOB)]) is None
    found = folded([recorded(off, BOB), recorded(first, ADA)])
    assert found is not None
    assert not found.differ_from(first.after)


@pytest.mark.parametrize(
    "facts",
    [
        {"before": 0},
        {"before": 0, "target": "nothing", "mode": "freeze"},
        {"before": 0, "target": "global", "mode": "slow"},
        {"before": 0, "target": 7, "mode": "freeze"},
    ],
)
def test_events_that_mean_nothing_are_not_passed_over(facts: dict[str, object]) -> None:
    """What cannot be folded is corrupt, never an empty set of switches."""
    with pytest.raises(StoreError) as error:
        folded([recorded(Step(TRIPPED, facts, "", NO_SWITCHES), ADA)])
    assert error.value.code is Code.LEDGER_CORRUPT


def test_events_that_do_not_follow_from_each_other_are_corrupt() -> None:
    """A missing event shows, since each says how many switches were on before it; an unknown type shows too."""
    first = trip(NO_SWITCHES, "global", Mode.FREEZE, reason="r", by=ADA, at=1.0)
    assert first is not None
    with pytest.raises(StoreError):
        folded([recorded(first, ADA), recorded(first, ADA, seq=2)])
    with pytest.raises(StoreError):
        folded([recorded(Step("kill_switch.other", {"before": 0, "target": "global"}, "", NO_SWITCHES), ADA)])


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b"[1]", b'[{"target":"global"}]', b'[{"target":"x","mode":"freeze","reason":"","by":[],"at":1.0}]'],
)
def test_a_row_that_cannot_be_read_is_corrupt(value: bytes) -> None:
    """It is never taken for a row without switches."""
    with pytest.raises(StoreError) as error:
        decoded(value)
    assert error.value.code is Code.LEDGER_CORRUPT


def test_a_row_is_read_as_it_was_written() -> None:
    """Nothing is lost on the way to the store."""
    now = tripped(tripped(NO_SWITCHES), target="global", by=BOB)
    assert decoded(encoded(now)) == now
