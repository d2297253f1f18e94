"""What the tests of the destructive gate share: a board that says what it is told, a gate on it, and reasons."""

from __future__ import annotations

from switchgear.core.clock import VirtualClock
from switchgear.health import Confirmed, DestructiveGate, Health, Inventory, Standing, Witness

REQUIRES = ("redis", "api_socket")
NOT_VOUCHING = [state for state in Health if state is not Health.HEALTHY]


class Board:
    """Says of each dependency what it was told; of one that nobody told it of, unknown."""

    def __init__(self, **states: Health) -> None:
        """Start with `REQUIRES` healthy, unless `states` says otherwise."""
        self.states: dict[str, Health] = dict.fromkeys(REQUIRES, Health.HEALTHY)
        self.states.update(states)
        self.asked: list[str] = []

    def standing(self, name: str, /) -> Standing:
        """Return where it stands."""
        self.asked.append(name)
        state = self.states.get(name, Health.UNKNOWN)
        return Standing(
            name=name, state=state, critical=True, age=1.0, state_age=12.0, reason=f"it is {state}.", retry_after=4.0
        )


class BrokenClock(VirtualClock):
    """A clock that can be put anywhere, as no clock should."""

    def put(self, now: float) -> None:
        """Say from now on that it is `now`."""
        self._now = now


class Rig:
    """A board, a clock, a gate with an inventory of its own, and what was destroyed."""

    def __init__(self, **states: Health) -> None:
        """Start with everything in order."""
        self.board = Board(**states)
        self.clock = BrokenClock()
        self.switch: object = False
        self.inventory = Inventory()
        self.gate = DestructiveGate(
            self.board, kill_switch=self.read_switch, inventory=self.inventory, clock=self.clock
        )
        self.destroyed: list[str] = []

    def read_switch(self) -> bool:
        """Say what the switch says, or raise it."""
        if isinstance(self.switch, Exception):
            raise self.switch
        return self.switch  # type: ignore[return-value] # a switch that says something else is what is tested

    def confirmed(self, value: str = "session-7") -> Confirmed[str]:
        """Return a reason that is in order."""
        finding = Witness("api_socket", AllHealthy(), clock=self.clock).ask(lambda: value, says=lambda _reply: True)
        assert isinstance(finding, Confirmed)
        return finding

    def destroy(self, reason: Confirmed[str]) -> None:
        """Destroy what the reason is about, in a block."""
        with self.gate.destructive("sessions.delete", requires=REQUIRES, because=reason):
            self.destroyed.append(reason.value)


class AllHealthy:
    """A board on which everything is well."""

    def standing(self, name: str, /) -> Standing:
        """Return healthy."""
        return Standing(name=name, state=Health.HEALTHY, critical=True, age=0.0, state_age=0.0)
