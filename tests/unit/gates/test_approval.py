"""Which actions a rule is about, and which approvals the gate lets pass: tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.gates.approval import ApprovalGate, ApprovalRule, consent_digest
from switchgear.gates.gate import NO_CONDITIONS, ApprovalNeeded, Consent, GateRequest, Stage

REFUND = GateRequest(
    stage=Stage.DISPATCH,
    intent_id="int_1",
    tenant="acme",
    account="main",
    actor="agent:seven",
    tool="bank.refund",
    contract="c1",
    requires=("bank", "ledger"),
    effect=Effect.OPAQUE,
    destructive=False,
    cost=10,
    payload="p1",
    at=100.0,
    deadline_at=10_000.0,
)
RULE = ApprovalRule(name="refunds", tool="bank.*", quorum=2, expires=60.0)


def consent(request: GateRequest = REFUND, gate: ApprovalGate | None = None, **other: object) -> Consent:
    """Return a complete approval for exactly `request`, or one that differs in `other`."""
    gate = gate or ApprovalGate([RULE])
    rule = gate.rules[0]
    needed = ApprovalNeeded(rule=rule.name, version=gate.policy, quorum=rule.quorum)
    bound = consent_digest(request, needed, nonce="n", expires_at=160.0)
    fields: dict[str, Any] = dict(other)
    return structs.replace(Consent(rule.name, bound, "n", rule.quorum, rule.quorum, 160.0), **fields)


FITS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"tool": "bank.*"}, True),
    ({"tool": "bank.refund"}, True),
    ({"tool": "Bank.*"}, False),
    ({"connector": "bank"}, True),
    ({"connector": "ledger"}, False),
    ({"actor": "agent:*"}, True),
    ({"actor": "service:*"}, False),
    ({"effects": frozenset({Effect.OPAQUE, Effect.KEYED})}, True),
    ({"effects": frozenset({Effect.KEYED})}, False),
    ({"destructive": False}, True),
    ({"destructive": True}, False),
    ({"cost_above": 9}, True),
    ({"cost_above": 10}, False),
    ({"tool": "bank.*", "cost_above": 10}, False),
]


@pytest.mark.parametrize(("conditions", "fits"), FITS)
def test_a_rule_is_about_what_fits_every_condition(conditions: dict[str, Any], *, fits: bool) -> None:
    """All that is given must fit; what is not given fits all; a cost has to be above the limit."""
    assert ApprovalRule(name="r", **conditions).fits(REFUND) is fits


@pytest.mark.parametrize(
    ("purpose", "effect", "fits"),
    [
        (None, Effect.READ_ONLY, True),
        ("lookup", Effect.READ_ONLY, False),
        ("step", Effect.READ_ONLY, False),
        ("step", Effect.OPAQUE, True),
        ("revert", Effect.NATURAL, False),
        ("compensate", Effect.OPAQUE, False),
    ],
)
def test_what_undoes_or_only_reads_for_another_intent_needs_no_approval(
    purpose: str | None, effect: Effect, *, fits: bool
) -> None:
    """A revert at the end of its time waits for nobody; a step of a saga is an action like any other."""
    assert ApprovalRule(name="r").fits(structs.replace(REFUND, purpose=purpose, effect=effect)) is fits


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"quorum": 0}, {"expires": 0.0}, {"expires": float("inf")}, {"effects": frozenset()}]
)
def test_a_rule_that_cannot_work_is_refused_at_birth(wrong: dict[str, Any]) -> None:
    """A rule without a name, that nobody could meet, or that fits nothing, is a mistake."""
    with pytest.raises(OptionError):
        ApprovalRule(**{"name": "r", **wrong})


def test_the_first_rule_that_fits_decides() -> None:
    """Rules are read in order, so a narrow one goes before a wide one."""
    gate = ApprovalGate([RULE, ApprovalRule(name="all", quorum=5)])
    with pytest.raises(ApprovalNeeded) as needed:
        gate.check(REFUND)
    assert (needed.value.rule, needed.value.quorum, needed.value.seconds) == ("refunds", 2, 60.0)


def test_what_no_rule_is_about_passes_without_a_condition() -> None:
    """No rules, and none that fits, cost nothing."""
    assert ApprovalGate([]).check(REFUND) is NO_CONDITIONS
    assert ApprovalGate([RULE]).check(structs.replace(REFUND, tool="crm.update")) is NO_CONDITIONS


def test_a_complete_approval_passes_and_is_named_in_the_record() -> None:
    """The append that dispatches says by which approval, under which version of the rules."""
    gate, given = ApprovalGate([RULE]), consent()
    assert gate.check(structs.replace(REFUND, consent=given)).facts == {"approval": given.digest, "policy": gate.policy}


def test_admission_asks_even_what_carries_an_approval() -> None:
    """An approval is for an intent on record; nothing is approved beforehand."""
    with pytest.raises(ApprovalNeeded) as needed:
        ApprovalGate([RULE]).check(structs.replace(REFUND, stage=Stage.ADMISSION, consent=consent()))
    assert needed.value.code is Code.APPROVAL_REQUIRED


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"consent": None}, Code.APPROVAL_REQUIRED),
        ({"consent": consent(given=1)}, Code.APPROVAL_REQUIRED),
        ({"at": 160.0}, Code.APPROVAL_EXPIRED),
        ({"consent": consent(rule="other")}, Code.APPROVAL_STALE),
        ({"consent": consent(nonce="m")}, Code.APPROVAL_STALE),
        ({"consent": consent(expires_at=1_000.0)}, Code.APPROVAL_STALE),
        ({"consent": consent(quorum=1, given=1)}, Code.APPROVAL_STALE),
        ({"tenant": "globex"}, Code.APPROVAL_STALE),
        ({"intent_id": "int_2"}, Code.APPROVAL_STALE),
        ({"account": "other"}, Code.APPROVAL_STALE),
        ({"actor": "agent:eight"}, Code.APPROVAL_STALE),
        ({"tool": "bank.pay"}, Code.APPROVAL_STALE),
        ({"payload": "p2"}, Code.APPROVAL_STALE),
        ({"contract": "c2"}, Code.APPROVAL_STALE),
    ],
)
def test_an_approval_passes_for_exactly_what_was_approved(changed: dict[str, Any], code: Code) -> None:
    """Any change of what would leave, or of the approval itself, asks again and says why."""
    with pytest.raises(ApprovalNeeded) as needed:
        ApprovalGate([RULE]).check(structs.replace(REFUND, **{"consent": consent(), **changed}))
    assert (needed.value.code, needed.value.state) == (code, "refunds")


@pytest.mark.parametrize(
    "rules",
    [
        [replace(RULE, quorum=1)],
        [replace(RULE, expires=61.0)],
        [replace(RULE, cost_above=1)],
        [RULE, ApprovalRule(name="another", tool="x")],
    ],
)
def test_an_approval_under_other_rules_is_stale(rules: list[ApprovalRule]) -> None:
    """The version of all rules together is part of what people agreed to."""
    with pytest.raises(ApprovalNeeded) as needed:
        ApprovalGate(rules).check(structs.replace(REFUND, consent=consent()))
    assert needed.value.code is Code.APPROVAL_STALE


def test_an_approval_that_was_used_in_time_covers_further_attempts() -> None:
    """A retry of the same request needs no new approval, however late; any change still makes it stale."""
    gate, used = ApprovalGate([RULE]), consent(used=True)
    assert gate.check(structs.replace(REFUND, at=9_000.0, consent=used)).facts["approval"] == used.digest
    with pytest.raises(ApprovalNeeded) as needed:
        gate.check(structs.replace(REFUND, at=9_000.0, contract="c2", consent=used))
    assert needed.value.code is Code.APPROVAL_STALE
