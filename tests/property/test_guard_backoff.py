"""Laws of backing off: saturates, never negative, never not a number, whatever the attempt."""

from math import isfinite, isnan

from hypothesis import given
from hypothesis import strategies as st

from switchgear import Retry
from switchgear.policies.hints import hint_of
from switchgear.policies.retry import Backoff

SHAPES: list[Backoff] = ["full_jitter", "equal_jitter", "decorrelated", "constant", "exponential"]


@given(
    backoff=st.sampled_from(SHAPES),
    retry=st.integers(1, 10**9),
    draw=st.floats(0, 1, exclude_max=True),
    base=st.floats(0, 1e6),
    more=st.floats(0, 1e9),
    previous=st.floats(0, 1e15),
)
def test_every_wait_is_a_number_between_zero_and_the_cap(
    backoff: Backoff, retry: int, draw: float, base: float, more: float, previous: float
) -> None:
    """For any shape, attempt, draw and options: 0 ≤ wait ≤ cap."""
    options = Retry(on=OSError, backoff=backoff, base=base, cap=base + more)
    wait = options.wait(retry, draw, previous)
    assert isfinite(wait)
    assert 0 <= wait <= options.cap


@given(st.text(max_size=40), st.floats(0, 4e9))
def test_no_header_can_break_the_reading_of_hints(header: str, now: float) -> None:
    """Whatever a server writes into Retry-After gives a number or nothing; more than a float holds is too long."""

    class Response:
        headers = {"Retry-After": header}  # noqa: RUF012 - a stand-in for one reading

    class Error(Exception):
        response = Response()

    hint = hint_of(Error(), now)
    assert hint is None or not isnan(hint)
    wait = None if hint is None or not 0 <= hint <= Retry(on=OSError).hint_max else hint
    assert wait is None or isfinite(wait)
