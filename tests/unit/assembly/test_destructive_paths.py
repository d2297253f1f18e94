"""The hunt for a way past the destructive gate: every path to an attempt, with the gate red, and green as its proof.

The list of what must have a row is derived from the code: every event that makes an intent ready, every purpose that an
intent can serve, every use case, every kind of function, every method of a permit. What is new has no row, and fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from switchgear.control.replays import ReplayFilter
from switchgear.control.use_cases import Control
from switchgear.core.errors import Denied, DestructiveBlocked
from switchgear.execution import family
from switchgear.execution.transitions import TRANSITIONS, State
from switchgear.guard import callables
from switchgear.health import Confirmed, DestructiveGate, Health, Inventory, Permit, Witness, destructive
from switchgear.surfaces.rest.operations import OPERATIONS
from tests.unit.assembly.destructive_scene import Scene, later, refused, scene
from tests.unit.execution.rig import Board

Story = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """A story that comes to an attempt of something destructive, and what of the code it goes through."""

    story: Story
    covers: frozenset[str]


ROWS: dict[str, Row] = {}


def row(*covers: str) -> Callable[[Story], Story]:
    """Add a story to the hunt."""

    def add(story: Story) -> Story:
        ROWS[story.__name__] = Row(story, frozenset(covers))
        return story

    return add


# --- stories of the gear: what comes after `turn` must destroy nothing while the vault is down ---


@row("event:intent.accepted", "use_case:intents.submit")
async def a_submission(made: Scene) -> None:
    """Submit and let it run."""
    made.turn()
    await made.submit()


@row("event:intent.approved", "use_case:approvals.approve")
async def an_approval(made: Scene) -> None:
    """Approve while it is down: people's yes is no evidence."""
    handle = await made.submit("vault.purge")
    await made.go(1.0)
    made.turn()
    await (await made.ben.intent(handle.id)).approve()


@row("event:intent.released", "use_case:kill_switches.release", "use_case:tools.accept")
async def a_release(made: Scene) -> None:
    """Release what held it, which the sweeper does for every gate alike."""
    made.gear.engine.queue.pause("vault", made.clock.monotonic() + 3.0, "CIRCUIT_OPEN")
    await made.submit()
    await made.ann.kill_switches.trip("tool:vault.delete", reason="drill", mode="freeze")
    await made.go(5.0)
    made.turn()
    await made.ben.kill_switches.release("tool:vault.delete", reason="over")


@row("event:intent.forced", "use_case:forced.force")
async def an_expired_force(made: Scene) -> None:
    """Forced, and over before it could leave."""
    made.down()
    handle = await made.submit()
    await made.go(2.0)
    made.gear.engine.queue.pause("vault", made.clock.monotonic() + 5.0, "CIRCUIT_OPEN")
    await (await made.ben.intent(handle.id)).force(reason="by hand", seconds=3.0)
    made.turn()


@row("event:intent.deferred")
async def a_deferral(made: Scene) -> None:
    """What the guard put off comes back in the outage."""
    guard = made.gear.guards.of("vault")
    taken = [guard.permit_nowait() for _ in range(32)]
    try:
        while True:
            taken.append(guard.permit_nowait())
    except Exception:  # noqa: BLE001 - the bulkhead is full, in whatever words
        await made.submit()
    await made.go(1.0)
    made.turn()
    for permit in taken:
        permit.refund()


@row("event:intent.retry_scheduled")
async def a_retry(made: Scene) -> None:
    """An attempt that was refused is tried again in the outage."""
    made.plan["vault.retry"] = [later()]
    await made.submit("vault.retry")
    await made.go(2.0)
    made.turn()


async def _dead(made: Scene) -> Any:  # noqa: ANN401 - a handle
    made.plan["vault.delete"] = [refused()]
    handle = await made.submit()
    await made.go(5.0)
    return handle


@row("event:intent.requeued", "use_case:dead_letters.requeue")
async def a_requeue(made: Scene) -> None:
    """A dead letter is requeued in the outage."""
    handle = await _dead(made)
    made.turn()
    await handle.requeue()


@row("use_case:dead_letters.requeue_all")
async def a_requeue_of_many(made: Scene) -> None:
    """All dead letters are."""
    await _dead(made)
    made.turn()
    await made.during(made.ann.requeue_dead_letters())


@row("event:intent.reexecuted", "use_case:replays.replay")
async def a_re_execution(made: Scene) -> None:
    """A person executes anew what was not applied."""
    handle = await _dead(made)
    made.turn()
    await made.during(handle.replay(mode="re-execute", reason="again"))


@row("use_case:replays.replay")
async def a_resume(made: Scene) -> None:
    """A person resumes what is held."""
    made.down()
    handle = await made.submit()
    await made.go(2.0)
    made.turn()
    await made.during(handle.replay(mode="resume", reason="go on"))


@row("use_case:replays.replay_all")
async def a_bulk_replay(made: Scene) -> None:
    """A person resumes all that is held."""
    made.down()
    await made.submit()
    await made.go(2.0)
    made.turn()
    chosen = ReplayFilter(state="held")
    control, principal = made.gear.control, made.ann.principal
    await made.during(control.replays.replay_all(principal, chosen, mode="resume", reason="go on"))


@row("use_case:doubts.resolve")
async def a_resolution(made: Scene) -> None:
    """Two persons say that it was not applied, so it runs again."""
    made.plan["vault.drop"] = [TimeoutError("no answer")]
    handle = await made.submit("vault.drop")
    await made.go(1.0)
    made.turn()
    await handle.resolve("not_applied", evidence="it is there")
    await (await made.ben.intent(handle.id)).resolve("not_applied", evidence="it is there")


@row("purpose:lookup")
async def a_lookup(made: Scene) -> None:
    """A lookup that is marked destructive is gated as any tool."""
    made.plan["crm.order"] = [TimeoutError("no answer")]
    await made.submit("crm.order")
    await made.go(0.0)
    made.turn()


@row("purpose:revert", "use_case:time_boxes.revert")
async def an_early_revert(made: Scene) -> None:
    """A person ends a time-box early."""
    handle = await made.submit("idp.disable", revert_after=1_000.0)
    await made.go(2.0)
    made.turn()
    await made.ann.time_boxes.revert(handle.id, reason="early")


@row("purpose:revert")
async def a_revert_in_time(made: Scene) -> None:
    """A time-box ends by itself."""
    await made.submit("idp.disable", revert_after=10.0)
    await made.go(2.0)
    made.turn()


@row("purpose:step", "use_case:sagas.submit")
async def a_step(made: Scene) -> None:
    """A step of a saga."""
    made.turn()
    await made.ann.saga([{"tool": "crm.reserve"}, {"tool": "vault.delete", "pivot": True}], key="s")


_BACK = [{"tool": "crm.reserve"}, {"tool": "crm.send"}]


@row("purpose:compensate")
async def a_compensation(made: Scene) -> None:
    """What undoes a step of a saga."""
    made.plan["crm.send"] = [refused()]
    made.turn()
    await made.ann.saga(_BACK, key="s")


@row("use_case:sagas.cancel")
async def a_cancelled_saga(made: Scene) -> None:
    """A person cancels a saga, so it goes back."""
    made.gear.engine.queue.pause("idp", made.clock.monotonic() + 20.0, "CIRCUIT_OPEN")
    saga = await made.ann.saga([{"tool": "crm.reserve"}, {"tool": "idp.disable"}], key="s")
    await made.go(2.0)
    made.turn()
    await saga.cancel()


@row("use_case:sagas.resume")
async def a_resumed_saga(made: Scene) -> None:
    """A person begins anew what undoes a step, after it had failed for good."""
    made.plan["crm.send"] = [refused()]
    made.plan["vault.retry"] = [refused()]
    saga = await made.ann.saga(_BACK, key="s")
    await made.go(5.0)
    made.turn()
    await saga.resume("retry", reason="again")


@row("use_case:backups.thaw")
async def a_thaw(made: Scene) -> None:
    """What rested in a restored store is recovered, as at a start."""
    made.down()
    await made.submit()
    await made.go(2.0)
    made.gear.engine.rest()
    made.turn()
    platform = made.gear.acting_as_platform(actor="person:ops")
    await made.during(platform.backups.thaw(since=0.0, reason="looked"))


STARTS_NOTHING = frozenset(
    {
        *("intents.cancel", "intents.events", "intents.list", "intents.show", "intents.show_by_key", "intents.wait"),
        *("approvals.reject", "approvals.withdraw", "doubts.report", "dead_letters.list", "dead_letters.discard"),
        *("time_boxes.list", "time_boxes.show", "time_boxes.events", "time_boxes.extend", "time_boxes.close"),
        *("sagas.wait", "sagas.show", "sagas.list", "sagas.events", "tools.list", "breakers.list"),
        *("kill_switches.list", "kill_switches.trip", "budgets.list", "budgets.report"),
        *("ledger.list", "ledger.head", "ledger.verify", "ledger.export", "keeping.checkpoint", "keeping.sign"),
        *("keeping.archivable", "keeping.segment", "keeping.archive", "keeping.erase"),
        *("dependencies.list", "dependencies.show", "dependencies.destructive"),
        *("backups.make", "backups.list", "readiness.check", "health.report", "health.include"),
    }
)
"""Use cases after which no intent is ready that was not before."""


@pytest.mark.parametrize("name", ROWS)
async def test_law_5_no_path_of_the_gear_reaches_its_effect_with_the_gate_red(name: str, tmp_path: Path) -> None:
    """Law 5: while a required dependency does not vouch, nothing is destroyed, whichever way an intent came."""
    async with scene(tmp_path, red=True) as made:
        await ROWS[name].story(made)
        await made.go(300.0)
        assert made.destroyed == []


@pytest.mark.parametrize("name", ROWS)
async def test_each_path_reaches_its_effect_with_the_gate_green(name: str, tmp_path: Path) -> None:
    """A row that never destroys proves nothing: with everything well, each of them does."""
    async with scene(tmp_path, red=False) as made:
        await ROWS[name].story(made)
        await made.go(300.0)
        assert made.destroyed


async def test_a_kill_switch_is_never_forced(tmp_path: Path) -> None:
    """A force overrides how dependencies stand, and no switch: frozen, it waits, and its force runs out."""
    async with scene(tmp_path, red=True) as made:
        made.turn()
        handle = await made.submit()
        await made.go(2.0)
        made.gear.engine.queue.pause("vault", made.clock.monotonic() + 2.0, "CIRCUIT_OPEN")
        await (await made.ben.intent(handle.id)).force(reason="by hand", seconds=60.0)
        await made.ann.kill_switches.trip("tool:vault.delete", reason="drill")
        await made.go(30.0)
        assert (await handle.refresh()).code == "KILL_SWITCH_ACTIVE"
        await made.go(60.0)
        await made.ben.kill_switches.release("tool:vault.delete", reason="over")
        await made.go(30.0)
        assert ((await handle.refresh()).code, made.destroyed) == ("DESTRUCTIVE_BLOCKED", [])


async def test_a_force_is_for_somebody_else_and_leaves_once(tmp_path: Path) -> None:
    """Who asked for it is refused; another person's word lets it leave, and stands on record with its reason."""
    async with scene(tmp_path, red=True) as made:
        made.turn()
        handle = await made.submit()
        await made.go(2.0)
        with pytest.raises(Denied):
            await handle.force(reason="mine", seconds=60.0)
        forced = await (await made.ben.intent(handle.id)).force(reason="by hand", seconds=60.0)
        assert forced.force is not None
        assert (forced.force.by, forced.force.overrode) == ("person:ben", ["vault"])
        await made.go(5.0)
        assert made.destroyed == ["vault.delete"]
        events = {event.type: event for event in await handle.events()}
        assert events["intent.forced"].payload == {"reason": "by hand"}
        overrode = [{"dependency": "vault", "state": "unhealthy"}]
        assert events["intent.dispatched"].facts["forced"] == {"by": "person:ben", "overrode": overrode}
        assert (await handle.replay(mode="verify", reason="audit")).result == "verified"


# --- the library: every kind of function, and every method of a permit ---


class Library:
    """A gate over one dependency, and what was destroyed past it."""

    def __init__(self, *, red: bool) -> None:
        """Begin well; `turn` goes red if `red`."""
        self.board = Board()
        self.red = red
        self.gate = DestructiveGate(self.board, inventory=Inventory())
        self.destroyed: list[object] = []
        found = Witness("vault", self.board).ask(lambda: True, says=lambda reply: reply)
        assert isinstance(found, Confirmed)
        self.reason = found

    def turn(self) -> None:
        """Let the vault fail, if the hunt is red."""
        if self.red:
            self.board.states["vault"] = Health.UNHEALTHY

    def permit(self) -> Permit:
        """Return the permit of a block."""
        return self.gate.destructive("vault.delete", requires=("vault",), because=self.reason)

    def mark(self, function: Any) -> Any:  # noqa: ANN401 - a function of whatever kind
        """Mark a function as destructive."""
        return destructive(requires=("vault",), operation="vault.marked", gate=self.gate)(function)


async def a_blocking_function(library: Library) -> None:
    """Call a blocking function."""

    def delete(_reason: Confirmed[bool]) -> None:
        library.destroyed.append(1)

    marked = library.mark(delete)
    library.turn()
    marked(library.reason)


async def a_method(library: Library) -> None:
    """Call a method."""

    class Janitor:
        def delete(self, _reason: Confirmed[bool]) -> None:
            library.destroyed.append(1)

    marked = library.mark(Janitor.delete)
    library.turn()
    marked(Janitor(), library.reason)


async def an_async_function(library: Library) -> None:
    """Await an async function whose coroutine was made before."""

    async def delete(_reason: Confirmed[bool]) -> None:
        library.destroyed.append(1)

    coroutine = library.mark(delete)(library.reason)
    library.turn()
    await coroutine


async def a_generator(library: Library) -> None:
    """Take the next step of a generator that has begun."""

    def delete(_reason: Confirmed[bool]) -> Iterator[None]:
        yield
        library.destroyed.append(1)

    steps = library.mark(delete)(library.reason)
    next(steps)
    library.turn()
    for _ in steps:
        pass


async def an_async_generator(library: Library) -> None:
    """The same of an async one."""

    async def delete(_reason: Confirmed[bool]) -> AsyncIterator[None]:
        yield
        library.destroyed.append(1)

    steps = library.mark(delete)(library.reason)
    await anext(steps)
    library.turn()
    async for _ in steps:
        pass


async def a_block(library: Library) -> None:
    """Enter a block whose permit was made before."""
    permit = library.permit()
    library.turn()
    with permit:
        library.destroyed.append(1)


async def a_check(library: Library) -> None:
    """Ask again in a block."""
    with library.permit() as permit:
        library.turn()
        permit.check()
        library.destroyed.append(1)


async def items(library: Library) -> None:
    """Take the next item."""
    with library.permit() as permit:
        for item in permit.each(["first", "second"]):
            if item == "second":
                library.destroyed.append(item)
            library.turn()


LIBRARY: dict[str, tuple[Callable[[Library], Awaitable[None]], str]] = {
    "a blocking function": (a_blocking_function, "kind:BLOCKING"),
    "a method": (a_method, "kind:BLOCKING"),
    "an async function": (an_async_function, "kind:ASYNC"),
    "a generator": (a_generator, "kind:GENERATOR"),
    "an async generator": (an_async_generator, "kind:ASYNC_GENERATOR"),
    "a block": (a_block, "gate:destructive"),
    "a check": (a_check, "permit:check"),
    "items": (items, "permit:each"),
}


@pytest.mark.parametrize("name", LIBRARY)
async def test_law_5_no_path_of_the_library_reaches_its_effect_with_the_gate_red(name: str) -> None:
    """The same for functions and blocks; with the gate green each of them does it."""
    story, _ = LIBRARY[name]
    green, red = Library(red=False), Library(red=True)
    await story(green)
    with pytest.raises(DestructiveBlocked):
        await story(red)
    assert (bool(green.destroyed), red.destroyed) == (True, [])


# --- nothing is left out ---


def test_every_way_to_an_attempt_has_a_row() -> None:
    """What makes an intent ready, what it may serve, and who may ask for it: a new one fails until it has a row."""
    events = {f"event:{kind}" for kind, (_, state) in TRANSITIONS.items() if state is State.READY}
    purposes = {
        f"purpose:{value}"
        for name, value in vars(family).items()
        if name.isupper() and isinstance(value, str) and name != "ACTOR"  # who acts, not what for
    }
    cases = {
        f"use_case:{subject}.{name}"
        for subject, kind in get_type_hints(Control).items()
        for name, member in vars(kind).items()
        if callable(member) and not name.startswith("_") and f"{subject}.{name}" not in STARTS_NOTHING
    }
    covered = frozenset[str]().union(*(one.covers for one in ROWS.values()))
    assert covered == events | purposes | cases


def test_every_kind_of_function_and_permit_has_a_row() -> None:
    """A new kind of callable, or a new way to go on in a block, fails until it has a row."""
    kinds = {f"kind:{name}" for name, value in vars(callables).items() if name[0].isupper() and isinstance(value, int)}
    methods = {
        f"permit:{name}" for name in vars(Permit) if not name.startswith("_") and callable(getattr(Permit, name))
    }
    covered = {cover for _, cover in LIBRARY.values()}
    assert covered == kinds | methods | {"gate:destructive"}


def test_only_dispatch_follows_readiness_and_only_use_cases_stand_behind_surfaces() -> None:
    """An attempt leaves from `ready` alone, so the events above are all; REST has a handler for use cases alone."""
    assert [kind for kind, (_, state) in TRANSITIONS.items() if state is State.DISPATCHED] == ["intent.dispatched"]
    assert TRANSITIONS["intent.dispatched"][0] == {State.READY}  # type: ignore[index] # its name is its value
    assert {operation.permission.partition(":")[0] for operation in OPERATIONS} >= {"destructive", "intents"}
