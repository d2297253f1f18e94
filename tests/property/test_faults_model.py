"""Laws of fault injection: caps are exact, rates are met, and the same draws lead to the same faults."""

import random

from hypothesis import given
from hypothesis import strategies as st

from switchgear.policies.faults import Fault, Faults, FaultsMachine

TENANTS = ["a", "b"]
OPERATIONS = ["read", "write"]
AIMS = {
    "rate": st.sampled_from([0.05, 0.3, 0.8, 1.0]),
    "tenants": st.none() | st.sets(st.sampled_from(TENANTS), min_size=1),
    "operations": st.none() | st.sets(st.sampled_from(OPERATIONS), min_size=1),
    "limit": st.none() | st.integers(1, 5),
}
RULES = st.lists(
    st.one_of(
        st.builds(Fault, st.just("error"), error=st.just(OSError), **AIMS),
        st.builds(Fault, st.just("latency"), seconds=st.just(1.0), **AIMS),
        st.builds(Fault, st.just("hang"), **AIMS),
        st.builds(Fault, st.just("wrong_result"), result=st.just(None), **AIMS),
    ),
    min_size=1,
    max_size=5,
)
CALLS = st.lists(
    st.tuples(st.none() | st.sampled_from(TENANTS), st.sampled_from(OPERATIONS), st.booleans()), max_size=60
)


def plain(rules: list[Fault], used: list[int], draws: list[float], tenant: str | None, operation: str) -> list[int]:
    """Return the places of the rules that take effect, as one would explain it: one after the other."""
    before, after = [], []
    for place, rule in enumerate(rules):
        is_meant = rule.tenants is None or tenant in rule.tenants
        is_meant = is_meant and (rule.operations is None or operation in rule.operations)
        if not is_meant or draws[place] >= rule.rate or used[place] == rule.limit:
            continue
        if rule.kind == "wrong_result":
            after.append(place)
            continue
        before.append(place)
        if rule.kind in {"error", "hang"}:
            return before
    return before + after


@given(RULES, CALLS, st.integers(0, 2**32))
def test_any_run_agrees_with_the_plain_explanation(
    rules: list[Fault], calls: list[tuple[str | None, str, bool]], seed: int
) -> None:
    """Aim, draw, limit and order decide; what is off injects nothing; each cap is met to the call."""
    machine, draws, used = FaultsMachine(Faults(*rules)), random.Random(seed), [0] * len(rules)
    for tenant, operation, is_on in calls:
        machine.on = is_on
        drawn = [draws.random() for _ in range(machine.draws)]
        expected = plain(rules, used, drawn, tenant, operation) if is_on else []
        for place in expected:
            used[place] += 1
        assert machine.choose(drawn, tenant, operation) == tuple(rules[place] for place in expected)
        assert machine.hits == tuple(used)
    assert all(rule.limit is None or count <= rule.limit for rule, count in zip(rules, used, strict=True))


@given(RULES, CALLS, st.integers(0, 2**32))
def test_the_same_seed_meets_the_same_faults(
    rules: list[Fault], calls: list[tuple[str | None, str, bool]], seed: int
) -> None:
    """The machine draws nothing by itself: two runs over the same draws are one and the same."""
    runs = []
    for _ in range(2):
        machine, draws = FaultsMachine(Faults(*rules, seed=seed)), random.Random(seed)
        machine.on = True
        runs.append(
            [
                machine.choose([draws.random() for _ in range(machine.draws)], tenant, operation)
                for tenant, operation, _ in calls
            ]
        )
    assert runs[0] == runs[1]


@given(st.sampled_from([0.05, 0.3, 0.8]), st.integers(0, 2**32))
def test_a_rate_is_met_over_many_calls(rate: float, seed: int) -> None:
    """Of 400 calls, the share hit lies within six standard deviations of the rate."""
    machine, draws = FaultsMachine(Faults(Fault("hang", rate=rate))), random.Random(seed)
    machine.on = True
    for _ in range(400):
        machine.choose([draws.random()], None, "read")
    assert abs(machine.hits[0] / 400 - rate) < 6 * (rate * (1 - rate) / 400) ** 0.5
