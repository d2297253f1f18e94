"""Faults at their edges: who is hit, by what, in which order, and how often."""

from typing import Any

import pytest

from switchgear.policies.faults import Fault, Faults, FaultsMachine

HANG = Fault("hang", rate=0.5)
SLOW = Fault("latency", rate=0.5, seconds=1.0)
ERROR = Fault("error", rate=0.5, error=OSError)
WRONG = Fault("wrong_result", rate=0.5, result=None)


def machine_of(*rules: Fault) -> FaultsMachine:
    """Return the machine of these rules, switched on."""
    machine = FaultsMachine(Faults(*rules))
    machine.on = True
    return machine


def test_a_machine_starts_switched_off() -> None:
    """Nothing is injected or counted until somebody says so."""
    machine = FaultsMachine(Faults(SLOW, Fault("latency", rate=1, seconds=1.0)))
    assert (machine.on, machine.draws, machine.hits) == (False, 2, (0, 0))
    assert machine.choose((0.0, 0.0), None, "") == ()
    assert machine.hits == (0, 0)


@pytest.mark.parametrize(("draw", "hit"), [(0.0, 1), (0.49, 1), (0.5, 0), (0.9, 0)])
def test_a_draw_below_the_rate_hits(draw: float, hit: int) -> None:
    """At the rate it does not, so a rate of 1 always hits and none ever hits more often than it says."""
    machine = machine_of(HANG)
    assert len(machine.choose((draw,), None, "")) == hit
    assert machine.hits == (hit,)


def test_a_limit_counts_the_calls_that_were_hit() -> None:
    """After so many the rule is done, and the others go on."""
    machine = machine_of(Fault("latency", rate=1, seconds=1.0, limit=2), WRONG)
    chosen = [len(machine.choose((0.0, 0.0), None, "")) for _ in range(4)]
    assert chosen == [2, 2, 1, 1]
    assert machine.hits == (2, 4)


def test_an_error_or_a_hang_ends_the_call() -> None:
    """What would come after it is neither chosen nor counted; waits before it are."""
    machine = machine_of(WRONG, SLOW, ERROR, SLOW, HANG)
    assert machine.choose((0.0,) * 5, None, "") == (SLOW, ERROR)
    assert machine.hits == (0, 1, 1, 0, 0)
    assert machine.choose((0.0, 0.0, 0.9, 0.0, 0.0), None, "") == (SLOW, SLOW, HANG)
    assert machine.choose((0.0, 0.9, 0.9, 0.0, 0.9), None, "") == (SLOW, WRONG)


def test_every_rule_takes_a_draw() -> None:
    """One too few or too many is a mistake of the driver."""
    for draws in ((), (0.1,), (0.1, 0.1, 0.1)):
        with pytest.raises(ValueError, match="zip"):
            machine_of(HANG, SLOW).choose(draws, None, "")


@pytest.mark.parametrize(
    ("fault", "tenant", "operation", "meets"),
    [
        (HANG, None, "", True),
        (Fault("hang", rate=1, tenants=("a", "b")), "b", "get", True),
        (Fault("hang", rate=1, tenants=("a",)), "b", "get", False),
        (Fault("hang", rate=1, tenants=("a",)), None, "get", False),
        (Fault("hang", rate=1, operations=["get"]), "b", "get", True),
        (Fault("hang", rate=1, operations=["get"]), None, "put", False),
        (Fault("hang", rate=1, tenants={"a"}, operations={"get"}), "a", "put", False),
        (Fault("hang", rate=1, tenants={"a"}, operations={"get"}), "a", "get", True),
    ],
)
def test_tenants_and_operations_narrow_a_fault(
    fault: Fault, tenant: str | None, operation: str, *, meets: bool
) -> None:
    """Both have to be meant; a call without a tenant is nobody's."""
    assert fault.meets(tenant, operation) is meets
    assert len(machine_of(fault).choose((0.0,), tenant, operation)) == int(meets)


def test_names_are_kept_as_sets() -> None:
    """So that two faults that name the same are the same."""
    first = Fault("hang", rate=1, tenants=("a", "b"), operations=["x"])
    assert (first.tenants, first.operations) == (frozenset({"a", "b"}), frozenset({"x"}))
    assert first == Fault("hang", rate=1, tenants=["b", "a"], operations={"x"})


def test_each_call_raises_an_error_of_its_own() -> None:
    """Of a class, an instance or a function; never the same object twice."""
    error = OSError(5, "gone")
    for given in (OSError, error, lambda: OSError(5, "gone")):
        fault = Fault("error", rate=1, error=given)
        first, second = fault.made_error(), fault.made_error()
        assert type(first) is OSError
        assert first is not second
        assert first is not error
    assert str(Fault("error", rate=1, error=error).made_error()) == str(error)


@pytest.mark.parametrize("made", [5, None, OSError, KeyboardInterrupt()])
def test_a_function_that_makes_no_error_is_found_out_when_it_is_called(made: Any) -> None:  # noqa: ANN401 - anything
    """Not at birth, since calling it may do anything; the message says what it returned."""
    fault = Fault("error", rate=1, error=lambda: made)
    with pytest.raises(TypeError) as refused:
        fault.made_error()
    assert str(refused.value) == f"the function of Fault(error=) has to return an Exception, not {made!r}"


def test_a_wrong_result_is_given_or_made_of_the_real_one() -> None:
    """A function gets the real result; anything else is the answer."""
    assert Fault("wrong_result", rate=1, result=None).altered(5) is None
    assert Fault("wrong_result", rate=1, result=lambda real: real + 1).altered(5) == 6


def test_only_a_hang_needs_a_bound() -> None:
    """The guard asks whether one may come."""
    assert Faults(SLOW, HANG).hangs is True
    assert Faults(SLOW, ERROR, WRONG).hangs is False


def test_a_rule_that_stays_keeps_its_count_once() -> None:
    """Of two equal rules each takes over one count; a new rule starts at nothing; `on` stays."""
    twin = Fault("latency", rate=1, seconds=1.0)
    machine = machine_of(twin, twin, HANG)
    machine.choose((0.0, 0.9, 0.9), None, "")
    machine.choose((0.0, 0.0, 0.9), None, "")
    before = machine.hits
    machine.reconfigure(Faults(WRONG, twin, twin, twin))
    assert machine.hits == (0, before[0], before[1], 0)
    assert (machine.on, machine.draws) == (True, 4)
    assert machine.choose((0.0, 0.9, 0.9, 0.9), None, "")[-1] == WRONG
