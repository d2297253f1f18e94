"""Laws of the destructive gate: whatever happens to dependencies, switch, clock and reasons, nothing slips through."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from switchgear.core.clock import VirtualClock
from switchgear.core.errors import DestructiveBlocked
from switchgear.health import Confirmed, DestructiveGate, Health, Inferred, Inventory, Standing, Witness
from tests.effort import examples

NAMES = ("redis", "api_socket", "nats")
MAX_AGE = 30.0


class Board:
    """Says what it was told, and raises what it was told to raise."""

    def __init__(self) -> None:
        """Know nothing."""
        self.says: dict[str, Health | Exception] = {}

    def standing(self, name: str, /) -> Standing:
        """Return where it stands."""
        said = self.says.get(name, Health.UNKNOWN)
        if isinstance(said, Exception):
            raise said
        return Standing(name=name, state=said, critical=True, age=None, state_age=0.0)


class GateWalk(RuleBasedStateMachine):
    """Any walk of outages, switches, waits and questions: an effect happens exactly while everything is in order."""

    def __init__(self) -> None:
        """Start with nothing known."""
        super().__init__()
        self.clock = VirtualClock()
        self.board = Board()
        self.switch: object = False
        self.gate = DestructiveGate(
            self.board, kill_switch=self.read, reason_max_age=MAX_AGE, inventory=Inventory(), clock=self.clock
        )
        self.reason: Any = None
        self.asked_at = float("-inf")
        self.passed = self.blocked = 0

    def read(self) -> Any:  # noqa: ANN401 - a broken switch says anything
        """Say what the switch says."""
        if isinstance(self.switch, Exception):
            raise self.switch
        return self.switch

    def in_order(self, requires: tuple[str, ...]) -> bool:
        """Say whether something may be destroyed, by rules of its own."""
        return (
            self.switch is False
            and all(self.board.says.get(name) is Health.HEALTHY for name in requires)
            and isinstance(self.reason, Confirmed)
            and self.clock.monotonic() - self.asked_at <= MAX_AGE
        )

    @rule(name=st.sampled_from(NAMES), said=st.sampled_from([*Health, *[Health.HEALTHY] * 8, OSError("gone")]))
    def stand(self, name: str, said: Health | Exception) -> None:
        """A dependency changes, or can no longer be read."""
        self.board.says[name] = said

    @rule(said=st.sampled_from([False, False, False, True, None, 0, "off", OSError("gone")]))
    def turn(self, said: object) -> None:
        """The switch changes, or breaks."""
        self.switch = said

    @rule(seconds=st.floats(0.0, 20.0))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @rule(says=st.sampled_from([True, True, True, False, 1, None, OSError("gone"), TimeoutError()]))
    def ask(self, says: object) -> None:
        """Somebody asks for a reason, of one that may not vouch, or may not answer."""

        def call() -> object:
            if isinstance(says, Exception):
                raise says
            return says

        witness = Witness("api_socket", self.board, clock=self.clock)
        self.asked_at = self.clock.monotonic()
        self.reason = witness.ask(call, says=lambda reply: reply)
        sure = says is True and self.board.says.get("api_socket") is Health.HEALTHY
        assert isinstance(self.reason, Confirmed if sure else Inferred)

    @rule(requires=st.sampled_from([NAMES[:1], NAMES[:2], NAMES]))
    def destroy(self, requires: tuple[str, ...]) -> None:
        """An effect happens exactly when everything is in order at the check."""
        expected, happened = self.in_order(requires), False
        try:
            with self.gate.destructive(f"delete.{len(requires)}", requires=requires, because=self.reason):
                happened = True
        except DestructiveBlocked:
            self.blocked += 1
        self.passed += happened
        assert happened is expected

    @rule(turns=st.lists(st.sampled_from([*Health, Health.HEALTHY, Health.HEALTHY]), max_size=6))
    def sweep(self, turns: list[Health]) -> None:
        """In a loop each item is done exactly while everything is in order, and none after the first refusal."""
        done: list[int] = []
        expected = None
        try:
            with self.gate.destructive("sweep", requires=NAMES[:1], because=self.reason) as permit:
                self.passed += 1
                for number in permit.each(self._turning(turns)):
                    assert self.in_order(NAMES[:1])
                    done.append(number)
        except DestructiveBlocked as refusal:
            self.blocked += 1
            expected = refusal.done
            assert not self.in_order(NAMES[:1])
        assert done == list(range(len(turns) if expected is None else expected))

    def _turning(self, turns: list[Health]) -> Any:  # noqa: ANN401 - an iterator that changes the board
        for number, state in enumerate(turns):
            self.board.says["redis"] = state
            yield number

    @invariant()
    def the_inventory_counts_both(self) -> None:
        """Passes and refusals are all in the inventory, and nothing else is."""
        records = self.gate.inventory()
        assert sum(record.passed for record in records) == self.passed
        assert sum(record.blocked for record in records) == self.blocked
        assert all((record.last_blocked is None) == (record.blocked == 0) for record in records)


GateWalk.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=40, deadline=None)
TestGateWalk = GateWalk.TestCase


@given(
    states=st.lists(st.sampled_from(list(Health)), min_size=1, max_size=6),
    switch=st.sampled_from([False, True, None]),
    age=st.floats(0.0, 60.0),
)
def test_an_effect_needs_all_of_it_at_once(states: list[Health], switch: bool | None, age: float) -> None:  # noqa: FBT001 - drawn
    """Any number of dependencies: one that does not vouch is enough to hold back, whichever it is."""
    clock = VirtualClock()
    board = Board()
    board.says["source"] = Health.HEALTHY
    reason: Any = Witness("source", board, clock=clock).ask(lambda: 1, says=lambda reply: reply == 1)
    names = tuple(f"dependency-{number}" for number in range(len(states)))
    board.says.update(zip(names, states, strict=True))
    clock.advance(age)
    gate = DestructiveGate(board, kill_switch=lambda: switch, inventory=Inventory(), clock=clock)  # type: ignore[arg-type,return-value] # a broken one is meant
    happened, named = False, ""
    try:
        with gate.destructive("x", requires=names, because=reason):
            happened = True
    except DestructiveBlocked as refusal:
        named = refusal.dependency
    first = next((name for name, state in zip(names, states, strict=True) if state is not Health.HEALTHY), "source")
    assert happened or named == (first if switch is False else "")
    assert happened is (switch is False and set(states) == {Health.HEALTHY} and age <= MAX_AGE)
