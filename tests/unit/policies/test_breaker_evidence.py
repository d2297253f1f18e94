"""Evidence of several tenants: one tenant's failures do not open a breaker for all."""

import pytest

from switchgear import Breaker, CircuitOpen, Guard, OptionError
from switchgear.core.outcome import Verdict
from switchgear.policies.breaker.evidence import TENANTS_MAX, Evidence
from switchgear.testing import VirtualClock


def failing() -> None:
    """Be a dependency that is down."""
    raise OSError("down")


def state(guard: Guard) -> str:
    """Return the breaker's state."""
    return guard.state


def fail(guard: Guard, tenant: str | None, times: int = 1) -> None:
    """Make calls of a tenant that fail."""
    view = guard if tenant is None else guard.using(tenant=tenant)
    for _ in range(times):
        with pytest.raises(OSError, match="down"):
            view.call(failing)


def shared(clock: VirtualClock, **options: float) -> Guard:
    """Return a guard whose breaker asks for the failures of two tenants."""
    return Guard("crm", breaker=Breaker(failures=3, cooldown=30.0, jitter=0.0, tenants=2, **options), clock=clock)  # type: ignore[arg-type] # numbers, each for its option


def test_one_tenant_among_others_does_not_open_it_for_all() -> None:
    """Bad credentials of one tenant are no outage."""
    guard = shared(VirtualClock())
    guard.using(tenant="good").call(int)
    fail(guard, "bad", 9)
    assert state(guard) == "closed"


def test_two_tenants_open_it() -> None:
    """When the calls of several fail, it is the dependency."""
    guard = shared(VirtualClock())
    guard.using(tenant="good").call(int)
    fail(guard, "bad", 2)
    fail(guard, "good")
    assert state(guard) == "open"
    with pytest.raises(CircuitOpen):
        guard.using(tenant="third").call(int)


@pytest.mark.parametrize("tenant", ["only", None])
def test_where_there_is_one_its_failures_are_enough(tenant: str | None) -> None:
    """A tenant that is alone is protected as by any breaker; calls without a tenant are those of one."""
    guard = shared(VirtualClock())
    fail(guard, tenant, 3)
    assert state(guard) == "open"


def test_old_calls_are_no_evidence() -> None:
    """Who called before the time that evidence reaches back does not count as one of several."""
    clock = VirtualClock()
    guard = shared(clock)
    guard.using(tenant="gone").call(int)
    clock.advance(31.0)
    fail(guard, "here", 3)
    assert state(guard) == "open"


def test_a_window_of_seconds_is_how_far_evidence_reaches_back() -> None:
    """Evidence is as old as the window, since nothing older counts there either."""
    assert Breaker(failure_rate=0.5, window=20.0, tenants=2).evidence_seconds == 20.0
    assert Breaker(failures=3, cooldown=7.0, tenants=2).evidence_seconds == 7.0


def test_a_probe_needs_no_witnesses() -> None:
    """Half-open, the verdict is that of the probes."""
    clock = VirtualClock()
    guard = shared(clock)
    fail(guard, "only", 3)
    clock.advance(30.0)
    fail(guard, "only")
    assert state(guard) == "open"
    clock.advance(30.0)
    guard.using(tenant="other").call(int)
    assert state(guard) == "closed"


def test_permits_carry_their_tenant() -> None:
    """Calls in two steps are evidence as well, and ignored ones are none."""
    guard = shared(VirtualClock())
    for _ in range(3):
        guard.permit_nowait(tenant="b").ignore()
        guard.permit_nowait(tenant="a").fail()
    assert state(guard) == "open"


def test_a_call_under_way_is_its_tenants_when_tenants_begin_to_matter() -> None:
    """A guard that is told to ask for several tenants does not take those of calls under way for another one."""
    guard = Guard("crm", breaker=Breaker(failures=3, jitter=0.0), clock=VirtualClock())
    under_way = guard.permit_nowait(tenant="a")
    guard.reconfigure(breaker=Breaker(failures=3, jitter=0.0, tenants=2))
    guard.using(tenant="b").call(int)
    under_way.fail()
    fail(guard, "a", 2)
    assert state(guard) == "closed"


def test_evidence_is_bounded() -> None:
    """Beyond the maximum, the tenant heard of longest ago is forgotten."""
    evidence = Evidence(60.0)
    evidence.hear("first", Verdict.FAILURE, 0.0)
    for number in range(TENANTS_MAX):
        evidence.hear(f"t{number}", Verdict.SUCCESS, 1.0)
    assert not evidence.suffices(2, 1.0)
    assert evidence.suffices(1, 1.0)


def test_reconfiguring_starts_evidence_anew_only_when_it_means_something_else() -> None:
    """Other thresholds keep what was heard; another number of tenants does not."""
    guard = shared(VirtualClock())
    guard.using(tenant="good").call(int)
    fail(guard, "bad", 2)
    guard.reconfigure(breaker=Breaker(failures=2, cooldown=30.0, tenants=2))
    fail(guard, "bad")
    assert state(guard) == "closed"
    guard.reconfigure(breaker=Breaker(failures=2, cooldown=30.0))
    fail(guard, "bad")
    assert state(guard) == "open"


def test_a_number_of_tenants_that_cannot_be_is_refused() -> None:
    """Options are checked at birth."""
    with pytest.raises(OptionError, match="tenants"):
        Breaker(tenants=0)


def test_a_success_that_is_no_news_is_not_heard_again() -> None:
    """Within a hundredth of the time looked back on, one more success changes nothing; a failure always does."""
    evidence = Evidence(100.0)
    assert not evidence.knows("a", 0.0)
    evidence.hear("a", Verdict.SUCCESS, 0.0)
    assert evidence.knows("a", 0.99)
    assert not evidence.knows("a", 1.0)
    assert not evidence.knows("b", 0.0)
    evidence.hear("a", Verdict.SUCCESS, 0.99)
    evidence.hear("b", Verdict.FAILURE, 50.0)
    assert not evidence.suffices(2, 99.5)
    assert evidence.suffices(2, 100.5)  # what `a` did at 0.0 is over, and that of 0.99 was no news
    evidence.hear("a", Verdict.FAILURE, 0.99)
    assert evidence.suffices(2, 100.5)
    assert evidence.suffices(2, 100.98)
