"""Faults as a table: which rules hit a call, in which order, how often, and what each of them does."""

import pickle
from collections.abc import Callable, Collection
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from switchgear.core.errors import CircuitOpen, OptionError
from switchgear.policies.faults import Fault, FaultKind, Faults, FaultsMachine

ERROR = Fault("error", rate=0.5, error=ConnectionError)
LATENCY = Fault("latency", rate=0.5, seconds=2.0)
HANG = Fault("hang", rate=0.5)
WRONG = Fault("wrong_result", rate=0.5, result=None)

HIT, MISS = 0.0, 0.9


def running(*rules: Fault) -> FaultsMachine:
    """Return a machine that is switched on."""
    machine = FaultsMachine(Faults(*rules))
    machine.on = True
    return machine


def test_nothing_is_injected_until_it_is_switched_on() -> None:
    """A machine is born off, counts nothing while it is off, and can be switched off again."""
    machine = FaultsMachine(Faults(Fault("hang", rate=1.0)))
    assert (machine.on, machine.choose([HIT], None, "f"), machine.hits) == (False, (), (0,))
    machine.on = True
    assert len(machine.choose([HIT], None, "f")) == 1
    machine.on = False
    assert machine.choose([HIT], None, "f") == ()
    assert machine.hits == (1,)


@pytest.mark.parametrize(
    ("rate", "draw", "hits"),
    [(0.5, 0.0, True), (0.5, 0.499, True), (0.5, 0.5, False), (1.0, 0.999999, True), (0.001, 0.001, False)],
)
def test_a_rule_hits_when_the_draw_is_below_its_rate(rate: float, draw: float, *, hits: bool) -> None:
    """Draws lie in [0, 1), so a rate of 1 hits every call."""
    assert bool(running(Fault("hang", rate=rate)).choose([draw], None, "f")) is hits


@pytest.mark.parametrize(
    ("rules", "draws", "chosen"),
    [
        ((LATENCY, ERROR), (HIT, HIT), (LATENCY, ERROR)),
        ((LATENCY, ERROR), (MISS, HIT), (ERROR,)),
        ((LATENCY, ERROR), (HIT, MISS), (LATENCY,)),
        ((LATENCY, ERROR), (MISS, MISS), ()),
        ((ERROR, LATENCY), (HIT, HIT), (ERROR,)),
        ((HANG, ERROR), (HIT, HIT), (HANG,)),
        ((ERROR, HANG), (HIT, HIT), (ERROR,)),
        ((LATENCY, LATENCY), (HIT, HIT), (LATENCY, LATENCY)),
        ((WRONG, LATENCY), (HIT, HIT), (LATENCY, WRONG)),
        ((WRONG, WRONG), (HIT, HIT), (WRONG, WRONG)),
        ((WRONG, ERROR), (HIT, HIT), (ERROR,)),
        ((WRONG, HANG), (HIT, HIT), (HANG,)),
        ((LATENCY, WRONG, ERROR), (HIT, HIT, MISS), (LATENCY, WRONG)),
    ],
)
def test_several_faults_may_hit_one_call(
    rules: tuple[Fault, ...], draws: tuple[float, ...], chosen: tuple[Fault, ...]
) -> None:
    """Waits and errors in the order of the rules; an error or a hang ends the call; wrong results come last."""
    machine = running(*rules)
    assert machine.choose(draws, None, "f") == chosen
    assert sum(machine.hits) == len(chosen)


def test_only_what_takes_effect_is_counted() -> None:
    """A fault that an error before it makes void keeps its place under the limit."""
    machine = running(Fault("error", rate=0.5, error=OSError), Fault("latency", rate=1.0, seconds=1.0, limit=1))
    assert [rule.kind for rule in machine.choose([HIT, HIT], None, "f")] == ["error"]
    assert [rule.kind for rule in machine.choose([MISS, HIT], None, "f")] == ["latency"]
    assert machine.choose([MISS, HIT], None, "f") == ()
    assert machine.hits == (1, 1)


def test_a_rule_that_has_reached_its_limit_ends_no_call_any_more() -> None:
    """After its last error, the rules behind it come into effect."""
    machine = running(Fault("error", rate=1.0, error=OSError, limit=2), LATENCY)
    kinds = [[rule.kind for rule in machine.choose([HIT, HIT], None, "f")] for _ in range(4)]
    assert kinds == [["error"], ["error"], ["latency"], ["latency"]]


@pytest.mark.parametrize(
    ("tenants", "operations", "tenant", "operation", "meets"),
    [
        (None, None, None, "fetch", True),
        (None, None, "acme", "fetch", True),
        (("acme",), None, "acme", "fetch", True),
        (("acme", "beta"), None, "beta", "fetch", True),
        (("acme",), None, "beta", "fetch", False),
        (("acme",), None, None, "fetch", False),
        (None, {"fetch"}, None, "fetch", True),
        (None, {"fetch"}, None, "Client.fetch", False),
        (None, ["Client.fetch"], "acme", "Client.fetch", True),
        (("acme",), ("fetch",), "acme", "fetch", True),
        (("acme",), ("fetch",), "acme", "store", False),
        (("acme",), ("fetch",), "beta", "fetch", False),
    ],
)
def test_rules_aim_at_tenants_and_operations(
    tenants: Collection[str] | None,
    operations: Collection[str] | None,
    tenant: str | None,
    operation: str,
    *,
    meets: bool,
) -> None:
    """Both have to fit where both are named; a call without a tenant is none of the tenants named."""
    rule = Fault("hang", rate=1.0, tenants=tenants, operations=operations)
    assert rule.meets(tenant, operation) is meets
    assert bool(running(rule).choose([HIT], tenant, operation)) is meets


@pytest.mark.parametrize("draws", [(), (0.1,), (0.1, 0.1, 0.1)])
def test_each_rule_takes_one_draw(draws: tuple[float, ...]) -> None:
    """Another number of draws is a mistake of the caller, not a fault to inject."""
    machine = running(LATENCY, ERROR)
    assert machine.draws == 2
    with pytest.raises(ValueError, match="zip"):
        machine.choose(draws, None, "f")


@pytest.mark.parametrize(
    "error", [ConnectionError, ConnectionError("down"), lambda: ConnectionError("down"), CircuitOpen(dependency="x")]
)
def test_every_error_is_a_fresh_one(error: Exception | type[Exception] | Callable[[], Exception]) -> None:
    """Class, instance and function alike: no two calls share an error, its traceback or its context."""
    rule = Fault("error", rate=1.0, error=error)
    first, second = rule.made_error(), rule.made_error()
    assert first is not second
    assert first is not error
    assert (type(first), str(first)) == (type(second), str(second))


def test_a_copied_error_keeps_what_it_says_and_no_traceback() -> None:
    """An instance that was raised before does not drag its frames along."""
    down = OSError(111, "refused")
    try:
        raise down
    except OSError:
        made = Fault("error", rate=1.0, error=down).made_error()
    assert (type(made), made.args, made.__traceback__) == (ConnectionRefusedError, (111, "refused"), None)


def test_a_function_that_makes_no_error_is_found_when_it_is_called() -> None:
    """What is no exception cannot be raised, and the message says who returned it."""
    broken: Any = lambda: "down"  # noqa: E731 - a value of the wrong type, on purpose
    with pytest.raises(TypeError, match=r"Fault\(error=\).*'down'"):
        Fault("error", rate=1.0, error=broken).made_error()


@pytest.mark.parametrize(
    ("result", "altered"), [(None, None), ([], []), (MISS, MISS), (lambda real: real[::-1], "laer"), (len, 4)]
)
def test_a_wrong_result_is_a_value_or_made_from_the_real_one(result: object, altered: object) -> None:
    """A function is called with the real result, everything else is the answer itself."""
    assert Fault("wrong_result", rate=1.0, result=result).altered("real") == altered


def test_other_rules_keep_the_counts_of_those_that_stay() -> None:
    """Limits stay exact over a change of rules, for equal rules one by one; new ones start at zero."""
    machine = running(LATENCY, LATENCY, WRONG)
    machine.choose([HIT, HIT, MISS], None, "f")
    machine.choose([HIT, MISS, MISS], None, "f")
    machine.reconfigure(Faults(HANG, LATENCY, Fault("latency", rate=0.5, seconds=2.0), LATENCY))
    assert machine.hits == (0, 2, 1, 0)
    assert machine.draws == 4
    assert machine.on


def test_faults_know_whether_they_may_hang() -> None:
    """A guard has to ask for a bound when one of the rules is a hang."""
    assert Faults(LATENCY, HANG).hangs
    assert not Faults(LATENCY, ERROR, WRONG).hangs


def test_rules_are_values() -> None:
    """Equal rules are equal, hash alike and survive pickling; names are kept as sets."""
    rule = Fault("wrong_result", rate=0.5, result=[1], tenants=["a", "b"])
    assert rule == Fault("wrong_result", rate=0.5, result=[1], tenants=("b", "a"))
    faults = Faults(rule, WRONG, seed=7)
    assert hash(faults) == hash(Faults(rule, WRONG, seed=7))
    assert pickle.loads(pickle.dumps(faults)) == faults  # noqa: S301 - our own bytes
    assert (Faults(rule).seed, faults.seed) == (0, 7)


class Particular(Exception):
    """An error that cannot be made without its argument, nor copied."""

    def __init__(self, part: str, *, whole: str) -> None:
        super().__init__(part)
        self.whole = whole


@pytest.mark.parametrize(
    ("kind", "options", "advice"),
    [
        ("crash", {}, '"wrong_result", not .crash.; write for example Fault'),
        ([], {}, 'one of "error", "latency", "hang", "wrong_result"'),
        ("hang", {"rate": 0}, r'Fault\("hang", rate=0.1\)'),
        ("hang", {"rate": 1.1}, r'Fault\("hang", rate=0.1\)'),
        ("error", {}, r'needs error=; write for example Fault\("error", rate=0.1, error=ConnectionError\)'),
        ("latency", {}, r'needs seconds=; write for example Fault\("latency"'),
        ("wrong_result", {}, r'needs result=; write for example Fault\("wrong_result"'),
        ("hang", {"seconds": 1.0}, r'"hang"\) takes no seconds=; write for example Fault\("hang", rate=0.1\)'),
        ("hang", {"error": OSError}, "takes no error="),
        ("error", {"error": OSError, "result": None}, "takes no result="),
        ("error", {"error": 5}, "error=ConnectionError"),
        ("error", {"error": int}, "error=ConnectionError"),
        ("error", {"error": KeyboardInterrupt}, "error=ConnectionError"),
        ("error", {"error": KeyboardInterrupt()}, "error=ConnectionError"),
        ("error", {"error": Particular}, "error=lambda"),
        ("error", {"error": Particular("a", whole="b")}, "error=lambda"),
        ("latency", {"seconds": 0}, r'Fault\("latency", rate=0.1, seconds=2.0\)'),
        ("latency", {"seconds": float("inf")}, r'Fault\("latency", rate=0.1, seconds=2.0\)'),
        ("hang", {"limit": 0}, r'Fault\("hang", rate=0.1, limit=10\)'),
        ("hang", {"tenants": "acme"}, r'Fault\("hang", rate=0.1, tenants=\("one",\)\)'),
        ("hang", {"tenants": ()}, r'Fault\("hang", rate=0.1, tenants=\("one",\)\)'),
        ("hang", {"operations": [""]}, r'Fault\("hang", rate=0.1, operations=\("one",\)\)'),
        ("hang", {"operations": [5]}, r'Fault\("hang", rate=0.1, operations=\("one",\)\)'),
        ("hang", {"operations": 5}, r'Fault\("hang", rate=0.1, operations=\("one",\)\)'),
    ],
)
def test_rules_that_cannot_work_are_refused_at_birth(kind: FaultKind, options: dict[str, Any], advice: str) -> None:
    """Each refusal names the option and says what to write instead."""
    with pytest.raises(OptionError, match=advice):
        Fault(kind, **{"rate": 0.5, **options})


@pytest.mark.parametrize(
    ("rules", "seed", "advice"),
    [
        ((), 0, r"write for example Faults\(Fault\("),
        (("hang",), 0, r"write for example Faults\(Fault\("),
        ((HANG,), -1, r"Faults\(Fault\(.*\), seed=7\)"),
        ((HANG,), 1.5, r"Faults\(Fault\(.*\), seed=7\)"),
    ],
)
def test_faults_that_cannot_work_are_refused_at_birth(rules: tuple[Any, ...], seed: int, advice: str) -> None:
    """At least one rule, each a `Fault`, and a whole number to start the draws from."""
    with pytest.raises(OptionError, match=advice):
        Faults(*rules, seed=seed)


@pytest.mark.parametrize(("options", "name"), [(HANG, "rate"), (Faults(HANG), "seed")])
def test_options_are_frozen_and_slotted(options: Fault | Faults, name: str) -> None:
    """Rules cannot change under a guard that uses them, and take no misspelt name."""
    with pytest.raises(FrozenInstanceError):
        setattr(options, name, 1)
    assert not hasattr(options, "__dict__")


def test_only_the_kind_of_a_fault_needs_no_name() -> None:
    """Everything else is told by name, so that a rule reads as what it does."""
    assert [field.name for field in fields(Fault) if not field.kw_only] == ["kind"]
