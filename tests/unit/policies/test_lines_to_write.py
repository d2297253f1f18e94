"""What is said of options that cannot work: what was given, and lines of code that work as they stand."""

import ast
import re
from math import inf, nan

import pytest

from switchgear.core.errors import OptionError
from switchgear.guard.limiter import RateLimiter
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.fallback import Fallback
from switchgear.policies.faults import Fault, Faults
from switchgear.policies.hedge import Hedge
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry
from switchgear.policies.retry_budget import RetryBudget
from switchgear.policies.shedding import Shedding
from switchgear.policies.timeout import Timeout

KNOWN = {
    kind.__name__: kind
    for kind in (
        *(Breaker, Bulkhead, Fallback, Fault, Faults, Hedge, RateLimit),
        *(RateLimiter, Retry, RetryBudget, Shedding, Timeout),
    )
}
WRONG = (
    *("Timeout(0)", "Timeout(inf)", "Timeout(nan)", "Timeout('5')"),
    *("Breaker(failures=0)", "Breaker(failures=5, failure_rate=0.5)", "Breaker(failure_rate=2)", "Breaker(window=0)"),
    *("Breaker(slow_after=1)", "Breaker(slow_rate=0.5)", "Breaker(failure_rate=0.5, slow_after=1)"),
    *(
        "Breaker(slow_rate=0, slow_after=1)",
        "Breaker(slow_rate=0.5, slow_after=-1)",
        "Breaker(window=9, window_calls=9)",
    ),
    *("Breaker(minimum_calls=0)", "Breaker(window_calls=0)", "Breaker(minimum_calls=20, window_calls=10)"),
    *("Breaker(on=5)", "Breaker(ignore=())", "Breaker(cooldown=0)", "Breaker(cooldown_factor=0.5)"),
    *("Breaker(cooldown=900.0, cooldown_max=60.0)", "Breaker(jitter=-1)", "Breaker(jitter=1)", "Breaker(tenants=0)"),
    *("Breaker(probes=0)", "Breaker(half_open_max=0)", "Breaker(ramp=-1)", "Breaker(mode='off')", "Breaker(mode=[])"),
    *("Retry()", "Retry(on=5)", "Retry(on=OSError, ignore=5)", "Retry(on=OSError, attempts=0)"),
    *("Retry(on=OSError, base=-1)", "Retry(on=OSError, cap=-1)", "Retry(on=OSError, base=20.0)"),
    *("Retry(on=OSError, hint_max=-1)", "Retry(on=OSError, backoff='linear')", "Retry(on=OSError, budget=5)"),
    *("RetryBudget(ratio=-1)", "RetryBudget(floor=-1)", "RetryBudget(window=0)", "RetryBudget(costs=5)"),
    *(
        "RetryBudget(ratio=0, floor=0)",
        "RetryBudget(ratio=0, floor=0.1, window=7.0)",
        "RetryBudget(costs={OSError: -1})",
    ),
    "RetryBudget(costs=((OSError, 1), (OSError, 2)))",
    *("RateLimit(0)", "RateLimit(inf)", "RateLimit(1, per=0)", "RateLimit(1, burst=0)", "RateLimit(1, wait=-1)"),
    *("RateLimit(1, warm_up=-1)", "RateLimit(1e300, per=1e-300)"),
    *("RateLimiter(5)", "RateLimiter({})", "RateLimiter({'user': RateLimit(1)})", "RateLimiter({'global': {}})"),
    *("RateLimiter({'tool': 5})", "RateLimiter({'tool': {'a': 5}})", "RateLimiter({'tool': RateLimit(1, wait=1)})"),
    *("RateLimiter({'tool': {5: RateLimit(1)}})", "RateLimiter({'tenant': {'a' * 201: RateLimit(1)}})"),
    *("Bulkhead(0)", "Bulkhead(1, queue=-1)", "Bulkhead(1, max_wait=0)"),
    *("Shedding(minimum=0)", "Shedding(maximum=0)", "Shedding(minimum=9, maximum=8)", "Shedding(initial=0)"),
    *("Shedding(initial=900)", "Shedding(smoothing=2)", "Shedding(tolerance=0)", "Shedding(headroom=0)"),
    *("Shedding(window=0)", "Shedding(long_window=0)", "Shedding(window=90.0)", "Shedding(throttle=0)"),
    *("Shedding(throttle_window=0)", "Shedding(queue=-1)", "Shedding(max_wait=0)", "Shedding(queue_age=1.0)"),
    *("Shedding(weights={'a': 2})", "Shedding(queue=1, queue_age=0)", "Shedding(queue=1, queue_age=40.0)"),
    *("Shedding(shares=5)", "Shedding(shares={'urgent': 1})", "Shedding(shares={'critical': 0})"),
    *("Shedding(shares={'sheddable': 2})", "Shedding(shares={'critical_plus': 0.1, 'critical': 0.2})"),
    *("Shedding(queue=1, weights=5)", "Shedding(queue=1, weights={5: 2.0})", "Shedding(queue=1, weights={'a': 0})"),
    *(
        "Hedge()",
        "Hedge(after=1, percentile=0.5)",
        "Hedge(after=0)",
        "Hedge(after=1, attempts=9)",
        "Hedge(percentile=1)",
    ),
    *("Hedge(after=1, on=5)", "Hedge(after=1, minimum_calls=0)", "Hedge(after=1, window=0)", "Hedge(percentile=2)"),
    *("Hedge(after=1, minimum=1)", "Hedge(percentile=0.9, minimum=-1)", "Hedge(percentile=0.9, maximum=0)"),
    "Hedge(percentile=0.9, minimum=2.0, maximum=1.0)",
    *("Fallback()", "Fallback(value=1, function=repr)", "Fallback(function=5)", "Fallback(value=1, on=5)"),
    "Fallback(value=1, ignore=5)",
    *("Fault('crash', rate=1)", "Fault('hang', rate=0)", "Fault('hang', rate=1, seconds=1)", "Fault('error', rate=1)"),
    *("Fault('error', rate=1, error=5)", "Fault('error', rate=1, error=UnicodeDecodeError)", "Faults()", "Faults(5)"),
    *("Fault('latency', rate=1, seconds=0)", "Fault('hang', rate=1, limit=0)", "Fault('hang', rate=1, tenants='a')"),
    *("Fault('hang', rate=1, operations=())", "Faults(Fault('hang', rate=1), seed=-1)"),
)


def refusal(line: str) -> str:
    """Return what is said of the options in a line of code."""
    with pytest.raises(OptionError) as refused:
        eval(line, {**KNOWN, "inf": inf, "nan": nan})  # noqa: S307 - written above
    return refused.value.message


def lines_in(text: str) -> list[str]:
    """Return the calls in a text that are Python: from each name of a policy, up to the bracket that ends the call."""
    found = []
    for start in (match.start() for match in re.finditer(rf"(?<![\w(])(?:{'|'.join(KNOWN)})\(", text)):
        ends = (match.end() for match in re.finditer(r"\)", text[start:]))
        found.append(next(text[start : start + end] for end in ends if is_python(text[start : start + end])))
    return found


def is_python(text: str) -> bool:
    """Return whether a text is an expression."""
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("wrong", WRONG)
def test_every_line_to_write_works_as_it_stands(wrong: str) -> None:
    """Options that cannot work are answered with at least one line that can be pasted in their place."""
    said = refusal(wrong)
    advice = said.partition("; ")[2]
    assert "write " in advice
    lines = lines_in(advice)
    assert lines
    for line in lines:
        assert type(eval(line, dict(KNOWN))) is KNOWN[line.partition("(")[0]]  # noqa: S307 - our own message


@pytest.mark.parametrize("wrong", WRONG)
def test_the_option_that_is_wrong_is_named(wrong: str) -> None:
    """The message begins with the policy, and says what is allowed before it says what to write."""
    said = refusal(wrong).partition("; ")[0]
    assert said.startswith((wrong.partition("(")[0], "RateLimit"))
    assert re.search(r"\b(need|take|is |are |name|never|could|has to|bound|waits|knows|cannot|below|gives)", said)


@pytest.mark.parametrize("value", ["inf", "nan", "10**400"])
def test_a_number_that_is_not_finite_is_told_so(value: str) -> None:
    """Infinity is above 0, so "above 0" alone would be no answer."""
    assert "needs seconds above 0 and finite, not " in refusal(f"Timeout({value})")
    assert "needs a number above 0 and finite, not " in refusal(f"RateLimit({value})")
