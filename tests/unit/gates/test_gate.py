"""How gates are asked together: in order, up to the first refusal, and what all their passes rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected
from switchgear.gates.destructive.gate import DestructiveActions
from switchgear.gates.gate import (
    NO_CONDITIONS,
    ApprovalNeeded,
    Conditions,
    Gate,
    GateRequest,
    OneAnswer,
    Stage,
    check_all,
    concerned,
    left_to_ask,
    together,
)
from switchgear.gates.required import RequiredDependencies
from switchgear.guard import Guard
from switchgear.health.standing import Health
from switchgear.policies.breaker import Breaker
from switchgear.storage.abilities import Count, Expect
from tests.unit.execution.rig import Board

REQUEST = GateRequest(
    stage=Stage.ADMISSION,
    intent_id="int_1",
    tenant="acme",
    account="main",
    actor="service:orders",
    tool="crm.update",
    contract="",
    requires=("crm",),
    effect=Effect.KEYED,
    destructive=False,
    cost=1,
    payload="",
    at=0.0,
    deadline_at=60.0,
)
ROW = Expect("kill_switch", "acme", "switches", 3)
FIRST = Conditions((ROW,), (Count("used", "a", 1, 9),), {"kill_switch": [3]}, {"a": 1})
SECOND = Conditions((ROW, Expect("rule", "acme", "r", 1)), (Count("used", "b", 2),), {"policy": "p"}, {"b": 2})


@dataclass
class Says:
    """A gate with one answer, which counts how often it is asked."""

    answer: Conditions | Rejected = NO_CONDITIONS
    asked: int = 0

    def check(self, _request: GateRequest) -> Conditions:
        """Give it."""
        self.asked += 1
        if isinstance(self.answer, Rejected):
            raise self.answer
        return self.answer


def test_a_pass_rests_on_what_every_gate_relied_on() -> None:
    """Rows, counters, facts and reservations of all gates go into the append; a row is expected once."""
    passed = check_all((Says(FIRST), Says(), Says(SECOND)), REQUEST)
    assert passed == Conditions(
        (ROW, Expect("rule", "acme", "r", 1)),
        (*FIRST.counts, *SECOND.counts),
        {"kill_switch": [3], "policy": "p"},
        {"a": 1, "b": 2},
    )


def test_a_pass_that_rests_on_nothing_changes_nothing() -> None:
    """Gates that only compare add no condition, before others or after."""
    assert check_all((), REQUEST) is check_all((Says(), Says()), REQUEST) is NO_CONDITIONS
    assert check_all((Says(), Says(FIRST), Says()), REQUEST) is FIRST


def test_what_a_pass_rests_on_already_stays() -> None:
    """Gates that are asked later add to it; whoever needs approval after them keeps it too."""
    assert check_all((Says(),), REQUEST, FIRST) is FIRST
    assert check_all((Says(SECOND),), REQUEST, FIRST) == together(FIRST, SECOND)


def test_the_first_refusal_ends_it() -> None:
    """Nobody behind it is asked: what they would charge is not charged."""
    behind = Says()
    with pytest.raises(Rejected, match="no") as refused:
        check_all((Says(FIRST), Says(Rejected("no")), behind), REQUEST)
    assert (refused.value.message, behind.asked) == ("no", 0)


def test_what_needs_approval_keeps_what_the_passes_before_rest_on() -> None:
    """It is let in to wait for people, on the conditions of the gates that stand before."""
    needed = ApprovalNeeded(rule="refunds", version="v1", quorum=1)
    with pytest.raises(ApprovalNeeded) as raised:
        check_all((Says(FIRST), Says(SECOND), Says(needed)), REQUEST)
    assert raised.value.conditions == together(FIRST, SECOND)


class Same(OneAnswer, Says):
    """A gate that says the same of acceptance and dispatch."""


def test_who_has_answered_for_the_dispatch_is_not_left_to_ask() -> None:
    """Only who says so of itself, and only when it was asked at admission."""
    at_both, twice, at_dispatch = Same(), Says(), Same(FIRST)
    dispatch: tuple[Any, ...] = (at_both, twice, at_dispatch)
    admission: tuple[Gate, ...] = (twice, at_both)
    assert left_to_ask(admission, dispatch) == (twice, at_dispatch)
    assert left_to_ask((), dispatch) == dispatch


class About(Says):
    """A gate that is about destructive tools alone."""

    def concerns(self, requires: Sequence[str], *, destructive: bool) -> bool:
        """Return whether a tool is one."""
        return destructive


def test_only_who_says_so_of_itself_is_not_asked_about_a_tool() -> None:
    """Every gate is asked about every tool, but one that names the tools that it is about."""
    always, about = Says(), About()
    gates: tuple[Gate, ...] = (about, always)
    assert concerned(gates, ("crm",), destructive=True) == gates
    assert concerned(gates, ("crm",), destructive=False) == (always,)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("destructive", [False, True])
@pytest.mark.parametrize("requires", [("crm",), ("crm", "redis")])
def test_who_need_not_be_asked_would_have_nothing_to_say(
    stage: Stage, requires: tuple[str, ...], *, destructive: bool
) -> None:
    """Whatever stands badly, a gate that is not about a tool lets its actions pass, and rests that on nothing."""
    broken = Guard("broken", breaker=Breaker(failures=1))
    broken.permit_nowait().fail()
    destructive_gate = DestructiveActions(Board(dict.fromkeys(requires, Health.UNHEALTHY)))
    gates: tuple[Gate, ...] = (destructive_gate, RequiredDependencies(lambda _name: broken))
    about = concerned(gates, requires, destructive=destructive)
    assert [gate in about for gate in gates] == [destructive, len(requires) > 1]
    asked = msgspec.structs.replace(REQUEST, stage=stage, requires=requires, destructive=destructive)
    for gate in gates:
        if gate not in about:
            assert gate.check(asked) is NO_CONDITIONS
