"""Which actions need the approval of people, and whether the approval that one carries is for exactly this action.

Who may approve, and how grants are taken, is decided in `control` and `execution`; here is only the rule, the digest
that a grant is bound to, and the gate that compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from switchgear.core.canonical import digest
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.gates.gate import NO_CONDITIONS, ApprovalNeeded, Conditions, Consent, GateRequest, OneAnswer, Stage

_HOUR = 3600.0
_UNDOING = ("revert", "compensate")
"""What serves another intent so undoes it, by a tool that the contract of what was approved names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """Which actions need approval: those that fit every condition given. A rule without a condition fits all.

    `tool` and `connector` are names or patterns (``crm.*``); `effects` are effect classes; `destructive` fits tools
    so marked; `cost_above` fits a cost strictly above it, in units; `actor` is a name or pattern (``agent:*``).
    `quorum` (at least 1) people must say yes within `expires` seconds. Raises `OptionError`.
    """

    name: str
    tool: str = "*"
    connector: str = "*"
    actor: str = "*"
    effects: frozenset[Effect] | None = None
    destructive: bool | None = None
    cost_above: int | None = None
    quorum: int = 1
    expires: float = _HOUR

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not self.name:
            raise OptionError('an approval rule has a name; write name="refunds"')
        if self.quorum < 1:
            raise OptionError(f"approval rule {self.name!r} needs a quorum of at least 1, not {self.quorum!r}")
        if not 0 < self.expires < float("inf"):
            raise OptionError(f"approval rule {self.name!r} needs expires above 0 seconds, not {self.expires!r}")
        if self.effects is not None and not self.effects:
            raise OptionError(f"approval rule {self.name!r} names no effect, so it fits nothing; leave effects out")

    def fits(self, request: GateRequest) -> bool:
        """Return whether this rule is about `request`.

        Nothing asks for approval of what serves another intent by reading, or by undoing it: the contract of that
        intent names the tool, and what was allowed to happen is allowed to be undone.
        """
        return (
            not _covered(request)
            and fnmatchcase(request.tool, self.tool)
            and fnmatchcase(request.connector, self.connector)
            and fnmatchcase(request.actor, self.actor)
            and (self.effects is None or request.effect in self.effects)
            and (self.destructive is None or request.destructive == self.destructive)
            and (self.cost_above is None or request.cost > self.cost_above)
        )


class ApprovalGate(OneAnswer):
    """A gate over rules in order; the first that fits decides. `policy` names their version in the ledger."""

    def __init__(self, rules: Sequence[ApprovalRule]) -> None:
        """Go by `rules`."""
        self.rules = tuple(rules)
        self.policy = digest([_facts(rule) for rule in self.rules])

    def rule_of(self, request: GateRequest) -> ApprovalRule | None:
        """Return the rule that asks for approval of `request`, or None."""
        return next((rule for rule in self.rules if rule.fits(request)), None)

    def check(self, request: GateRequest) -> Conditions:
        """Let pass what needs no approval, and what carries a complete one for exactly this.

        Raises `ApprovalNeeded`: APPROVAL_REQUIRED, APPROVAL_EXPIRED, or APPROVAL_STALE when what was approved is not
        what would leave now.
        """
        if not self.rules or (rule := self.rule_of(request)) is None:
            return NO_CONDITIONS
        consent = request.consent
        if request.stage is Stage.ADMISSION or consent is None:
            raise self._needed(rule, Code.APPROVAL_REQUIRED)
        if consent.rule != rule.name or consent.digest != self._digest_of(request, consent):
            raise self._needed(rule, Code.APPROVAL_STALE)
        if consent.given < consent.quorum:
            raise self._needed(rule, Code.APPROVAL_REQUIRED)
        if request.at >= consent.expires_at and not consent.used:
            raise self._needed(rule, Code.APPROVAL_EXPIRED)
        return Conditions(facts={"approval": consent.digest, "policy": self.policy})

    def _digest_of(self, request: GateRequest, consent: Consent) -> str:
        needed = ApprovalNeeded(rule=consent.rule, version=self.policy, quorum=consent.quorum)
        return consent_digest(request, needed, nonce=consent.nonce, expires_at=consent.expires_at)

    def _needed(self, rule: ApprovalRule, code: Code) -> ApprovalNeeded:
        return ApprovalNeeded(rule=rule.name, version=self.policy, quorum=rule.quorum, seconds=rule.expires, code=code)


def consent_digest(request: GateRequest, needed: ApprovalNeeded, *, nonce: str, expires_at: float) -> str:
    """Return what grants for `request` are bound to: SHA-256 over the canonical JSON of all that matters, in hex."""
    facts = {
        "tenant": request.tenant,
        "intent": request.intent_id,
        "account": request.account,
        "requester": request.actor,
        "tool": request.tool,
        "arguments": request.payload,
        "contract": request.contract,
        "rule": needed.rule,
        "policy": needed.version,
        "quorum": needed.quorum,
        "nonce": nonce,
        "expires_at": expires_at,
    }
    return digest(facts)


def _covered(request: GateRequest) -> bool:
    return request.purpose is not None and (request.purpose in _UNDOING or not request.effect.writes)


def _facts(rule: ApprovalRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "tool": rule.tool,
        "connector": rule.connector,
        "actor": rule.actor,
        "effects": sorted(rule.effects) if rule.effects is not None else None,
        "destructive": rule.destructive,
        "cost_above": rule.cost_above,
        "quorum": rule.quorum,
        "expires": rule.expires,
    }
