"""One example a runbook: an error as it is raised, how it is met, and what the ledger keeps of it.

The errors are those of the places that raise them, and the events are made by the engine's own decisions, so an example
changes when they do. Nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Any

import msgspec

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import (
    CircuitOpen,
    Conflict,
    DeadlineExceeded,
    Denied,
    InDoubt,
    Invalid,
    NotApplied,
    OptionError,
    Overloaded,
    QueueFull,
    RateLimited,
    Rejected,
    RetryExhausted,
    StoreError,
    SwitchgearError,
)
from switchgear.core.outcome import Verdict
from switchgear.execution import decide
from switchgear.execution.contract import Refused, Uncertain
from switchgear.execution.intent import Change, Intent, evolve
from switchgear.execution.transitions import Kind, State
from switchgear.health.obstacles import not_vouched
from switchgear.health.standing import Health, Standing

AT = 1_795_253_640.0
"""The moment of every example, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The entry that counts refusals of actions that were not accepted."""

    facts: Mapping[str, object]


class Met(StrEnum):
    """Where whoever uses a gear meets a code."""

    REFUSAL = "refusal"
    """A request is answered with it, as a problem."""
    ACTION = "action"
    """The request was accepted, and the action says so."""
    COMMAND = "command"
    """The command itself says so: there is no server."""


@dataclass(frozen=True, slots=True)
class Example:
    """What is shown of one page.

    `recorded` is what the ledger keeps, or in words why it keeps nothing. `before` is the action that this happened to.
    """

    error: SwitchgearError
    recorded: tuple[Change, ...] | Refusals | str
    met: Met = Met.REFUSAL
    before: Intent | None = None

    def action(self) -> Intent:
        """Return the action after what was recorded."""
        assert self.before is not None
        assert isinstance(self.recorded, tuple)
        return reduce(lambda intent, change: evolve(intent, change, AT), self.recorded, self.before)


_INTENT = Intent(
    id="int_0190b6",
    tenant="acme",
    account="main",
    actor="service:orders",
    tool="crm.create_order",
    effect=Effect.OPAQUE,
    contract="",
    arguments={},
    digest="",
    key="order-17",
    attempts_max=1,
    key_retention=86_400.0,
    created_at=AT,
    updated_at=AT,
    deadline_at=AT + 86_400.0,
    state=State.DISPATCHED,
    attempt=1,
)
_WAITING = decide.Backoff(base=0.5, cap=30.0)
_NOW = decide.Moment(AT, draw=0.5)
_APPROVAL = {
    "rule": "deletions",
    "quorum": 1,
    "digest": "5f0c7a4e1b8d96320f4a7c15e8b2d9603a6f1c4e7b8d25903f6a1c4e7b8d2590",
    "nonce": "",
    "expires_at": AT + 3600.0,
}
_HELD_IS_MET = {"destructive-blocked": Met.ACTION, "tool-unregistered": Met.ACTION}
"""Of what is held: the pages whose code no request is answered with. The others also refuse new actions."""
_NO_INTENT = "Nothing: it is about no action."
_NOT_WRITTEN = "Nothing: this is the ledger that cannot be written or read. `/readyz` and the log say so."


def examples() -> dict[str, Example]:
    """Return the example of each page, by the page's name."""
    return {**_waiting(), **_held(), **_at_the_door(), **_ended(), **_outside()}


def _waiting() -> dict[str, Example]:
    """Return what is only for now: the action is offered again."""
    refusals = {
        "circuit-open": CircuitOpen(dependency="crm", policy="breaker", state="open", retry_after=12.3),
        "bulkhead-full": QueueFull(
            code=Code.BULKHEAD_FULL, policy="bulkhead", dependency="crm", state="full", retry_after=1.0
        ),
        "dependency-unhealthy": Rejected(
            code=Code.DEPENDENCY_UNHEALTHY, policy="requires", dependency="billing", state="open", retry_after=8.0
        ),
    }
    return {
        page: _of(_waiting_intent(), refusal, (decide.deferral(refusal, refusal.retry_after or 1.0, AT),))
        for page, refusal in refusals.items()
    }


def _held() -> dict[str, Example]:
    """Return what keeps its place until something has changed."""
    standing = Standing(
        name="redis", state=Health.UNHEALTHY, critical=True, age=42.0, state_age=40.0, reason="timeout", retry_after=5.0
    )
    refusals = {
        "destructive-blocked": not_vouched("redis", standing).refusal("sessions.delete", 0),
        "kill-switch-active": Rejected(
            "the kill switch of connector:crm is on: freeze",
            code=Code.KILL_SWITCH_ACTIVE,
            policy="kill_switch",
            dependency="crm",
            state="freeze",
        ),
        "kill-switch-unreadable": Rejected(code=Code.KILL_SWITCH_UNREADABLE, policy="kill_switch", retry_after=1.0),
        "restore-pending": Rejected(code=Code.RESTORE_PENDING, policy="restore", state="frozen"),
        "budget-exceeded": Rejected(
            "agents has 0 of 1000 units left, and this takes 5",
            code=Code.BUDGET_EXCEEDED,
            policy="budget",
            dependency="agents",
            state="exhausted",
            retry_after=45_960.0,
        ),
        "tool-changed": Rejected(
            "crm.create_order is not what was accepted, and has the same version: raise it, or accept the change"
            " (switchgear tools accept)",
            code=Code.TOOL_CHANGED,
            policy="contract",
        ),
        "tool-unregistered": Rejected(
            "crm.create_order is not registered here", code=Code.TOOL_UNREGISTERED, policy="registry"
        ),
    }
    return {
        page: Example(refusal, (decide.hold(refusal),), _HELD_IS_MET.get(page, Met.REFUSAL), _waiting_intent(page))
        for page, refusal in refusals.items()
    }


def _at_the_door() -> dict[str, Example]:
    """Return what was not accepted. Floods of it become one entry."""
    refusals = {
        "rate-limited": RateLimited(
            code=Code.RATE_LIMITED_TENANT, policy="rate_limit", dependency="tenant", retry_after=0.25
        ),
        "queue": QueueFull("the queue has reached its maximum", policy="queue", retry_after=1.0),
        "shed-overload": Overloaded("what the gates rely on keeps changing", policy="gates", retry_after=1.0),
        "idempotency": Conflict(code=Code.IDEMPOTENCY_CONFLICT, policy="idempotency", state="succeeded"),
        "shutting-down": Overloaded(code=Code.SHUTTING_DOWN, policy="lifecycle", state="stopping", retry_after=1.0),
        "invalid-request": Invalid("an idempotency key has 1 to 255 printable characters", policy="idempotency"),
    }
    return {page: Example(refusal, _counted(refusal)) for page, refusal in refusals.items()}


def _ended() -> dict[str, Example]:
    """Return what an action came to."""
    failing = "the CRM answered 503 Service Unavailable"
    return {
        "retry": _of(
            _INTENT,
            RetryExhausted(failing, attempts=3, history=(failing,) * 3, dependency="crm"),
            _after(Refused(Code.DEPENDENCY_FAILED, failing, retryable=True, verdict=Verdict.FAILURE)),
        ),
        "timeout": _of(
            _INTENT,
            DeadlineExceeded(code=Code.TIMEOUT_INTENT_EXECUTE, sent=True, operation="intent.execute", dependency="crm"),
            _after(Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer within 30 s")),
        ),
        "dependency-failed": _of(
            _INTENT,
            SwitchgearError(failing, code=Code.DEPENDENCY_FAILED),
            _after(Uncertain(Code.DEPENDENCY_FAILED, failing)),
        ),
        "in-doubt": _of(
            _INTENT,
            InDoubt("the engine ended before an answer came"),
            decide.after_interruption(_INTENT, _WAITING, _NOW, decide.ENGINE_ENDED),
        ),
        "tool-failed": _of(
            _INTENT,
            NotApplied("there is no contact 7"),
            _after(Refused(Code.TOOL_FAILED, "there is no contact 7", retryable=False, verdict=Verdict.SUCCESS)),
        ),
        "changed-meanwhile": _of(
            _INTENT,
            NotApplied("somebody moved the user since", code=Code.CHANGED_MEANWHILE),
            _after(
                Refused(
                    Code.CHANGED_MEANWHILE,
                    "somebody moved the user since",
                    retryable=False,
                    verdict=Verdict.SUCCESS,
                )
            ),
        ),
        "egress-denied": _of(
            _INTENT,
            Denied("169.254.10.7 is no public address", code=Code.EGRESS_DENIED, policy="egress", dependency="crm"),
            _after(
                Refused(
                    Code.EGRESS_DENIED,
                    "169.254.10.7 is no public address",
                    retryable=False,
                    verdict=Verdict.IGNORED,
                )
            ),
        ),
        "cancelled": _of(
            _waiting_intent(),
            Rejected("customer withdrew", code=Code.CANCELLED),
            decide.cancellation(_waiting_intent(), "customer withdrew", "person:ada"),
        ),
        "approval": _of(
            _waiting_intent(),
            Rejected(code=Code.APPROVAL_REQUIRED, policy="approval", state="pending_approval"),
            (
                Change(
                    Kind.APPROVAL_REQUESTED,
                    {
                        "code": str(Code.APPROVAL_REQUIRED),
                        "waiting_for": str(Code.APPROVAL_REQUIRED),
                        "approval": _APPROVAL,
                    },
                ),
            ),
        ),
    }


def _outside() -> dict[str, Example]:
    """Return what is about no action."""
    log = "Nothing: the log of the server has it, under the trace."
    return {
        "access": Example(
            Denied("this needs the permission 'kill:release'", policy="permission"),
            "An action that was refused is counted in `admission.refused`; any other request leaves no entry.",
        ),
        "illegal-transition": Example(
            Conflict("an intent that is succeeded cannot be cancelled", policy="intent", state="succeeded"), _NO_INTENT
        ),
        "ledger-unavailable": Example(StoreError("gear.db: the disk is full"), _NOT_WRITTEN),
        "ledger-corrupt": Example(StoreError("gear.db: the file is damaged", code=Code.LEDGER_CORRUPT), _NOT_WRITTEN),
        "store-in-use": Example(
            StoreError("gear.db is in use by process 4711.", code=Code.STORE_IN_USE),
            "Nothing: the second process never opened it.",
            met=Met.COMMAND,
        ),
        "invalid-configuration": Example(
            OptionError("[server] port is 99999: write a number from 0 to 65535"), _NO_INTENT, met=Met.COMMAND
        ),
        "internal": Example(SwitchgearError("KeyError: 'order'"), log),
    }


def _after(result: Refused | Uncertain) -> tuple[Change, ...]:
    return decide.after_result(_INTENT, _WAITING, result, _NOW)


def _of(before: Intent, error: SwitchgearError, recorded: tuple[Change, ...]) -> Example:
    return Example(error, recorded, Met.ACTION, before)


def _waiting_intent(page: str = "") -> Intent:
    """Return an action that has not left; on the page of the destructive gate it destroys something."""
    changed: dict[str, Any] = {"state": State.READY, "attempt": 0}
    if page == "destructive-blocked":
        changed |= {"tool": "sessions.delete", "key": "session-7", "arguments": {"session": "7"}, "destructive": True}
    return msgspec.structs.replace(_INTENT, **changed)


def _counted(refusal: Rejected) -> Refusals:
    return Refusals({"tool": "crm.create_order", "code": str(refusal.code), "count": 7, "since": AT - 60.0})
