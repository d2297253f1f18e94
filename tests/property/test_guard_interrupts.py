"""Law of the guard under interrupts: whatever it is made of and wherever one strikes, nothing stays held."""

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear import Breaker, Bulkhead, Guard, RateLimit, Retry, Shedding
from tests.effort import examples
from tests.unit.guard.interrupting import Alarm, Clock, Interrupter, failing, items, scene, work

PLACES: list[dict[str, Any]] = [
    {},
    {"bulkhead": Bulkhead(1)},
    {"bulkhead": Bulkhead(2, queue=2, max_wait=1.0)},
    {"shedding": Shedding(minimum=1, maximum=2, queue=1, max_wait=1.0)},
]
OTHERS: dict[str, Any] = {
    "breaker": Breaker(failures=1, cooldown=1.0, jitter=0.0),
    "rate_limit": RateLimit(3, burst=2, wait=1.0),
    "retry": Retry(attempts=2, on=OSError, backoff="constant", base=0.5),
    "dry_run": True,
}
WAYS = st.sampled_from(["call", "decorated", "permit", "generator"])


def act(guard: Guard, way: str, *, fails: bool) -> None:
    """Make a call in one of the ways."""
    function = failing if fails else work
    if way == "permit":
        with guard.permit():
            function()
    elif way == "generator":
        list(guard.call(items))
    elif way == "decorated":
        guard(function)()
    else:
        guard.call(function)


@settings(max_examples=examples(150), deadline=None)
@given(
    places=st.sampled_from(PLACES),
    others=st.sets(st.sampled_from(sorted(OTHERS))),
    before=st.lists(st.tuples(WAYS, st.booleans()), max_size=3),
    interrupted=st.tuples(WAYS, st.booleans()),
    at=st.integers(1, 250),
)
def test_nothing_stays_held_wherever_an_interrupt_strikes(
    *,
    places: dict[str, Any],
    others: set[str],
    before: list[tuple[str, bool]],
    interrupted: tuple[str, bool],
    at: int,
) -> None:
    """After some calls one is interrupted: places, probes and books are right, and the guard works on."""
    policies = places | {name: OTHERS[name] for name in others}

    def prepare(guard: Guard, _clock: Clock) -> None:
        for way, fails in before:
            with suppress(Exception):
                act(guard, way, fails=fails)

    call, check = scene(policies, prepare, lambda guard: act(guard, interrupted[0], fails=interrupted[1]))()
    with suppress(Alarm), Interrupter(at):
        call()
    check()
