"""Forcing: who may, what it is good for, and that it is good once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Denied, DestructiveBlocked, Invalid
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool
from switchgear.execution.engine import Decided
from switchgear.execution.forcing import Forcing, forced
from switchgear.execution.intent import Change, Intent, evolve
from switchgear.execution.transitions import Kind, State
from switchgear.health.findings import Confirmed, Witness
from switchgear.health.obstacles import Kind as ObstacleKind
from switchgear.health.obstacles import Obstacle
from switchgear.health.standing import Health
from tests.unit.execution.rig import Board, Rig, running
from tests.unit.execution.test_intent import intent as proposed

TOOL = Tool(name="sessions.delete", requires=("redis",), destructive=True)
HELD = {"state": State.HELD, "code": "DESTRUCTIVE_BLOCKED", "contract": TOOL.contract, "destructive": True}
RED = (Obstacle(ObstacleKind.NOT_VOUCHED, "redis", "unhealthy"),)
BEN = "person:ben"


def forcing(**fields: Any) -> Forcing:
    """Return what Ben says, changed by `fields`."""
    plain: dict[str, Any] = {"by": BEN, "reason": "checked by hand", "seconds": 300.0, "at": 1_000.0}
    return Forcing(**{**plain, "asked_by": frozenset({"service:janitor"}), **fields})


def test_what_is_recorded_names_what_is_overridden() -> None:
    """The ledger says who, until when, under which contract, over which dependencies in which state, and why."""
    (change,) = forced(proposed(**HELD), forcing(), TOOL, RED)
    assert change.kind is Kind.FORCED
    assert change.facts == {
        "by": BEN,
        "until": 1_300.0,
        "contract": TOOL.contract,
        "overrode": [{"dependency": "redis", "state": "unhealthy"}],
    }
    assert change.payload == {"reason": "checked by hand"}


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "two\nlines", "\x1b[31m"], ids=repr)
def test_a_reason_can_be_printed_and_says_something(reason: str) -> None:
    """1 to 500 printable characters go on record."""
    with pytest.raises(Invalid, match="printable"):
        forcing(reason=reason)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 3_600.1, float("nan"), float("inf")])
def test_no_force_is_for_ever(seconds: float) -> None:
    """At most an hour."""
    with pytest.raises(Invalid, match="3600 seconds"):
        forcing(seconds=seconds)
    assert forcing(seconds=3_600.0).seconds == 3_600.0


def test_agents_and_who_asked_for_it_do_not_force() -> None:
    """A second person does; with a single operator who asked may, an agent never."""
    who = r"another person must, unless single_operator = true in \[kill_switches\]"
    for by, words in (("agent:a", "a person can"), ("service:janitor", who)):
        with pytest.raises(Denied, match=words):
            forced(proposed(**HELD), forcing(by=by), TOOL, RED)
    assert forced(proposed(**HELD), forcing(by="service:janitor", single_operator=True), TOOL, RED)
    with pytest.raises(Denied):
        forced(proposed(**HELD), forcing(by="agent:a", single_operator=True), TOOL, RED)


REFUSED: dict[str, tuple[dict[str, Any], Tool | None, tuple[Obstacle, ...], Code]] = {
    "ready": ({"state": State.READY}, TOOL, RED, Code.ILLEGAL_TRANSITION),
    "held for a kill switch": ({"code": "KILL_SWITCH_ACTIVE"}, TOOL, RED, Code.ILLEGAL_TRANSITION),
    "dispatched": ({"state": State.DISPATCHED}, TOOL, RED, Code.ILLEGAL_TRANSITION),
    "all vouch by now": ({}, TOOL, (), Code.ILLEGAL_TRANSITION),
    "tool unknown": ({}, None, RED, Code.TOOL_CHANGED),
    "tool changed": ({"contract": "other"}, TOOL, RED, Code.TOOL_CHANGED),
}


@pytest.mark.parametrize("case", REFUSED)
def test_only_what_the_gate_holds_can_be_forced(case: str) -> None:
    """A force overrides the destructive gate and nothing else."""
    fields, tool, obstacles, code = REFUSED[case]
    with pytest.raises(Conflict) as caught:
        forced(proposed(**{**HELD, **fields}), forcing(), tool, obstacles)
    assert caught.value.code is code


@pytest.mark.parametrize("again", [Kind.REQUEUED, Kind.REEXECUTED])
def test_no_force_survives_a_new_run(again: Kind) -> None:
    """Requeued or executed anew, it is another decision: a force is void, used or not."""
    (change,) = forced(proposed(**HELD), forcing(), TOOL, RED)
    held = evolve(proposed(**HELD), change, 1_000.0)
    assert held.force is not None
    ended = msgspec.structs.replace(held, state=State.DEAD_LETTERED)
    assert evolve(ended, Change(again, {}), 1_001.0).force is None


# --- on a whole engine ---


async def force(rig: Rig, intent: Intent, seconds: float = 300.0) -> Intent:
    """Have Ben force an intent."""
    said = forcing(seconds=seconds, at=rig.clock.time())

    def decision(now: Intent) -> Decided:
        known = rig.engine.registry.get(now.tool)
        assert known is not None
        return Decided(forced(now, said, known.tool, rig.engine.hindering(known.tool)))

    return await rig.engine.change(intent.tenant, intent.id, decision, actor=BEN)


async def held(rig: Rig, **options: Any) -> Intent:
    """Submit a destructive action and return it once it is held."""
    effect = options.pop("effect", Effect.OPAQUE)
    rig.tool("sessions.delete", effect, requires=("redis",), destructive=True, **options)
    intent = await rig.submit("sessions.delete")
    await rig.clock.elapse(3.0)
    return await rig.engine.intent(intent.tenant, intent.id)


async def test_a_force_lets_one_attempt_leave() -> None:
    """It leaves in the outage, and the dispatch says what was overridden; a retry is held again."""
    async with running(standings=Board({"redis": Health.UNHEALTHY})) as rig:
        rig.script.answers = [Refused(Code.DEPENDENCY_FAILED, "no", retryable=True, verdict=Verdict.FAILURE)]
        intent = await held(rig)
        await force(rig, intent)
        await rig.clock.elapse(60.0)
        after = await rig.engine.intent(intent.tenant, intent.id)
        assert (after.state, after.code, len(rig.script.calls)) == (State.HELD, "DESTRUCTIVE_BLOCKED", 1)
        kinds = await rig.kinds(intent)
        assert kinds == ["accepted", "held", "forced", "dispatched", "not_applied", "retry_scheduled", "held"]
        await force(rig, intent)
        assert (await rig.settled(intent)).state is State.SUCCEEDED
        assert len(rig.script.calls) == 2


async def test_an_unused_force_expires() -> None:
    """What could not leave in time is blocked again, and stays so."""
    board = Board({"redis": Health.UNHEALTHY})
    async with running(standings=board, guards={}) as rig:
        intent = await held(rig)
        rig.engine.queue.pause("redis", rig.clock.monotonic() + 60.0, "CIRCUIT_OPEN")
        await force(rig, intent, seconds=30.0)
        await rig.clock.elapse(120.0)
        after = await rig.engine.intent(intent.tenant, intent.id)
        assert (after.state, after.code, rig.script.calls) == (State.HELD, "DESTRUCTIVE_BLOCKED", [])


async def test_a_dispatch_that_needed_no_force_ends_it_all_the_same() -> None:
    """Single use means one dispatch: it is not saved up for a later outage."""
    board = Board({"redis": Health.UNHEALTHY})

    async def outage(_call: Call) -> Result:
        board.states["redis"] = Health.UNHEALTHY
        return Refused(Code.DEPENDENCY_FAILED, "no", retryable=True, verdict=Verdict.FAILURE)

    async with running(standings=board) as rig:
        rig.script.answers = [outage]
        intent = await held(rig)
        board.states.clear()
        board.states["redis"] = Health.DEGRADED
        await force(rig, intent)
        board.states.clear()
        await rig.clock.elapse(60.0)
        after = await rig.engine.intent(intent.tenant, intent.id)
        assert (after.state, len(rig.script.calls), after.force) == (State.HELD, 1, None)


async def test_a_second_dependency_that_fails_is_not_forced() -> None:
    """Good for what that person saw: another dependency in its way holds it again."""
    board = Board({"redis": Health.UNHEALTHY})
    async with running(standings=board) as rig:
        rig.tool("sessions.delete", Effect.OPAQUE, requires=("redis", "api_socket"), destructive=True)
        intent = await rig.submit("sessions.delete")
        await rig.clock.elapse(3.0)
        rig.engine.queue.pause("redis", rig.clock.monotonic() + 5.0, "CIRCUIT_OPEN")
        await force(rig, intent)
        board.states["api_socket"] = Health.UNKNOWN
        await rig.clock.elapse(20.0)
        after = await rig.engine.intent(intent.tenant, intent.id)
        assert (after.state, rig.script.calls) == (State.HELD, [])
        assert after.hindrance is not None
        assert after.hindrance.dependency == "api_socket"


async def test_a_forced_attempt_deletes_item_by_item_until_its_force_expires() -> None:
    """The force holds for the items of its attempt, never for their reason, and ends in time."""
    board, deleted = Board({"redis": Health.UNHEALTHY}), list[int]()

    async def purge(call: Call) -> Result:
        finding = Witness("api_socket", board, clock=rig.clock).ask(lambda: True, says=lambda reply: reply)
        assert isinstance(finding, Confirmed)
        try:
            with call.destructive(because=finding) as permit:
                for item in permit.each([1, 2, 3]):
                    deleted.append(item)
                    rig.clock.advance(11.0)
        except DestructiveBlocked as error:
            return Refused(error.code, error.message, retryable=False, verdict=Verdict.IGNORED)
        return Succeeded(None)

    async with running(standings=board) as rig:
        rig.script.answers = [purge]
        intent = await held(rig, timeout=3_000.0)
        await force(rig, intent, seconds=20.0)
        await rig.clock.elapse(1.0)
        after = await rig.engine.intent(intent.tenant, intent.id)
        assert deleted == [1, 2]
        assert (after.state, after.code) == (State.IN_DOUBT, "DESTRUCTIVE_BLOCKED")
