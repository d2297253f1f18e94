"""Options of bulkheads, timeouts, rate limits and shedding that cannot work, and what is said of each."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.shedding import Shedding
from switchgear.policies.timeout import Timeout

WRONG: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any], str]] = [
    (
        Bulkhead,
        (),
        {"limit": 0},
        ("Bulkhead(limit) needs a whole number of at least 1, not 0; write for example Bulkhead(limit=32)"),
    ),
    (
        Bulkhead,
        (),
        {"limit": True},
        ("Bulkhead(limit) needs a whole number of at least 1, not True; write for example Bulkhead(limit=32)"),
    ),
    (
        Bulkhead,
        (),
        {"limit": 2.0},
        ("Bulkhead(limit) needs a whole number of at least 1, not 2.0; write for example Bulkhead(limit=32)"),
    ),
    (
        Bulkhead,
        (),
        {"limit": 1, "queue": -1},
        ("Bulkhead(queue) needs a whole number of at least 0, not -1; write for example Bulkhead(32, queue=64)"),
    ),
    (
        Bulkhead,
        (),
        {"limit": 1, "max_wait": 0},
        ("Bulkhead(max_wait) needs seconds above 0, not 0; write for example Bulkhead(32, max_wait=5.0)"),
    ),
    (
        Timeout,
        (),
        {"seconds": 10**400},
        (f"Timeout(seconds) needs seconds above 0 and finite, not {10**400}; write for example Timeout(seconds=5.0)"),
    ),
    (
        Timeout,
        (),
        {"seconds": 0},
        ("Timeout(seconds) needs seconds above 0, not 0; write for example Timeout(seconds=5.0)"),
    ),
    (
        Timeout,
        (),
        {"seconds": nan},
        ("Timeout(seconds) needs seconds above 0 and finite, not nan; write for example Timeout(seconds=5.0)"),
    ),
    (
        Timeout,
        (),
        {"seconds": inf},
        ("Timeout(seconds) needs seconds above 0 and finite, not inf; write for example Timeout(seconds=5.0)"),
    ),
    (
        Timeout,
        (),
        {"seconds": True},
        ("Timeout(seconds) needs seconds above 0, not True; write for example Timeout(seconds=5.0)"),
    ),
    (
        Timeout,
        (),
        {"seconds": "5"},
        ("Timeout(seconds) needs seconds above 0, not '5'; write for example Timeout(seconds=5.0)"),
    ),
    (
        RateLimit,
        (),
        {"limit": 0},
        ("RateLimit(limit) needs a number above 0, not 0; write for example RateLimit(limit=10)"),
    ),
    (
        RateLimit,
        (),
        {"limit": inf},
        ("RateLimit(limit) needs a number above 0 and finite, not inf; write for example RateLimit(limit=10)"),
    ),
    (
        RateLimit,
        (),
        {"limit": 1, "per": 0},
        ("RateLimit(per) needs seconds above 0, not 0; write for example RateLimit(10, per=1.0)"),
    ),
    (
        RateLimit,
        (),
        {"limit": 1, "wait": -1},
        ("RateLimit(wait) needs seconds at least 0, not -1; write for example RateLimit(10, wait=0.5)"),
    ),
    (
        RateLimit,
        (),
        {"limit": 1, "warm_up": -1},
        ("RateLimit(warm_up) needs seconds at least 0, not -1; write for example RateLimit(10, warm_up=30.0)"),
    ),
    (
        RateLimit,
        (),
        {"limit": 1, "burst": 0.5},
        ("RateLimit(burst) needs a number of at least 1, not 0.5; write for example RateLimit(10, burst=20)"),
    ),
    (
        Shedding,
        (),
        {"minimum": 0},
        ("Shedding(minimum) needs a whole number of at least 1, not 0; write for example Shedding(minimum=4)"),
    ),
    (
        Shedding,
        (),
        {"maximum": 0},
        ("Shedding(maximum) needs a whole number of at least 1, not 0; write for example Shedding(maximum=200)"),
    ),
    (
        Shedding,
        (),
        {"minimum": 5, "maximum": 4},
        ("Shedding(minimum=5) is above maximum=4; write for example Shedding(minimum=5, maximum=5) for a fixed limit"),
    ),
    (
        Shedding,
        (),
        {"initial": 0},
        ("Shedding(initial) needs a whole number of at least 1, not 0; write for example Shedding(initial=20)"),
    ),
    (
        Shedding,
        (),
        {"initial": 3, "minimum": 4},
        (
            "Shedding(initial=3) is not between minimum=4 and maximum=200; leave initial out, and write "
            "for example Shedding(minimum=4, maximum=200)"
        ),
    ),
    (
        Shedding,
        (),
        {"initial": 9, "maximum": 8},
        (
            "Shedding(initial=9) is not between minimum=1 and maximum=8; leave initial out, and write "
            "for example Shedding(minimum=1, maximum=8)"
        ),
    ),
    (
        Shedding,
        (),
        {"smoothing": 0},
        ("Shedding(smoothing) needs a share above 0 and at most 1, not 0; write for example Shedding(smoothing=0.2)"),
    ),
    (
        Shedding,
        (),
        {"tolerance": 0.5},
        ("Shedding(tolerance) needs a number of at least 1, not 0.5; write for example Shedding(tolerance=1.5)"),
    ),
    (
        Shedding,
        (),
        {"headroom": 0},
        ("Shedding(headroom) needs a number above 0, not 0; write for example Shedding(headroom=4.0)"),
    ),
    (
        Shedding,
        (),
        {"window": 0},
        ("Shedding(window) needs seconds above 0, not 0; write for example Shedding(window=1.0)"),
    ),
    (
        Shedding,
        (),
        {"long_window": 0},
        ("Shedding(long_window) needs seconds above 0, not 0; write for example Shedding(long_window=60.0)"),
    ),
    (
        Shedding,
        (),
        {"window": 4.0, "long_window": 3.0},
        ("Shedding(long_window=3.0) is below window=4.0; write for example Shedding(window=4.0, long_window=240.0)"),
    ),
    (
        Shedding,
        (),
        {"throttle": 0.5},
        ("Shedding(throttle) needs a number of at least 1, not 0.5; write for example Shedding(throttle=2.0)"),
    ),
    (
        Shedding,
        (),
        {"throttle_window": 0},
        ("Shedding(throttle_window) needs seconds above 0, not 0; write for example Shedding(throttle_window=120.0)"),
    ),
    (
        Shedding,
        (),
        {"queue": -1},
        ("Shedding(queue) needs a whole number of at least 0, not -1; write for example Shedding(queue=64)"),
    ),
    (
        Shedding,
        (),
        {"max_wait": 0},
        ("Shedding(max_wait) needs seconds above 0, not 0; write for example Shedding(max_wait=5.0)"),
    ),
    (
        Shedding,
        (),
        {"queue_age": 1.0},
        ("Shedding(queue_age) needs a queue beside it; write for example Shedding(queue=64, queue_age=1.0)"),
    ),
    (
        Shedding,
        (),
        {"weights": {"acme": 2.0}},
        ('Shedding(weights) needs a queue beside it; write for example Shedding(queue=64, weights={"acme": 2.0})'),
    ),
    (
        Shedding,
        (),
        {"queue": 1, "queue_age": 0},
        ("Shedding(queue_age) needs seconds above 0, not 0; write for example Shedding(queue=64, queue_age=1.0)"),
    ),
    (
        Shedding,
        (),
        {"queue": 1, "queue_age": 4.0, "max_wait": 4.0},
        (
            "Shedding(queue_age=4.0) is not below max_wait=4.0, so nobody gets that old; write for "
            "example Shedding(queue=1, max_wait=4.0, queue_age=2.0)"
        ),
    ),
    (
        Shedding,
        (),
        {"shares": {"high": 1.0, "low": 0.5}},
        (
            "Shedding(shares) takes a share for each of critical_plus, critical, sheddable_plus, "
            "sheddable, not {'high': 1.0, 'low': 0.5}; write for example Shedding(shares={\"sheddable\": "
            "0.6})"
        ),
    ),
    (
        Shedding,
        (),
        {"shares": {"critical": 0.5}},
        (
            "Shedding(shares) gives sheddable_plus 0.8 of the limit and critical only 0.5, and a higher "
            'class never gets less; write for example Shedding(shares={"critical": 0.8})'
        ),
    ),
]


@pytest.mark.parametrize(("kind", "given", "named", "said"), WRONG, ids=[said.partition(";")[0] for *_, said in WRONG])
def test_options_that_cannot_work_say_what_to_write_instead(
    kind: Callable[..., object], given: tuple[Any, ...], named: dict[str, Any], said: str
) -> None:
    """An option is refused at birth; the message names it, shows what was given, and what would work."""
    with pytest.raises(OptionError) as refused:
        kind(*given, **named)
    assert refused.value.message == said
