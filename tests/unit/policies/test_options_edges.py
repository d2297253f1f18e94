"""What every set of options has in common: its defaults, its order of arguments, and that it never changes."""

from dataclasses import FrozenInstanceError, fields, replace
from inspect import Parameter, signature
from math import inf
from typing import Any

import pytest

from switchgear.core.codes import FACTS, Code
from switchgear.core.effects import Effect
from switchgear.core.operations import OPERATIONS
from switchgear.core.outcome import Outcome
from switchgear.core.scope import Principal, Scope
from switchgear.policies.breaker import Breaker
from switchgear.policies.breaker.windows import Thresholds
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.checks import MISSING
from switchgear.policies.fallback import Fallback
from switchgear.policies.faults import Fault, Faults
from switchgear.policies.hedge import Hedge
from switchgear.policies.levels import LevelLimits, Standing
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry
from switchgear.policies.retry_budget import RetryBudget
from switchgear.policies.shedding import Shedding
from switchgear.policies.timeout import Timeout

# By position, then by name with the default.
ARGUMENTS: dict[type, tuple[list[str], dict[str, Any]]] = {
    Bulkhead: (["limit"], {"queue": 0, "max_wait": 30.0}),
    Timeout: (["seconds"], {}),
    RateLimit: (["limit"], {"per": 1.0, "burst": None, "wait": 0.0, "warm_up": 0.0}),
    RetryBudget: ([], {"ratio": 0.2, "floor": 10.0, "window": 10.0, "costs": ()}),
    Fallback: ([], {"value": MISSING, "function": None, "on": Exception, "ignore": None}),
    Hedge: (
        [],
        {
            "after": None,
            "percentile": None,
            "minimum": None,
            "maximum": None,
            "minimum_calls": 20,
            "window": 60.0,
            "attempts": 2,
            "on": None,
        },
    ),
    Breaker: (
        [],
        {
            "failures": None,
            "failure_rate": None,
            "slow_rate": None,
            "slow_after": None,
            "minimum_calls": None,
            "window": None,
            "window_calls": None,
            "on": None,
            "ignore": None,
            "cooldown": 60.0,
            "cooldown_factor": 1.0,
            "cooldown_max": None,
            "jitter": 0.1,
            "tenants": 1,
            "probes": 1,
            "half_open_max": None,
            "ramp": 0.0,
            "mode": "normal",
        },
    ),
}
MADE: list[Any] = [
    Bulkhead(1),
    Timeout(1.0),
    RateLimit(1),
    RetryBudget(),
    Fallback(value=None),
    Fault("hang", rate=0.1),
    Faults(Fault("hang", rate=0.1)),
    Hedge(after=1.0),
    Breaker(),
    Thresholds(),
    Retry(on=OSError),
    Shedding(),
    LevelLimits("tool", {}, None),
    Standing("tool", RateLimit(1), 1.0, 0.0),
    Scope("acme", "main", "me"),
    Principal("acme", "me", frozenset(), frozenset()),
    Outcome("failed"),
    OPERATIONS["kv.get"],
    FACTS[Code.INTERNAL],
]


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_options_have_these_defaults_and_are_named(kind: type) -> None:
    """A default never changes unseen, and only what a policy cannot do without may be given by position."""
    taken = signature(kind).parameters.values()
    by_position = [one.name for one in taken if one.kind is Parameter.POSITIONAL_OR_KEYWORD]
    by_name = {one.name: one.default for one in taken if one.kind is Parameter.KEYWORD_ONLY}
    assert (by_position, by_name) == ARGUMENTS[kind]


@pytest.mark.parametrize("made", MADE, ids=lambda made: type(made).__name__)
def test_options_never_change_and_have_no_room_for_more(made: Any) -> None:  # noqa: ANN401 - every kind of options
    """Frozen and slotted: a typing error in an assignment is found, and two guards may share them."""
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(made)[0].name, 5)
    assert not hasattr(made, "__dict__")


def test_retry_waits_and_gives_up_as_documented() -> None:
    """The defaults of the table, the budget among them; all of them by name."""
    retry = Retry(on=OSError)
    assert (retry.attempts, retry.ignore, retry.backoff) == (3, None, "full_jitter")
    assert (retry.base, retry.cap, retry.hint_max, retry.budget) == (0.1, 10.0, 60.0, RetryBudget())
    assert all(one.kind is Parameter.KEYWORD_ONLY for one in signature(Retry).parameters.values())


def test_shedding_finds_its_limit_as_documented() -> None:
    """The defaults of the table; all of them by name."""
    shedding = Shedding()
    assert (shedding.initial, shedding.minimum, shedding.maximum, shedding.start) == (None, 1, 200, 20)
    assert (shedding.smoothing, shedding.tolerance, shedding.headroom) == (0.2, 1.5, 4.0)
    assert (shedding.window, shedding.long_window) == (1.0, 60.0)
    assert (shedding.throttle, shedding.throttle_window) == (None, 120.0)
    assert (shedding.queue, shedding.max_wait, shedding.queue_age) == (0, 30.0, None)
    assert dict(shedding.shares) == {"critical_plus": 1.0, "critical": 0.95, "sheddable_plus": 0.8, "sheddable": 0.6}
    assert dict(shedding.weights) == {}
    assert all(one.kind is Parameter.KEYWORD_ONLY for one in signature(Shedding).parameters.values())


def test_a_fault_names_all_but_its_kind() -> None:
    """The rate cannot be taken for something else, and nothing else is given unless it is written."""
    taken = list(signature(Fault).parameters.values())
    assert [one.name for one in taken if one.kind is Parameter.POSITIONAL_OR_KEYWORD] == ["kind"]
    fault = Fault("hang", rate=0.1)
    assert (fault.error, fault.seconds, fault.tenants, fault.operations, fault.limit) == (None, None, None, None, None)
    assert Faults(fault).seed == 0


def test_thresholds_that_are_not_asked_for_are_never_reached() -> None:
    """No rate, no slowness, one call, no window."""
    unused = Thresholds()
    assert (unused.failures, unused.failure_rate, unused.slow_rate, unused.slow_after) == (0, inf, inf, inf)
    assert (unused.minimum_calls, unused.window_calls, unused.bucket_seconds, unused.buckets) == (1, 0, 0.0, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Bulkhead(1), Bulkhead(1)),
        (RateLimit(5), RateLimit(5, burst=5)),
        (Breaker(), Breaker()),
        (Fallback(value=[]), Fallback(value=[])),
        (Fault("wrong_result", rate=0.1, result=[]), Fault("wrong_result", rate=0.1, result=[])),
        (Shedding(queue=1, weights={"a": 2.0}), Shedding(queue=1, weights={"a": 2.0})),
    ],
)
def test_options_that_say_the_same_are_equal_and_hash_alike(first: object, second: object) -> None:
    """Also when they hold what cannot be hashed, so that a registry may use them as keys."""
    assert first == second
    assert hash(first) == hash(second)


def test_what_is_worked_out_is_not_shown() -> None:
    """The text of options is what somebody could have written."""
    assert repr(RateLimit(5)) == "RateLimit(limit=5, per=1.0, burst=5, wait=0.0, warm_up=0.0)"
    assert repr(Shedding()).endswith("weights=mappingproxy({}))")
    assert "thresholds" not in repr(Breaker())


def test_options_can_be_made_from_others() -> None:
    """What is worked out is worked out anew, and takes no part in comparing."""
    assert replace(RateLimit(5, burst=5), limit=7) == RateLimit(7, burst=5)
    assert replace(Breaker(failures=3), cooldown=5.0) == Breaker(failures=3, cooldown=5.0)
    assert replace(Shedding(), minimum=30).start == 30


def test_effects_are_their_words() -> None:
    """The words stand in tool contracts and in records."""
    assert [effect.value for effect in Effect] == ["read_only", "keyed", "natural", "reconcilable", "opaque"]
