"""Retry as a table: which errors, which waits, which hints."""

from datetime import UTC, datetime
from email.utils import format_datetime
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from switchgear.core.errors import CircuitOpen, DeadlineExceeded, InDoubt, OptionError, RetryExhausted
from switchgear.policies.errors import ErrorFilter
from switchgear.policies.hints import hint_of
from switchgear.policies.retry import Backoff, Retry
from switchgear.policies.timeout import Timeout


def test_what_is_safe_to_repeat_has_to_be_said() -> None:
    """`Retry()` without `on=` is refused, and the message says what to write."""
    with pytest.raises(OptionError, match=r"Retry\(attempts=3, on=\(ConnectionError, TimeoutError\)\)"):
        Retry()


@pytest.mark.parametrize(
    ("on", "error", "retried"),
    [
        (OSError, OSError(), True),
        (OSError, ConnectionResetError(), True),
        ((OSError, ValueError), ValueError(), True),
        (OSError, KeyError(), False),
        (lambda error: "busy" in str(error), RuntimeError("busy"), True),
        (lambda error: "busy" in str(error), RuntimeError("gone"), False),
        (OSError, DeadlineExceeded(sent=True), True),
        (Exception, CircuitOpen(), False),
        (CircuitOpen, CircuitOpen(), False),
        (Exception, RetryExhausted(attempts=3), False),
        ((RetryExhausted,), RetryExhausted(attempts=3), True),
        (Exception, InDoubt(), False),
        (BaseException, KeyboardInterrupt(), False),
        (BaseException, GeneratorExit(), False),
    ],
)
def test_which_errors_are_retried(on: ErrorFilter, error: BaseException, retried: bool) -> None:  # noqa: FBT001 - a column
    """Only what `on` means; never refusals of ours, what is no `Exception`, or an inner retry's end unless named."""
    assert Retry(on=on).retries(error) is retried


def test_ignored_classes_are_not_retried() -> None:
    """`ignore` wins over `on`."""
    assert not Retry(on=OSError, ignore=(FileNotFoundError,)).retries(FileNotFoundError())


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("exponential", [1.0, 2.0, 4.0, 5.0]),
        ("full_jitter", [0.5, 1.0, 2.0, 2.5]),
        ("equal_jitter", [0.75, 1.5, 3.0, 3.75]),
    ],
)
def test_the_shapes_of_backing_off(backoff: Backoff, waits: list[float]) -> None:
    """Each shape for a draw of one half: doubling from `base`, capped before the jitter."""
    retry = Retry(on=OSError, backoff=backoff, base=1.0, cap=5.0)
    assert [retry.wait(number, 0.5, 0.0) for number in (1, 2, 3, 4)] == waits


def test_decorrelated_jitter_grows_from_the_wait_before() -> None:
    """Decorrelated: between `base` and three times the wait before, capped."""
    retry = Retry(on=OSError, backoff="decorrelated", base=1.0, cap=10.0)
    assert [retry.wait(1, draw, previous) for draw, previous in ((0.0, 4.0), (0.5, 4.0), (0.9, 9.0))] == [
        1.0,
        6.5,
        10.0,
    ]


WALL = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (SimpleNamespace(), None),
        (SimpleNamespace(retry_after=3), 3.0),
        (SimpleNamespace(retry_after=-1), -1.0),
        (SimpleNamespace(retry_after=float("nan")), None),
        (SimpleNamespace(response=SimpleNamespace(headers={"Retry-After": "7"})), 7.0),
        (SimpleNamespace(response=SimpleNamespace(headers={"retry-after": "0"})), 0.0),
        (SimpleNamespace(response=SimpleNamespace(headers={"Retry-After": "-1"})), -1.0),
        (SimpleNamespace(response=SimpleNamespace(headers={"Retry-After": "soon"})), None),
        (SimpleNamespace(response=SimpleNamespace(headers={"Retry-After": "inf"})), inf),
        (SimpleNamespace(response=SimpleNamespace(headers={})), None),
        (SimpleNamespace(response=None), None),
        (SimpleNamespace(response=SimpleNamespace(headers={"Retry-After": format_datetime(WALL, usegmt=True)})), 60.0),
    ],
)
def test_hints_are_read_from_the_error_or_its_response(error: BaseException, hint: float | None) -> None:
    """A number, a header in seconds or a date; nonsense is no hint."""
    assert hint_of(error, WALL.timestamp() - 60.0) == hint


@pytest.mark.parametrize(
    "options",
    [{"attempts": 0}, {"base": -1}, {"cap": 0.01}, {"backoff": "linear"}, {"hint_max": -1}, {"on": 5}, {"ignore": 5}],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any]) -> None:
    """Options are validated at birth, and the message names the policy."""
    with pytest.raises(OptionError, match="Retry"):
        Retry(**{"on": OSError, **options})


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan"), None, True, "5"])
def test_a_timeout_is_seconds_above_zero(seconds: float) -> None:
    """A timeout that cannot work is refused, with what to write."""
    with pytest.raises(OptionError, match=r"Timeout\(seconds=5.0\)"):
        Timeout(seconds)
