"""Options of retries, retry budgets, hedges and fallbacks that cannot work, and what is said of each."""

from collections.abc import Callable
from math import nan
from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.policies.fallback import Fallback
from switchgear.policies.hedge import Hedge
from switchgear.policies.retry import Retry
from switchgear.policies.retry_budget import RetryBudget

WRONG: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any], str]] = [
    (
        Retry,
        (),
        {},
        (
            "Retry(on=...) has to say which errors are safe to repeat; "
            "write for example Retry(attempts=3, on=(ConnectionError, TimeoutError))"
        ),
    ),
    (
        Retry,
        (),
        {"on": 5},
        (
            "Retry(on) needs exception classes or a function of the error, not 5; "
            "write for example Retry(on=(ConnectionError,))"
        ),
    ),
    (
        Retry,
        (),
        {"on": ()},
        (
            "Retry(on) needs exception classes or a function of the error, not (); "
            "write for example Retry(on=(ConnectionError,))"
        ),
    ),
    (
        Retry,
        (),
        {"on": int},
        (
            "Retry(on) needs exception classes or a function of the error, not <class 'int'>; "
            "write for example Retry(on=(ConnectionError,))"
        ),
    ),
    (
        Retry,
        (),
        {"on": (OSError, 5)},
        (
            "Retry(on) needs exception classes or a function of the error, not (<class 'OSError'>, 5); "
            "write for example Retry(on=(ConnectionError,))"
        ),
    ),
    (
        Retry,
        (),
        {"on": (OSError, int)},
        (
            "Retry(on) needs exception classes or a function of the error, not (<class 'OSError'>, <class "
            "'int'>); "
            "write for example Retry(on=(ConnectionError,))"
        ),
    ),
    (
        Retry,
        (),
        {"on": OSError, "ignore": 5},
        (
            "Retry(ignore) needs exception classes or a function of the error, not 5; write for example "
            "Retry(on=(ConnectionError,), ignore=(ConnectionRefusedError,))"
        ),
    ),
    (
        Retry,
        (),
        {"on": OSError, "attempts": 0},
        (
            "Retry(attempts) needs a whole number of at least 1, not 0; write for example "
            "Retry(on=(ConnectionError,), attempts=3)"
        ),
    ),
    (
        Retry,
        (),
        {"on": OSError, "base": -1},
        ("Retry(base) needs seconds at least 0, not -1; write for example Retry(on=(ConnectionError,), base=0.1)"),
    ),
    (
        Retry,
        (),
        {"on": OSError, "hint_max": -1},
        (
            "Retry(hint_max) needs seconds at least 0, not -1; write for example "
            "Retry(on=(ConnectionError,), hint_max=60.0)"
        ),
    ),
    (
        Retry,
        (),
        {"on": OSError, "budget": 5},
        (
            "Retry(budget) takes a RetryBudget or None, not 5; write for example "
            "Retry(on=(ConnectionError,), budget=RetryBudget())"
        ),
    ),
    (
        Retry,
        (),
        {"on": OSError, "backoff": "linear"},
        (
            'Retry(backoff) is one of "full_jitter", "equal_jitter", "decorrelated", "exponential", '
            "\"constant\", not 'linear'; write for example Retry(on=(ConnectionError,), "
            'backoff="full_jitter")'
        ),
    ),
    (
        Retry,
        (),
        {"on": OSError, "cap": -1},
        ("Retry(cap) needs seconds at least 0, not -1; write for example Retry(on=(ConnectionError,), cap=10.0)"),
    ),
    (
        Retry,
        (),
        {"on": OSError, "base": 2.0, "cap": 1.0},
        ("Retry(cap=1.0) is below base=2.0; write for example Retry(on=(ConnectionError,), base=2.0, cap=2.0)"),
    ),
    (
        RetryBudget,
        (),
        {"ratio": -1},
        ("RetryBudget(ratio) needs a number of at least 0, not -1; write for example RetryBudget(ratio=0.2)"),
    ),
    (
        RetryBudget,
        (),
        {"floor": -1},
        ("RetryBudget(floor) needs a number of at least 0, not -1; write for example RetryBudget(floor=10.0)"),
    ),
    (
        RetryBudget,
        (),
        {"window": 0},
        ("RetryBudget(window) needs seconds above 0, not 0; write for example RetryBudget(window=10.0)"),
    ),
    (
        RetryBudget,
        (),
        {"ratio": 0, "floor": 0.05},
        (
            "RetryBudget(ratio=0, floor=0.05, window=10.0) could never allow a repeat, since floor * "
            "window is below 1; write for example RetryBudget(ratio=0.2, floor=0.05, window=10.0)"
        ),
    ),
    (
        RetryBudget,
        (),
        {"ratio": 0, "floor": 0.1, "window": 4.0},
        (
            "RetryBudget(ratio=0, floor=0.1, window=4.0) could never allow a repeat, since floor * "
            "window is below 1; write for example RetryBudget(ratio=0.2, floor=0.1, window=4.0)"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": 5},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not 5; "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": ((OSError, -1),)},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not (<class "
            "'OSError'>, -1); "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": ((OSError, nan),)},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not (<class "
            "'OSError'>, nan); "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": ((OSError, True),)},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not (<class "
            "'OSError'>, True); "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": ((OSError, "1"),)},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not (<class "
            "'OSError'>, '1'); "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": ((int, 1),)},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not (<class "
            "'int'>, 1); "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": (("OSError", 1),)},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not ('OSError', "
            "1); "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": ((OSError, 1, 1),)},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not (<class "
            "'OSError'>, 1, 1); "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": ([OSError, 1],)},
        (
            "RetryBudget(costs) needs pairs of an exception class and a number of at least 0, not [<class "
            "'OSError'>, 1]; "
            "write for example RetryBudget(costs={TimeoutError: 2.0})"
        ),
    ),
    (
        RetryBudget,
        (),
        {"costs": ((OSError, 1), (OSError, 2))},
        ("RetryBudget(costs) names OSError twice; write each class once, as in RetryBudget(costs={TimeoutError: 2.0})"),
    ),
    (
        Hedge,
        (),
        {},
        (
            "Hedge takes either seconds or a percentile, not neither; write for example Hedge(after=0.2) "
            "or Hedge(percentile=0.95)"
        ),
    ),
    (
        Hedge,
        (),
        {"after": 1.0, "percentile": 0.5},
        (
            "Hedge takes either seconds or a percentile, not both; write for example Hedge(after=0.2) or "
            "Hedge(percentile=0.95)"
        ),
    ),
    (
        Hedge,
        (),
        {"after": 1.0, "attempts": 1},
        ("Hedge(attempts) needs a whole number from 2 to 5, not 1; write for example Hedge(after=0.2, attempts=2)"),
    ),
    (
        Hedge,
        (),
        {"after": 1.0, "attempts": 6},
        ("Hedge(attempts) needs a whole number from 2 to 5, not 6; write for example Hedge(after=0.2, attempts=2)"),
    ),
    (
        Hedge,
        (),
        {"after": 1.0, "on": 5},
        (
            "Hedge(on) needs exception classes or a function of the error, not 5; write for example "
            "Hedge(after=0.2, on=(ConnectionError,))"
        ),
    ),
    (
        Hedge,
        (),
        {"after": 1.0, "minimum_calls": 0},
        (
            "Hedge(minimum_calls) needs a whole number of at least 1, not 0; write for example "
            "Hedge(percentile=0.95, minimum_calls=20)"
        ),
    ),
    (
        Hedge,
        (),
        {"after": 1.0, "window": 0},
        ("Hedge(window) needs seconds above 0, not 0; write for example Hedge(percentile=0.95, window=60.0)"),
    ),
    (Hedge, (), {"after": 0}, ("Hedge(after) needs seconds above 0, not 0; write for example Hedge(after=0.2)")),
    (
        Hedge,
        (),
        {"after": 1.0, "minimum": 0.1},
        (
            "Hedge(minimum) and Hedge(maximum) bound a percentile, and say nothing beside after=; write "
            "for example Hedge(after=0.2) or Hedge(percentile=0.95, maximum=1.0)"
        ),
    ),
    (
        Hedge,
        (),
        {"after": 1.0, "maximum": 0.1},
        (
            "Hedge(minimum) and Hedge(maximum) bound a percentile, and say nothing beside after=; write "
            "for example Hedge(after=0.2) or Hedge(percentile=0.95, maximum=1.0)"
        ),
    ),
    (
        Hedge,
        (),
        {"percentile": 0},
        ("Hedge(percentile) needs a share above 0 and at most 1, not 0; write for example Hedge(percentile=0.95)"),
    ),
    (
        Hedge,
        (),
        {"percentile": 1},
        ("Hedge(percentile=1) waits for the slowest call of all; write for example Hedge(percentile=0.95)"),
    ),
    (
        Hedge,
        (),
        {"percentile": 0.5, "minimum": -1},
        ("Hedge(minimum) needs seconds at least 0, not -1; write for example Hedge(percentile=0.95, minimum=0.01)"),
    ),
    (
        Hedge,
        (),
        {"percentile": 0.5, "maximum": 0},
        ("Hedge(maximum) needs seconds above 0, not 0; write for example Hedge(percentile=0.95, maximum=1.0)"),
    ),
    (
        Hedge,
        (),
        {"percentile": 0.5, "minimum": 2.0, "maximum": 1.0},
        ("Hedge(maximum=1.0) is below minimum=2.0; write for example Hedge(percentile=0.5, minimum=2.0, maximum=2.0)"),
    ),
    (
        Fallback,
        (),
        {},
        (
            "Fallback takes either a value or a function, not neither; write for example "
            "Fallback(value=[]) or Fallback(function=lambda error: [])"
        ),
    ),
    (
        Fallback,
        (),
        {"value": 1, "function": print},
        (
            "Fallback takes either a value or a function, not both; write for example Fallback(value=[]) "
            "or Fallback(function=lambda error: [])"
        ),
    ),
    (
        Fallback,
        (),
        {"function": 5},
        ("Fallback(function) needs a function of the error, not 5; write for example Fallback(value=5)"),
    ),
    (
        Fallback,
        (),
        {"value": 1, "on": 5},
        (
            "Fallback(on) needs exception classes or a function of the error, not 5; write for example "
            "Fallback(value=[], on=(ConnectionError,))"
        ),
    ),
    (
        Fallback,
        (),
        {"value": 1, "ignore": 5},
        (
            "Fallback(ignore) needs exception classes or a function of the error, not 5; write for "
            "example Fallback(value=[], ignore=(ValueError,))"
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
