"""Engines that break a law on purpose, each by one change: the oracle must see every one of them.

A mutant changes names of the engine's own modules for as long as a test lasts. None of them is subtle on purpose:
each is what somebody could plausibly write.
"""

# ruff: noqa: ANN401, SLF001 - a mutant reaches inside what it changes, and passes on whatever it is given

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from msgspec import structs

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import StoreError
from switchgear.execution import (
    admission,
    consent,
    dead_letters,
    decide,
    forcing,
    gating,
    lookups,
    recorder,
    recovery,
    resources,
)
from switchgear.execution.budget_keeper import BudgetKeeper
from switchgear.execution.clock_watch import ClockWatch
from switchgear.execution.destruction import AttemptPermits, Destruction
from switchgear.execution.doubts import Doubts
from switchgear.execution.intent import Change, Intent, evolve
from switchgear.execution.kernel import Kernel
from switchgear.execution.leases.lease import Instant, Lease
from switchgear.execution.permits import Permits
from switchgear.execution.queue import FairQueue
from switchgear.execution.recorder import Also, Recorder
from switchgear.execution.replay_proof import Proof, Prover
from switchgear.execution.sagas import decide as sagas
from switchgear.execution.sagas.saga import SagaChange
from switchgear.execution.sagas.transitions import SagaKind
from switchgear.execution.sweeper import Sweeper
from switchgear.execution.time_boxes import rules
from switchgear.execution.time_boxes.desk import BoxDesk
from switchgear.execution.time_boxes.driver import TimeBoxes
from switchgear.execution.transitions import Kind
from switchgear.gates.approval import ApprovalGate
from switchgear.gates.budget import BudgetGate
from switchgear.gates.destructive.gate import DestructiveActions
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, Stage
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.switches import SELF_PROBE
from switchgear.health.standing import Standing
from switchgear.lab.simulation import world
from switchgear.lab.simulation.disk import Disk
from switchgear.ledger.chain import seal
from switchgear.storage.abilities import Append, Appended, Committed, Conflicted, Exceeded, Unknown, Write

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of the engine, a word that the verdict about it must have, and a seed that has shown it."""

    name: str
    breaks: str
    apply: Patch
    seed: int


MUTANTS: list[Mutant] = []


def mutant(breaks: str, *, seed: int = 1) -> Callable[[Patch], Patch]:
    """Enter a change into the list, with what its verdict must say.

    `seed` is where to begin: one that has shown it. It saves time, and need not be true any more.
    """

    def enter(apply: Patch) -> Patch:
        MUTANTS.append(Mutant(apply.__name__, breaks, apply, seed))
        return apply

    return enter


def always(value: object) -> Callable[..., Any]:
    """Return a function that always answers `value`."""
    return lambda *_args, **_named: value


@mutant("is not allowed in")
def dispatches_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    """An attempt leaves without a record."""
    real = Recorder.record

    async def record(self: Recorder, intent: Intent, changes: Sequence[Change], **named: Any) -> Intent:
        if changes[0].kind is not Kind.DISPATCHED:
            return await real(self, intent, changes, **named)
        return self._keep(evolve(intent, changes[0], self.watch.time()))

    patch.setattr(Recorder, "record", record)


@mutant("announced", seed=4)
def a_conflict_is_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    """What was refused since something had changed is taken for recorded."""
    real = Recorder._raise

    async def raises(self: Recorder, outcome: Conflicted | Exceeded | Unknown) -> None:
        if not isinstance(outcome, Conflicted):
            await real(self, outcome)

    patch.setattr(Recorder, "_raise", raises)


@mutant("announced", seed=9)
def silence_is_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    """A lost acknowledgement is taken for one."""

    async def sent_again(_self: Recorder, _append: Append, _stream: str, _unknown: Unknown) -> Appended:
        return Committed(0)

    patch.setattr(Recorder, "_sent_again", sent_again)


@mutant("", seed=8)
def silence_is_taken_for_failure(patch: pytest.MonkeyPatch) -> None:
    """A lost acknowledgement is taken for a refusal, and nobody looks whether it is on record."""

    async def sent_again(_self: Recorder, _append: Append, _stream: str, _unknown: Unknown) -> Appended:
        raise StoreError("the ledger is away", code=Code.LEDGER_UNAVAILABLE)

    patch.setattr(Recorder, "_sent_again", sent_again)


class _Hasty:
    """A store that takes an append for durable while it is still in flight."""

    def __init__(self, real: Disk) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def append(self, what: Append) -> Appended:
        landing = asyncio.ensure_future(self._real.append(what))
        await asyncio.wait({landing}, timeout=0.0)
        return landing.result() if landing.done() else Committed(0)


@mutant("announced", seed=4)
def acknowledged_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    """What is recorded of an intent is taken for durable while it is still in flight."""
    real: Any = Recorder.__init__

    def init(self: Recorder, store: Any, *others: Any, **named: Any) -> None:
        real(self, _Hasty(store), *others, **named)

    patch.setattr(Recorder, "__init__", init)


@mutant("what_is_said_is_true", seed=2)
def an_interrupted_action_is_called_not_applied(patch: pytest.MonkeyPatch) -> None:
    """What was under way at a crash is taken for what never left."""

    def unsent(intent: Intent, _backoff: object, moment: decide.Moment, _reason: str) -> tuple[Change, ...]:
        return (Change(Kind.NOT_APPLIED, {"code": "IN_DOUBT"}), *decide.failed(intent, Code.IN_DOUBT, str(moment.now)))

    patch.setattr(decide, "after_interruption", unsent)


@mutant("one_key_has_one_effect")
def an_interrupted_action_runs_again(patch: pytest.MonkeyPatch) -> None:
    """What was under way at a crash just runs again, whatever its effect class."""
    patch.setattr(
        decide, "after_interruption", lambda intent, _backoff, moment, _reason: decide.after_unsent(intent, moment)
    )


@mutant("one_key_has_one_effect", seed=7)
def every_effect_repeats_in_doubt(patch: pytest.MonkeyPatch) -> None:
    """What nobody can find out about runs again."""
    patch.setattr(decide, "_repeatable", always(True))  # noqa: FBT003 - the answer
    patch.setattr(Effect, "repeats_in_doubt", True)


@mutant("what_is_said_is_true", seed=2)
def a_timeout_is_called_a_failure(patch: pytest.MonkeyPatch) -> None:
    """What may have happened is called failed."""

    def failed(intent: Intent, _backoff: object, result: Any, _moment: object) -> tuple[Change, ...]:
        ended = decide.failed(intent, Code.TOOL_FAILED, result.message)
        return (Change(Kind.NOT_APPLIED, {"code": str(result.code), "attempt": intent.attempt}), *ended)

    patch.setattr(decide, "_after_doubt", failed)


@mutant("what_is_said_is_true", seed=2)
def a_cancel_hides_the_outcome(patch: pytest.MonkeyPatch) -> None:
    """What was cancelled under way is called cancelled, though it has happened."""
    real = decide.after_result

    def after(intent: Intent, backoff: Any, result: Any, moment: Any) -> tuple[Change, ...]:
        if intent.cancel_requested:
            return (Change(Kind.NOT_APPLIED, {"code": "CANCELLED"}), Change(Kind.CANCELLED, {"code": "CANCELLED"}))
        return real(intent, backoff, result, moment)

    patch.setattr(decide, "after_result", after)


@mutant("one_key_has_one_effect", seed=27)
def a_lookup_trusts_at_once(patch: pytest.MonkeyPatch) -> None:
    """That something is not there yet is taken for never."""
    patch.setattr(lookups, "wait_before", always(0.0))


@mutant("one_key_has_one_effect", seed=1)
def the_remote_never_forgets(patch: pytest.MonkeyPatch) -> None:
    """A keyed action is repeated when the remote has long forgotten the key."""
    patch.setattr(decide, "_remembered", always(True))  # noqa: FBT003 - the answer


@mutant("one_key_has_one_effect", seed=29)
def a_clock_that_was_set_back_is_believed(patch: pytest.MonkeyPatch) -> None:
    """A repeat goes by what the wall clock says has passed, although it was set."""
    patch.setattr(ClockWatch, "_widen", always(None))


@mutant("one_key_has_one_effect", seed=154)
def the_newest_record_says_nothing_of_the_clock(patch: pytest.MonkeyPatch) -> None:
    """An engine does not look whether its wall clock is behind what the one before it has recorded."""
    patch.setattr(ClockWatch, "on_record", always(None))


@mutant("a_key_is_one_intent", seed=43)
def a_clock_that_leapt_ahead_is_believed(patch: pytest.MonkeyPatch) -> None:
    """A key is freed by what the wall clock says has passed, although it was set."""
    patch.setattr(ClockWatch, "_widen", always(None))


@mutant("a_key_is_one_intent", seed=3)
def a_timer_frees_keys(patch: pytest.MonkeyPatch) -> None:
    """A key is free again after a while, whatever became of its intent."""
    patch.setattr(admission, "_forgotten", lambda intent, now, _unsure: now >= intent.created_at + 10.0)


@mutant("no_repeat_undoes_what_came_later", seed=69)
def a_repeat_goes_over_what_came_later(patch: pytest.MonkeyPatch) -> None:
    """A value is set again though another action has set it since."""

    async def claimed(self: resources.Resources, intent: Intent, facts: dict[str, Any], also: Also) -> Also:
        if intent.resource is None or not intent.effect.writes:
            return also
        version = await self._version(intent.tenant, intent.resource)
        facts["resource_version"] = version + 1
        claim = Write(resources.RESOURCES, intent.resource, version, intent.id.encode())
        return structs.replace(also, writes=(*also.writes, claim))

    patch.setattr(resources.Resources, "claimed", claimed)


@mutant("budget counters differ")
def reservations_are_never_settled(patch: pytest.MonkeyPatch) -> None:
    """What was reserved stays so."""
    patch.setattr(recorder, "settlement", always(()))


@mutant("no_budget_is_overdrawn", seed=39)
def budgets_have_no_limit(patch: pytest.MonkeyPatch) -> None:
    """Units are counted and nothing stops."""
    real = BudgetGate.check

    def check(self: BudgetGate, request: GateRequest) -> Conditions:
        passed = real(self, request)
        counts = tuple(structs.replace(count, limit=None) for count in passed.counts)
        return structs.replace(passed, counts=counts)

    patch.setattr(BudgetGate, "_check_room", always(None))
    patch.setattr(BudgetGate, "check", check)


@mutant("frozen", seed=24)
def a_freeze_only_stops_what_is_new(patch: pytest.MonkeyPatch) -> None:
    """Kill switches are asked at the door, and not before an attempt."""
    _only_at_the_door(patch, KillSwitchGate)


@mutant("frozen", seed=140)
def a_switch_is_no_condition(patch: pytest.MonkeyPatch) -> None:
    """A switch that is tripped while a dispatch is in flight does not stop it."""
    patch.setattr(KillSwitchGate, "_conditions_of", always(NO_CONDITIONS))


@mutant("nothing_is_destroyed_unvouched")
def what_destroys_asks_nobody(patch: pytest.MonkeyPatch) -> None:
    """A destructive action leaves like any other."""
    patch.setattr(DestructiveActions, "check", always(NO_CONDITIONS))


@mutant("nothing_is_destroyed_unvouched")
def what_was_well_once_stays_well(patch: pytest.MonkeyPatch) -> None:
    """A right answer never grows old, and an answer that fails is no doubt."""
    patch.setattr(Standing, "vouches", property(lambda standing: standing.age is not None))


@mutant("nothing_is_destroyed_unvouched", seed=5)
def one_dependency_is_enough(patch: pytest.MonkeyPatch) -> None:
    """Only the first of the dependencies is asked."""
    real = DestructiveActions.check

    def check(self: DestructiveActions, request: GateRequest) -> Conditions:
        return real(self, structs.replace(request, requires=request.requires[:1]))

    patch.setattr(DestructiveActions, "check", check)


@mutant("nothing_is_destroyed_unvouched", seed=12)
def the_gate_is_asked_only_before_the_record(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks again once the dispatch is on record, however long that took."""
    patch.setattr(Destruction, "refusal", always(None))
    patch.setattr(AttemptPermits, "check_leaving", always(None))


@mutant("a_force_is_good_once", seed=5)
def a_force_is_good_until_it_expires(patch: pytest.MonkeyPatch) -> None:
    """A word that one dispatch has used speaks for the next one too."""
    patch.setattr(gating, "_force", lambda intent: intent.force)


@mutant("a_force_is_good_once", seed=13)
def anybody_forces(patch: pytest.MonkeyPatch) -> None:
    """Whoever asked for an action, and any agent, may force it."""
    patch.setattr(forcing, "check_person", always(None))


@mutant("approv")
def an_approval_is_not_asked_for_again(patch: pytest.MonkeyPatch) -> None:
    """What was approved once leaves, whether that has been taken back or not."""

    def check(_self: ApprovalGate, _request: GateRequest) -> Conditions:
        return NO_CONDITIONS

    patch.setattr(ApprovalGate, "check", check)


@mutant("by the word of", seed=25)
def anybody_approves(patch: pytest.MonkeyPatch) -> None:
    """Whoever asked for an action, and any agent, may approve it."""
    patch.setattr(consent, "_check_person", always(None))


@mutant("replay", seed=5)
def a_replay_has_no_end(patch: pytest.MonkeyPatch) -> None:
    """The end of a replay is forgotten."""
    patch.setattr(recorder, "replay_end", always(None))


@mutant("a_new_generation_follows_what_is_undone", seed=3)
def anything_is_executed_anew(patch: pytest.MonkeyPatch) -> None:
    """A replay executes anew what has happened."""

    async def proof(_self: Prover, _intent: Intent) -> Proof:
        return Proof("not_applied")

    patch.setattr(Prover, "proof", proof)


@mutant("one_key_has_one_effect", seed=646)
def a_dead_letter_that_may_have_happened_runs_again(patch: pytest.MonkeyPatch) -> None:
    """What was given up in doubt is requeued like any other."""
    real = dead_letters.requeue

    def requeue(intent: Intent, known: Any, **named: Any) -> Change:
        return real(msgspec.structs.replace(intent, doubtful=False), known, **named)

    patch.setattr(dead_letters, "requeue", requeue)


@mutant("places of the queue")
def places_leak(patch: pytest.MonkeyPatch) -> None:
    """What is settled keeps its place in the queue."""
    patch.setattr(FairQueue, "release", always(None))


@mutant("permits")
def permits_leak(patch: pytest.MonkeyPatch) -> None:
    """A guard is not told how attempts end."""
    patch.setattr(Permits, "settle", always(None))
    patch.setattr(Permits, "ignore", always(None))


@mutant("is not what its events say")
def a_row_says_less_than_its_events(patch: pytest.MonkeyPatch) -> None:
    """A row leaves out what the event has."""

    def write(space: str, key: str, expected: int, value: bytes, *facet: str) -> Write:
        if space == recorder.INTENTS:
            intent = msgspec.json.decode(value, type=Intent)
            value = msgspec.json.encode(msgspec.structs.replace(intent, code=None))
        return Write(space, key, expected, value, *facet)

    patch.setattr(recorder, "Write", write)


@mutant("does not verify")
def the_chain_does_not_hold(patch: pytest.MonkeyPatch) -> None:
    """An entry does not seal the one before it."""
    patch.setattr(world, "seal", lambda _prev, seq, body: seal(bytes(32), seq, body))


@mutant("pending_approval")
def nothing_expires(patch: pytest.MonkeyPatch) -> None:
    """What waits for people waits for ever."""
    patch.setattr(Sweeper, "_expired", always(False))  # noqa: FBT003 - the answer


@mutant("a loop of the engine")
def a_loop_ends(patch: pytest.MonkeyPatch) -> None:
    """A loop of the engine meets an error that nobody takes care of."""

    async def sweep(_self: Doubts) -> None:
        raise LookupError("a defect")

    patch.setattr(Doubts, "sweep", sweep)


@mutant("a task is left", seed=6)
def a_stop_leaves_a_task(patch: pytest.MonkeyPatch) -> None:
    """A loop goes on when its engine has stopped."""

    async def stop(_self: BudgetKeeper) -> None:
        return

    patch.setattr(BudgetKeeper, "stop", stop)


@mutant("")
def recovery_forgets_what_was_ready(patch: pytest.MonkeyPatch) -> None:
    """What waited at a crash is read back and never queued."""

    async def settle(_self: Any, intent: Intent, _found: object) -> None:
        del intent

    patch.setattr(recovery.Recovery, "_settle", settle)


@mutant("saga", seed=24)
def a_saga_undoes_nothing(patch: pytest.MonkeyPatch) -> None:
    """A saga that failed is called compensated, and nothing is undone."""
    patch.setattr(sagas, "_next_to_undo", always(SagaChange(SagaKind.COMPENSATED)))


@mutant("time-box", seed=3)
def boxes_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What is due is looked at, and nothing is done."""

    async def revert(_self: TimeBoxes, _box: object, _intent: Intent) -> None:
        return

    patch.setattr(TimeBoxes, "_revert_due", revert)


@mutant("time-box", seed=5)
def a_box_is_void_in_doubt(patch: pytest.MonkeyPatch) -> None:
    """What may have happened is not reverted."""
    real = rules.fate_of

    def fate(box: Any, intent: Intent, *, lookup: bool = False) -> rules.Fate:
        found = real(box, intent, lookup=lookup)
        return rules.Fate.NOT_APPLIED if found is rules.Fate.UNDER_WAY and intent.unresolved else found

    patch.setattr(rules, "fate_of", fate)


@mutant("time-box", seed=407)
def a_box_believes_what_memory_says(patch: pytest.MonkeyPatch) -> None:
    """What a box takes for undone is not checked against the record, which is ahead of memory for a moment."""
    real = BoxDesk.record

    async def record(self: BoxDesk, box: Any, step: Any, *, actor: str, given: object = None) -> Any:
        del given
        return await real(self, box, step, actor=actor)

    patch.setattr(BoxDesk, "record", record)


@mutant("lost engine", seed=4)
def an_append_does_not_say_its_epoch(patch: pytest.MonkeyPatch) -> None:
    """An engine that wakes up late writes as if nobody had taken its place."""
    real = Lease.joined

    def joined(self: Lease, sent: Instant) -> None:
        real(self, sent)
        self.expects = ()

    patch.setattr(Lease, "joined", joined)


@mutant("one_key_has_one_effect", seed=8)
def a_lost_engine_still_sends(patch: pytest.MonkeyPatch) -> None:
    """What is on record as dispatched leaves, however late its engine wakes up."""
    patch.setattr(Lease, "fenced", False)


@mutant("dispatched, after", seed=8)
def nobody_follows_a_lost_engine(patch: pytest.MonkeyPatch) -> None:
    """What a lost engine has left open stays open."""
    patch.setattr(recovery.Recovery, "adopt", _nothing_left)


@mutant("everything_is_given_back", seed=28)
def whoever_reads_an_intent_carries_it(patch: pytest.MonkeyPatch) -> None:
    """An engine goes on with what another has."""
    patch.setattr(Lease, "foreign", always(False))  # noqa: FBT003 - the answer


@mutant("slept over", seed=2)
def what_comes_up_meanwhile_is_slept_over(patch: pytest.MonkeyPatch) -> None:
    """The kernel looks at the clock once more before it asks until when to sleep, and nobody takes what is due then."""
    real = Kernel._next_moment

    def next_moment(self: Kernel) -> float | None:
        if not self._lease.fenced:
            self._queue.promote(self._clock.monotonic())
        return real(self)

    patch.setattr(Kernel, "_next_moment", next_moment)


async def _nothing_left(_self: recovery.Recovery, _owner: str) -> bool:
    return True


def _only_at_the_door(patch: pytest.MonkeyPatch, gate: type[KillSwitchGate]) -> None:
    real = gate.check

    def check(self: KillSwitchGate, request: GateRequest) -> Conditions:
        probed = request.tool == SELF_PROBE  # else the engine itself finds out, and lets nothing through any more
        return NO_CONDITIONS if request.stage is Stage.DISPATCH and not probed else real(self, request)

    patch.setattr(gate, "check", check)


def names() -> Iterator[str]:
    """Return the names of all mutants."""
    return (one.name for one in MUTANTS)
