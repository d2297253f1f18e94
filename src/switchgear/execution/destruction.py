"""What an engine does about destructive actions beside asking their gate before each attempt.

It asks once more when `dispatched` is on record, since that took a while; it gives a running attempt its permits, for
what a tool destroys item by item; and it lists destructive tools with what became of them. What may not live here: when
a dependency vouches (`gates.destructive`), and who may force (`forcing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from msgspec import structs

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import DestructiveBlocked, Rejected
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Result, Tool, Uncertain
from switchgear.execution.decide import Unsent
from switchgear.execution.held_log import HeldLog
from switchgear.execution.intent import Intent
from switchgear.execution.transitions import State
from switchgear.gates.destructive.force import Force
from switchgear.gates.destructive.gate import DestructiveActions
from switchgear.gates.gate import GateRequest
from switchgear.health.findings import Confirmed
from switchgear.health.gate import DestructiveGate
from switchgear.health.inventory import Blocked, Inventory, Operation
from switchgear.health.obstacles import Kind, Obstacle, unreadable
from switchgear.health.permit import Permit
from switchgear.health.standing import Health, Standing, Standings


class Stops(Protocol):
    """Whoever knows what the kill switches stop, from any thread."""

    def frozen(self, request: GateRequest) -> bool:
        """Return whether an attempt is stopped; raise when nobody can tell."""


class AttemptPermits:
    """The permits of one attempt of a destructive tool. Safe from the thread that the tool runs in.

    `begun` says that one of them let something be destroyed: what refuses after that does not undo it. `stopped` is the
    code for which the engine's gates would hold the intent by now.
    """

    __slots__ = ("_gate", "_leaving", "_operation", "begun", "stopped")

    def __init__(self, gate: DestructiveGate, operation: Operation, leaving: Callable[[], None]) -> None:
        """Count with `operation` what `gate` holds back. `leaving` raises when the attempt may not leave any more."""
        self._gate = gate
        self._operation = operation
        self._leaving = leaving
        self.begun = False
        self.stopped: Code | None = None

    def permit(self, because: Confirmed[Any]) -> Permit:
        """Return the permit of a block; see `Call.destructive`."""
        known = self._operation
        return Permit(self, Operation(known.name, known.requires, known.where), because)  # dispatches are counted

    def check(self, operation: Operation, reason: object, *, done: int = 0) -> None:  # noqa: ARG002 - counted with one
        """Raise `DestructiveBlocked` unless the attempt may go on now because of `reason`."""
        with self._noting():
            self._gate.check(self._operation, reason, done=done)
        self.begun = True

    def check_leaving(self) -> None:
        """Raise `DestructiveBlocked` unless the attempt may still leave."""
        with self._noting():
            self._leaving()

    def judged(self, result: Result) -> Result | Unsent:
        """Return what an attempt came to.

        A refusal after something was destroyed is no proof that nothing was. One by the gate before that is no attempt.
        """
        if not isinstance(result, Refused):
            return result
        if self.begun:
            message = f"something was destroyed before it was refused: {result.message}"
            return Uncertain(result.code, message, result.verdict, result.retry_after)
        return Unsent(result.code) if result.code is self.stopped else result

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Note the code of what the engine's own gates refuse: there the intent is held, and goes on by itself."""
        try:
            yield
        except DestructiveBlocked as error:
            if error.code is not Code.DESTRUCTIVE_BLOCKED or error.decision == "defer":
                self.stopped = error.code
            raise


class Destruction:
    """One per engine, over the dependencies of a process and the kill switches of a gear."""

    def __init__(self, standings: Standings, stops: Stops, *, clock: Clock) -> None:
        """Go by `standings` and `stops`. Reasons have to be confirmed on `clock`."""
        self.gate = DestructiveActions(standings)
        self.inventory = Inventory()
        """The destructive tools, by name. They passed when an attempt of theirs was dispatched."""
        self._standings = standings
        self._stops = stops
        self._clock = clock
        self._successes: Counter[str] = Counter()
        self._log = HeldLog(clock)

    def register(self, tool: Tool) -> None:
        """List a tool, if it is destructive. Raises `OptionError` when there are too many."""
        if tool.destructive:
            self.inventory.register(tool.name, tool.requires, f"tool:{tool.name}")

    def note(self, intent: Intent) -> None:
        """Count what became of an intent that has durably changed, and log that it is held."""
        operation = self.inventory.known.get(intent.tool)
        if operation is None:
            return
        if intent.state is State.DISPATCHED:
            operation.passed += 1
        elif intent.state is State.HELD and intent.code == Code.DESTRUCTIVE_BLOCKED:
            operation.blocked += 1
            operation.last_blocked = _blocked(intent)
            self._log.note(intent, operation.last_blocked)

    def note_result(self, dependency: str, result: Result) -> None:
        """Count what an attempt came to, before the guard of `dependency` does, which it went through."""
        if result.verdict is Verdict.SUCCESS:
            self._successes[dependency] += 1

    def successes(self, dependency: str) -> int:
        """Return how many successes that the guard of `dependency` has counted were of destructive tools.

        They are no evidence that it is well: such a tool may succeed without what it requires.
        """
        return self._successes[dependency]

    def refusal(self, request: GateRequest) -> Rejected | None:
        """Return what stands in the way of an attempt that is on record and has not left; None when it may leave."""
        try:
            self.gate.check(request)
        except Rejected as refusal:
            return refusal
        return None

    def standing(self, name: str) -> Standing | None:
        """Return where a dependency stands, for people; None when that cannot be read, which the gate says as well."""
        try:
            return self._standings.standing(name)
        except Exception:  # noqa: BLE001 - whatever a board raises, what is shown goes without it
            return None

    def permits(self, request: GateRequest) -> AttemptPermits:
        """Return the permits of the attempt that `request` describes. What was forced stays so until it expires."""
        standings: Standings = _Wordless(self._standings)
        if request.force is not None:
            standings = _Forced(standings, request.force, request.contract, self._clock)
        operation = self.inventory.known.get(request.tool)
        gate = DestructiveGate(
            standings,
            kill_switch=lambda: self._stops.frozen(request),
            inventory=self.inventory,
            clock=self._clock,
        )
        known = operation or Operation(request.tool, request.requires, f"tool:{request.tool}")
        return AttemptPermits(gate, known, lambda: self._check_leaving(request))

    def _check_leaving(self, request: GateRequest) -> None:
        """Raise `DestructiveBlocked` when a switch freezes the attempt, or a dependency does not vouch any more."""
        try:
            frozen = self._stops.frozen(request)
        except Exception as error:
            raise unreadable(Kind.SWITCH_UNREADABLE, error).refusal(request.tool, 0) from error
        if frozen:
            raise Obstacle(Kind.SWITCH_ACTIVE, state="on").refusal(request.tool, 0)
        self.gate.check(structs.replace(request, at=self._clock.time()))


class _Wordless:
    """Where dependencies stand, without why: others' calls may be told there, and a refusal goes on record."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    def standing(self, name: str, /) -> Standing:
        """Return where a dependency stands."""
        return replace(self._standings.standing(name), reason="")


class _Forced:
    """Where dependencies stand for an attempt that a person has forced: those that were overridden vouch for it."""

    def __init__(self, standings: Standings, force: Force, contract: str, clock: Clock) -> None:
        self._standings = standings
        self._force = force
        self._contract = contract
        self._clock = clock

    def standing(self, name: str, /) -> Standing:
        """Return where a dependency stands, for this attempt."""
        standing = self._standings.standing(name)
        if not self._force.covers(name, contract=self._contract, at=self._clock.time()):
            return standing
        return replace(standing, state=Health.HEALTHY, doubted=False, reason=f"forced by {self._force.by}")


def _blocked(intent: Intent) -> Blocked:
    facts = intent.hindrance
    dependency, state, retry_after = ("", "", None)
    if facts is not None:
        dependency, state, retry_after = facts.dependency, facts.state, facts.retry_after
    return Blocked(intent.updated_at, Code.DESTRUCTIVE_BLOCKED, dependency, state, retry_after, intent.message)
