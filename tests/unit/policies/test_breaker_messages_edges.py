"""Breakers that cannot work, and what is said of each."""

from collections.abc import Callable
from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.policies.breaker import Breaker

WRONG: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any], str]] = [
    (
        Breaker,
        (),
        {"failures": 0},
        ("Breaker(failures) needs a whole number of at least 1, not 0; write for example Breaker(failures=5)"),
    ),
    (
        Breaker,
        (),
        {"slow_after": 1.0},
        ("Breaker(slow_after) needs slow_rate beside it; write for example Breaker(slow_rate=0.5, slow_after=2.0)"),
    ),
    (
        Breaker,
        (),
        {"failures": 1, "failure_rate": 0.5},
        (
            "Breaker takes failures= or a rate over a window, not both; drop one of them, and write for "
            "example Breaker(failures=5) or Breaker(failure_rate=0.5, window=60.0)"
        ),
    ),
    (
        Breaker,
        (),
        {"failure_rate": 0},
        (
            "Breaker(failure_rate) needs a share above 0 and at most 1, not 0; "
            "write for example Breaker(failure_rate=0.5)"
        ),
    ),
    (
        Breaker,
        (),
        {"failure_rate": 1.5},
        (
            "Breaker(failure_rate) needs a share above 0 and at most 1, not 1.5; "
            "write for example Breaker(failure_rate=0.5)"
        ),
    ),
    (
        Breaker,
        (),
        {"slow_rate": 0.5},
        (
            "Breaker needs slow_rate and slow_after together, not slow_rate alone; write for example "
            "Breaker(slow_rate=0.5, slow_after=2.0)"
        ),
    ),
    (
        Breaker,
        (),
        {"failure_rate": 0.5, "slow_after": 0.5},
        (
            "Breaker needs slow_rate and slow_after together, not slow_after alone; write for example "
            "Breaker(slow_rate=0.5, slow_after=2.0)"
        ),
    ),
    (
        Breaker,
        (),
        {"slow_rate": 0, "slow_after": 1.0},
        (
            "Breaker(slow_rate) needs a share above 0 and at most 1, not 0; write for example "
            "Breaker(slow_rate=0.5, slow_after=2.0)"
        ),
    ),
    (
        Breaker,
        (),
        {"slow_rate": 0.5, "slow_after": -1},
        (
            "Breaker(slow_after) needs seconds at least 0, not -1; write for example "
            "Breaker(slow_rate=0.5, slow_after=2.0)"
        ),
    ),
    (
        Breaker,
        (),
        {"minimum_calls": 0},
        (
            "Breaker(minimum_calls) needs a whole number of at least 1, not 0; "
            "write for example Breaker(minimum_calls=10)"
        ),
    ),
    (
        Breaker,
        (),
        {"minimum_calls": 11, "window_calls": 10},
        (
            "Breaker(minimum_calls=11) can never be reached in window_calls=10; write for example "
            "Breaker(minimum_calls=10, window_calls=10)"
        ),
    ),
    (
        Breaker,
        (),
        {"window_calls": 10, "window": 1.0},
        (
            "Breaker takes window= seconds or window_calls=, not both; drop one of them, and write for "
            "example Breaker(window=60.0) or Breaker(window_calls=100)"
        ),
    ),
    (
        Breaker,
        (),
        {"window": 0},
        ("Breaker(window) needs a number of at least 0.001, not 0; write for example Breaker(window=60.0)"),
    ),
    (
        Breaker,
        (),
        {"on": 5},
        (
            "Breaker(on) needs exception classes or a function of the error, not 5; "
            "write for example Breaker(on=(ConnectionError,))"
        ),
    ),
    (
        Breaker,
        (),
        {"ignore": 5},
        (
            "Breaker(ignore) needs exception classes or a function of the error, not 5; "
            "write for example Breaker(ignore=(ConnectionError,))"
        ),
    ),
    (
        Breaker,
        (),
        {"cooldown": 0},
        ("Breaker(cooldown) needs seconds above 0, not 0; write for example Breaker(cooldown=60.0)"),
    ),
    (
        Breaker,
        (),
        {"cooldown_factor": 0.5},
        (
            "Breaker(cooldown_factor) needs a number of at least 1, not 0.5; "
            "write for example Breaker(cooldown_factor=2.0)"
        ),
    ),
    (
        Breaker,
        (),
        {"cooldown": 2.0, "cooldown_max": 1.0},
        (
            "Breaker(cooldown_max) needs a number of at least 2, not 1.0; write for example "
            "Breaker(cooldown=2.0, cooldown_max=600.0)"
        ),
    ),
    (
        Breaker,
        (),
        {"jitter": -0.1},
        ("Breaker(jitter) needs a number of at least 0, not -0.1; write for example Breaker(jitter=0.1)"),
    ),
    (Breaker, (), {"jitter": 1}, ("Breaker(jitter) is a share below 1, not 1; write for example Breaker(jitter=0.1)")),
    (
        Breaker,
        (),
        {"probes": 0},
        ("Breaker(probes) needs a whole number of at least 1, not 0; write for example Breaker(probes=3)"),
    ),
    (
        Breaker,
        (),
        {"half_open_max": 0},
        ("Breaker(half_open_max) needs seconds above 0, not 0; write for example Breaker(half_open_max=30.0)"),
    ),
    (
        Breaker,
        (),
        {"ramp": -1},
        ("Breaker(ramp) needs seconds at least 0, not -1; write for example Breaker(ramp=30.0)"),
    ),
    (
        Breaker,
        (),
        {"mode": "closed"},
        (
            'Breaker(mode) is one of "normal", "observe", "forced_open", "disabled", not \'closed\'; write '
            'for example Breaker(mode="observe")'
        ),
    ),
    (
        Breaker,
        (),
        {"tenants": 0},
        ("Breaker(tenants) needs a whole number of at least 1, not 0; write for example Breaker(tenants=2)"),
    ),
    (
        Breaker,
        (),
        {"tenants": 2.5},
        ("Breaker(tenants) needs a whole number of at least 1, not 2.5; write for example Breaker(tenants=2)"),
    ),
    (
        Breaker,
        (),
        {"window_calls": 20.5},
        (
            "Breaker(window_calls) needs a whole number of at least 1, not 20.5; "
            "write for example Breaker(window_calls=100)"
        ),
    ),
    (
        Breaker,
        (),
        {"window_calls": 0},
        (
            "Breaker(window_calls) needs a whole number of at least 1, not 0; "
            "write for example Breaker(window_calls=100)"
        ),
    ),
    (
        Breaker,
        (),
        {"window_calls": -1},
        (
            "Breaker(window_calls) needs a whole number of at least 1, not -1; "
            "write for example Breaker(window_calls=100)"
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
