"""How a simulation can fail.

    SwitchgearError
    └── SimulationError             also a RuntimeError
        ├── SimulatedDeadlock       nothing is ready and no timer runs; .waiting lists the tasks
        ├── StepsExhausted          more steps than `steps_max`; .steps
        └── OutsideSimulation       sockets, threads, processes, signals; .operation

What a conformance suite finds is an `AssertionError`, not one of these.
"""

from __future__ import annotations

from switchgear.core.errors import SwitchgearError


class SimulationError(SwitchgearError, RuntimeError):
    """The simulation cannot go on, or was asked for what it does not have."""


class SimulatedDeadlock(SimulationError):
    """Nothing is ready, no timer runs, and the loop has not been told to stop.

    `waiting` says of each task what it is and where it waits.
    """

    def __init__(self, waiting: tuple[str, ...]) -> None:
        """Keep the list."""
        listed = "\n  ".join(waiting) or "no task at all"
        super().__init__(f"nothing is ready and no timer runs; these wait for ever:\n  {listed}")
        self.waiting = waiting


class StepsExhausted(SimulationError):
    """More steps were made than allowed: something spins, or `steps_max` is too small."""

    def __init__(self, steps: int, recent: tuple[str, ...]) -> None:
        """Keep the number of steps."""
        listed = "\n  ".join(recent)
        super().__init__(f"{steps} steps were made, which is the bound; the last of them:\n  {listed}")
        self.steps = steps


class OutsideSimulation(SimulationError):
    """The code asked for what only a real event loop has. Give it a fake, such as `FakeUpstream`."""

    def __init__(self, operation: str) -> None:
        """Keep the name of what was asked for."""
        super().__init__(
            f"{operation}() reaches outside of the simulation: there are no sockets, threads, processes or signals "
            "in here; give the code under test a fake, such as FakeUpstream"
        )
        self.operation = operation
