"""Destructive tools on a whole engine: held, let go, asked again after each wait, and item by item."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.deadline import Deadline
from switchgear.core.effects import Effect
from switchgear.core.errors import DestructiveBlocked
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded
from switchgear.execution.destruction import AttemptPermits
from switchgear.execution.intent import Intent
from switchgear.execution.transitions import State
from switchgear.gates.gate import GateRequest
from switchgear.health.findings import Confirmed, Witness
from switchgear.health.standing import Health
from switchgear.ledger.events import read
from tests.turns import turns
from tests.unit.execution.rig import NO_STOPS, Board, Rig, running

RED = Health.UNHEALTHY


@pytest.fixture(autouse=True)
def _no_stops() -> Iterator[None]:
    yield
    NO_STOPS.on = False


def janitor(rig: Rig, effect: Effect = Effect.OPAQUE, **options: Any) -> None:
    """Register a destructive tool on the script."""
    rig.tool("sessions.delete", effect, requires=("redis", "api_socket"), destructive=True, **options)


async def after(rig: Rig, intent: Intent, seconds: float = 5.0) -> Intent:
    """Return the intent after some time."""
    await rig.clock.elapse(seconds)
    return await rig.engine.intent(intent.tenant, intent.id)


async def facts_of(rig: Rig, intent: Intent, kind: str) -> dict[str, Any]:
    """Return the facts of the last event of a kind."""
    entries = [read(entry) for entry in await rig.store.stream(intent.tenant, intent.id)]
    return dict(next(event for event in reversed(entries) if event.type == f"intent.{kind}").facts)


def confirmed(rig: Rig, board: Board) -> Confirmed[str]:
    """Return a reason that the API socket has confirmed."""
    witness = Witness("api_socket", board, clock=rig.clock)
    finding = witness.ask(lambda: "ended", says=lambda reply: reply == "ended")
    assert isinstance(finding, Confirmed)
    return finding


@pytest.mark.parametrize("bad", ["redis", "api_socket"])
async def test_it_is_held_while_a_dependency_does_not_vouch_and_goes_on_by_itself(bad: str) -> None:
    """Blocked is held, never denied: it keeps its place, says why, and runs once every dependency vouches."""
    board = Board({bad: RED})
    async with running(standings=board) as rig:
        janitor(rig)
        intent = await rig.submit("sessions.delete")
        held = await after(rig, intent)
        assert (held.state, held.code, held.waiting_for) == (State.HELD, "DESTRUCTIVE_BLOCKED", "DESTRUCTIVE_BLOCKED")
        assert held.hindrance is not None
        assert (held.hindrance.dependency, held.hindrance.state, held.hindrance.retry_after) == (bad, "unhealthy", 7.5)
        facts = await facts_of(rig, intent, "held")
        assert [facts[name] for name in ("dependency", "state", "retry_after")] == [bad, "unhealthy", 7.5]
        board.states.clear()
        done = await rig.settled(intent)
        assert (done.state, len(rig.script.calls), done.hindrance) == (State.SUCCEEDED, 1, None)


async def test_while_it_is_held_the_ledger_does_not_grow() -> None:
    """What holds it is on record once, however often it is looked at; another dependency in its way is news."""
    board = Board({"redis": RED})
    async with running(standings=board) as rig:
        janitor(rig)
        intent = await rig.submit("sessions.delete")
        await after(rig, intent, 60.0)
        assert await rig.kinds(intent) == ["accepted", "held"]
        board.states = {"redis": Health.RECOVERING}
        await after(rig, intent, 60.0)
        assert await rig.kinds(intent) == ["accepted", "held"]
        board.states = {"api_socket": RED}
        held = await after(rig, intent, 60.0)
        assert await rig.kinds(intent) == ["accepted", "held", "held"]
        assert held.hindrance is not None
        assert held.hindrance.dependency == "api_socket"


async def test_the_log_says_that_it_is_held_and_floods_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """One line at most each five seconds for what is held by the same; it counts those that were left out."""
    async with running(standings=(board := Board({"redis": RED}))) as rig:
        janitor(rig)
        with caplog.at_level(logging.INFO, "switchgear.destruction"):
            first = await rig.submit("sessions.delete", key="0")
            await after(rig, first)
            second = await rig.submit("sessions.delete", key="1")
            await after(rig, second, 1.0)
            for key in "23":
                await after(rig, await rig.submit("sessions.delete", key=key), 1.0)
            for red in ("api_socket", "redis"):
                board.states = {red: RED}
                await after(rig, first, 60.0)
    lines = [record.getMessage() for record in caplog.records if record.name == "switchgear.destruction"]
    held = "sessions.delete is held: {} is unhealthy; next look in 7.5 s"
    assert lines == [
        f"intent {first.id} of acme: {held.format('redis')}",
        f"intent {second.id} of acme: {held.format('redis')}",
        f"intent {first.id} of acme: {held.format('api_socket')}",
        f"intent {first.id} of acme: {held.format('redis')} (2 like this left out)",
    ]


async def test_what_turns_red_while_the_dispatch_is_recorded_stops_it() -> None:
    """The ledger takes its time: once `dispatched` is on record, the gate is asked again before a byte leaves."""
    board = Board()
    async with running(standings=board) as rig:
        janitor(rig)
        board.red_from = board.asked + 3  # two questions pass it to the append, the next ones come after it
        intent = await rig.submit("sessions.delete")
        held = await after(rig, intent)
        kinds = await rig.kinds(intent)
        assert kinds[-4:] == ["dispatched", "not_applied", "retry_scheduled", "held"]
        assert (held.state, held.attempt, rig.script.calls) == (State.HELD, 0, [])
        assert (await facts_of(rig, intent, "not_applied"))["code"] == "DESTRUCTIVE_BLOCKED"
        board.red_from = None
        assert (await rig.settled(intent)).attempt == 1


async def test_each_further_attempt_is_asked_about_again() -> None:
    """A retry that was due in an outage waits for its end: what vouched for one attempt vouches for no other."""
    board = Board()

    async def fail(_call: Call) -> Result:
        board.states = {"redis": RED}
        return Refused(Code.DEPENDENCY_FAILED, "refused", retryable=True, verdict=Verdict.FAILURE)

    async with running(standings=board) as rig:
        janitor(rig)
        rig.script.answers = [fail]
        intent = await rig.submit("sessions.delete")
        held = await after(rig, intent, 60.0)
        assert (held.state, held.attempt, len(rig.script.calls)) == (State.HELD, 1, 1)
        board.states.clear()
        assert (await rig.settled(intent)).attempt == 2


async def test_tools_that_do_not_destroy_run_on_in_an_outage() -> None:
    """Healthy behaviour of everything else is unchanged."""
    async with running(standings=Board({"redis": RED})) as rig:
        rig.tool("sessions.read", Effect.READ_ONLY, requires=("redis",))
        intent = await rig.submit("sessions.read", key=None)
        assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_the_inventory_counts_what_passed_and_what_was_held() -> None:
    """One inventory: what it requires, how often it passed and was held, when the last time and why."""
    board = Board({"redis": RED})
    async with running(standings=board) as rig:
        janitor(rig)
        rig.tool("sessions.read", Effect.READ_ONLY, requires=("redis",))
        intent = await rig.submit("sessions.delete")
        await after(rig, intent, 30.0)
        assert rig.engine.destruction is not None
        (record,) = rig.engine.destruction.inventory.records()
        assert (record.name, record.requires) == ("sessions.delete", ("redis", "api_socket"))
        assert (record.passed, record.blocked) == (0, 1)
        last = record.last_blocked
        assert last is not None
        assert (last.code, last.dependency, last.state, last.retry_after) == (
            Code.DESTRUCTIVE_BLOCKED,
            "redis",
            "unhealthy",
            7.5,
        )
        assert last.message.startswith("sessions.delete was not begun: redis does not vouch for it")
        board.states.clear()
        await rig.settled(intent)
        assert rig.engine.destruction.inventory.records()[0].passed == 1


# --- permits inside a tool ---


async def _deleted(rig: Rig, board: Board, turns: Any) -> tuple[list[int], Intent]:  # noqa: ANN401 - a callable
    """Delete four items in a tool, calling `turns` after the second; return what was deleted, and the intent."""
    deleted: list[int] = []

    async def purge(call: Call) -> Result:
        reason = confirmed(rig, board)
        try:
            with call.destructive(because=reason) as permit:
                for item in permit.each([1, 2, 3, 4]):
                    deleted.append(item)
                    if item == 2:
                        turns()
        except DestructiveBlocked as error:
            return Refused(error.code, error.message, retryable=True, verdict=Verdict.IGNORED)
        return Succeeded(len(deleted))

    janitor(rig)
    rig.script.answers = [purge]
    intent = await rig.submit("sessions.delete")
    return deleted, await after(rig, intent, 20.0)


async def test_a_tool_deletes_item_by_item_while_everything_vouches() -> None:
    """Healthy: all items, one success."""
    board = Board()
    async with running(standings=board) as rig:
        deleted, intent = await _deleted(rig, board, lambda: None)
        assert (deleted, intent.state) == ([1, 2, 3, 4], State.SUCCEEDED)


@pytest.mark.parametrize("on", [True, RuntimeError("unreadable")], ids=str)
async def test_the_kill_switch_of_the_gear_stops_the_loop(*, on: bool | Exception) -> None:
    """A switch that is on, or cannot be read, stops what has begun before its next item."""
    board = Board()
    async with running(standings=board) as rig:
        deleted, intent = await _deleted(rig, board, lambda: setattr(NO_STOPS, "on", on))
        assert deleted == [1, 2]
        assert intent.state is State.IN_DOUBT


async def test_an_outage_stops_the_loop_and_is_no_proof_that_nothing_was_done() -> None:
    """Law 4: two items were deleted, so a refusal of the third leaves the action in doubt, never `not_applied`."""
    board = Board()
    async with running(standings=board) as rig:
        deleted, intent = await _deleted(rig, board, lambda: board.states.update(redis=RED))
        assert deleted == [1, 2]
        assert (intent.state, intent.code) == (State.IN_DOUBT, "DESTRUCTIVE_BLOCKED")
        assert intent.message.startswith("something was destroyed before it was refused")


async def test_a_reason_grows_too_old_in_a_long_loop() -> None:
    """The reason is looked at before each item as well."""
    board = Board()
    async with running(standings=board) as rig:
        deleted, intent = await _deleted(rig, board, lambda: rig.clock.advance(31.0))
        assert (deleted, intent.state) == ([1, 2], State.IN_DOUBT)


async def test_a_refusal_before_the_first_item_is_a_refusal() -> None:
    """Nothing was begun, so nothing is in doubt: it is offered again, and held."""
    board = Board()

    async def purge(call: Call) -> Result:
        reason = confirmed(rig, board)
        board.states["redis"] = RED
        try:
            with call.destructive(because=reason):
                raise AssertionError("not reached")
        except DestructiveBlocked as error:
            return Refused(error.code, error.message, retryable=True, verdict=Verdict.IGNORED)

    async with running(standings=board) as rig:
        janitor(rig)
        rig.script.answers = [purge]
        intent = await rig.submit("sessions.delete")
        held = await after(rig, intent, 30.0)
        assert (held.state, held.code) == (State.HELD, "DESTRUCTIVE_BLOCKED")
        assert "in_doubt" not in await rig.kinds(intent)


async def test_a_tool_that_is_not_marked_has_no_permits() -> None:
    """What nobody marked was never gated: it may not destroy, and is told what to write."""
    async with running(standings=Board()) as rig:
        deadline = Deadline(1.0, rig.clock)
        call = Call("int_1", "crm.update", "acme", "main", "service:a", {}, "k", 1, deadline, "")
        with pytest.raises(DestructiveBlocked, match=r"destructive=True") as caught:
            call.destructive(because=confirmed(rig, Board()))
        assert caught.value.decision == "reject"


async def test_no_reason_is_no_reason_in_a_tool() -> None:
    """Only what was confirmed opens a block, whatever a tool hands over."""
    board = Board()
    caught: list[DestructiveBlocked] = []

    async def purge(call: Call) -> Result:
        for reason in ("it is gone", None):
            try:
                with call.destructive(because=reason):  # type: ignore[arg-type] # what a mistaken tool does
                    raise AssertionError("not reached")
            except DestructiveBlocked as error:
                caught.append(error)
        await turns()
        return Succeeded("nothing")

    async with running(standings=board) as rig:
        janitor(rig)
        rig.script.answers = [purge]
        await rig.settled(await rig.submit("sessions.delete"))
        assert [error.state for error in caught] == ["missing", "missing"]


async def test_a_wait_inside_the_attempt_is_a_wait_and_what_it_stops_is_no_attempt() -> None:
    """A connector that waited for a place asks again; stopped there, nothing left: held, and no attempt is used up."""
    board = Board()

    async def wait_for_a_place(call: Call) -> Result:
        board.states["redis"] = RED
        try:
            call.check_leaving()
        except DestructiveBlocked as error:
            return Refused(error.code, error.message, retryable=True, verdict=Verdict.IGNORED)
        raise AssertionError("not reached")

    async with running(standings=board) as rig:
        janitor(rig, attempts=1)
        rig.script.answers = [wait_for_a_place]
        intent = await rig.submit("sessions.delete")
        held = await after(rig, intent, 30.0)
        assert (held.state, held.code, held.attempt) == (State.HELD, "DESTRUCTIVE_BLOCKED", 0)
        board.states.clear()
        assert (await rig.settled(intent)).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("on", "code"),
    [(True, Code.KILL_SWITCH_ACTIVE), (RuntimeError("x"), Code.KILL_SWITCH_UNREADABLE)],
    ids=str,
)
async def test_a_kill_switch_counts_before_the_first_byte_too(*, on: bool | Exception, code: Code) -> None:
    """On, or not to be read: what waited for its connection does not leave."""
    codes: list[Code] = []

    async def wait_for_a_place(call: Call) -> Result:
        NO_STOPS.on = on
        try:
            call.check_leaving()
        except DestructiveBlocked as error:
            codes.append(error.code)
        NO_STOPS.on = False
        call.check_leaving()
        return Succeeded(None)

    async with running(standings=Board()) as rig:
        janitor(rig)
        rig.script.answers = [wait_for_a_place]
        await rig.settled(await rig.submit("sessions.delete"))
        assert codes == [code]


async def test_what_turns_red_while_an_attempt_is_prepared_stops_it() -> None:
    """Law 5: the last look is in the very step in which the connector is called; what was found until then counts."""
    board = Board()
    async with running(standings=board) as rig:
        janitor(rig, attempts=1)
        destruction = rig.engine.destruction
        assert destruction is not None
        real = destruction.permits

        def permits(request: GateRequest) -> AttemptPermits:
            """Let it go; a probe has ended by then."""
            board.states.update(redis=RED)
            return real(request)

        destruction.permits = permits  # type: ignore[method-assign] # the moment at which a probe may end
        intent = await rig.submit("sessions.delete")
        held = await after(rig, intent)
        assert rig.script.calls == []
        assert (held.state, held.code, held.attempt) == (State.HELD, "DESTRUCTIVE_BLOCKED", 0)


async def test_why_a_dependency_does_not_vouch_is_told_to_no_tenant() -> None:
    """Others' calls may be told there: what stopped a tool in its middle is on record without it."""
    board = Board()
    async with running(standings=board) as rig:
        _, intent = await _deleted(rig, board, lambda: board.states.update(redis=RED))
        assert "redis does not vouch for it, being unhealthy" in intent.message
        assert "a secret" not in intent.message
