"""The shape of a gate, what it sees, and what it answers. Gates decide from what is at hand: no I/O, no waiting.

A gate is asked twice: when an action is accepted, and again right before each attempt of it. What it relied on goes,
as `Conditions`, into the very append that writes `accepted` or `dispatched`: if that no longer holds, nothing is
written and nothing leaves. Where one append writes both, a gate that is `OneAnswer` has said all with its first answer,
and one that is `Selective` is asked about the tools alone of which it has anything to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import msgspec

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected
from switchgear.gates.destructive.force import Force
from switchgear.storage.abilities import Count, Expect


class Stage(StrEnum):
    """When a gate is asked."""

    ADMISSION = "admission"
    DISPATCH = "dispatch"


class Consent(msgspec.Struct, frozen=True, gc=False):
    """The approval that an intent carries: what its grants are bound to, how many there are, and until when.

    `expires_at` is seconds since the epoch; an earlier dispatch that has `used` it did so in time.
    """

    rule: str
    digest: str
    nonce: str
    quorum: int
    given: int
    expires_at: float
    used: bool = False


class GateRequest(msgspec.Struct, frozen=True, gc=False):
    """An action about to be accepted or dispatched.

    `requires` names its dependencies, the first being its connector; `cost` is in units; `payload` is the digest of
    its arguments. `at` is now, in seconds since the epoch. `deadline_at` is when the intent expires. `agreed` is the
    contract that the intent was accepted or last dispatched under, None at admission. `reserved` says
    that its cost was charged to budgets by an earlier attempt. `purpose` says what it does for another intent. `undo`
    is the tool that reverts it at the end of its time-box, None when it has none. `force` is a person's word that it
    may leave although a dependency does not vouch.
    """

    stage: Stage
    intent_id: str
    tenant: str
    account: str
    actor: str
    tool: str
    contract: str
    requires: tuple[str, ...]
    effect: Effect
    destructive: bool
    cost: int
    payload: str
    at: float
    deadline_at: float
    priority: str = "critical"
    agreed: str | None = None
    consent: Consent | None = None
    reserved: bool = False
    purpose: str | None = None
    undo: str | None = None
    force: Force | None = None

    @property
    def connector(self) -> str:
        """The dependency that carries the action out."""
        return self.requires[0]


class Conditions(msgspec.Struct, frozen=True, gc=False):
    """What must still hold when the append is written: rows at a version, counters within a limit.

    `facts` go into the event; `reserved` are units charged to counters, to be settled with the outcome.
    """

    expects: tuple[Expect, ...] = ()
    counts: tuple[Count, ...] = ()
    facts: Mapping[str, Any] = {}
    reserved: Mapping[str, int] = {}


NO_CONDITIONS = Conditions()


class ApprovalNeeded(Rejected):
    """Not a no: the action waits until `quorum` people have approved it under `rule`, for at most `seconds`.

    `conditions` is what the passes of the gates before rest on.
    """

    def __init__(
        self,
        *,
        rule: str,
        version: str,
        quorum: int,
        seconds: float = 0.0,
        code: Code = Code.APPROVAL_REQUIRED,
    ) -> None:
        """Keep what is needed beside the facts of every refusal; `version` is that of all rules together."""
        super().__init__(code=code, policy="approval", state=rule)
        self.rule = rule
        self.version = version
        self.quorum = quorum
        self.seconds = seconds
        self.conditions = NO_CONDITIONS


class Gate(Protocol):
    """Something that can say no."""

    def check(self, request: GateRequest) -> Conditions:
        """Return what this pass rests on; raise a `Rejected` with all its facts to refuse it."""


class OneAnswer:
    """A gate that gives acceptance and dispatch one answer, where both are made in one turn of the loop.

    What it lets in it would let leave, on the same conditions: so a new action that leaves in the append that accepts
    it is shown to it once. That is not so for a gate that says something else of a dispatch, or goes by what other code
    may change within a turn. That a clock goes on between the two questions does not count.
    """

    __slots__ = ()


@runtime_checkable
class Selective(Protocol):
    """A gate that has nothing to say of some tools, whatever is done with them: it need not be asked about those."""

    def concerns(self, requires: Sequence[str], *, destructive: bool) -> bool:
        """Return whether it may ever refuse an action of such a tool, or rest a pass of it on anything."""


def concerned(gates: Iterable[Gate], requires: Sequence[str], *, destructive: bool) -> tuple[Gate, ...]:
    """Return those of `gates` that may say anything about actions of a tool, and so have to be asked."""
    return tuple(
        gate for gate in gates if not isinstance(gate, Selective) or gate.concerns(requires, destructive=destructive)
    )


def left_to_ask(admission: Sequence[Gate], dispatch: Sequence[Gate]) -> tuple[Gate, ...]:
    """Return the gates of `dispatch` still to be asked once those of `admission` have let an action in, in one turn."""
    return tuple(gate for gate in dispatch if not (isinstance(gate, OneAnswer) and gate in admission))


def check_all(gates: Iterable[Gate], request: GateRequest, passed: Conditions = NO_CONDITIONS) -> Conditions:
    """Ask every gate in order and return all that the pass rests on; the first refusal is raised.

    `passed` is what it rests on already, by gates that have said yes before these.
    """
    try:
        for gate in gates:
            found = gate.check(request)
            if found is not NO_CONDITIONS:
                passed = found if passed is NO_CONDITIONS else together(passed, found)
    except ApprovalNeeded as needed:
        needed.conditions = passed
        raise
    return passed


def together(first: Conditions, then: Conditions) -> Conditions:
    """Return all that two passes of one action rest on. What both expect is expected once."""
    expects = tuple(dict.fromkeys((*first.expects, *then.expects)))
    facts, reserved = {**first.facts, **then.facts}, {**first.reserved, **then.reserved}
    return Conditions(expects, (*first.counts, *then.counts), facts, reserved)
