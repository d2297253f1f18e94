"""The table of HTTP: a row for each status, method and length that the adapters treat differently."""

from __future__ import annotations

import pytest

from switchgear.adapters.gate import UNREACHED, row_in
from switchgear.adapters.http_outcomes import (
    FAILING_STATUSES,
    SMALL_BODY_BYTES_MAX,
    effect_of,
    is_small,
    may_have_left,
)
from switchgear.core.effects import Effect
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, RetryExhausted


@pytest.mark.parametrize("status", range(100, 600))
def test_statuses(status: int) -> None:
    """408, 425, 429 and 5xx fail; everything else is an answer of a healthy server."""
    assert (status in FAILING_STATUSES) == (status in {408, 425, 429} or status >= 500)


@pytest.mark.parametrize(
    ("method", "plain", "keyed"),
    [
        ("GET", Effect.READ_ONLY, Effect.READ_ONLY),
        ("get", Effect.READ_ONLY, Effect.READ_ONLY),
        ("HEAD", Effect.READ_ONLY, Effect.READ_ONLY),
        ("OPTIONS", Effect.READ_ONLY, Effect.READ_ONLY),
        ("TRACE", Effect.READ_ONLY, Effect.READ_ONLY),
        ("PUT", Effect.NATURAL, Effect.NATURAL),
        ("DELETE", Effect.NATURAL, Effect.NATURAL),
        ("POST", Effect.OPAQUE, Effect.KEYED),
        ("PATCH", Effect.OPAQUE, Effect.KEYED),
        ("CONNECT", Effect.OPAQUE, Effect.KEYED),
        ("PURGE", Effect.OPAQUE, Effect.KEYED),
    ],
)
def test_effects(method: str, plain: Effect, keyed: Effect) -> None:
    """The method says what a second request would do; a key makes any method repeatable; a stream none."""
    assert effect_of(method, keyed=False, replayable=True) is plain
    assert effect_of(method, keyed=True, replayable=True) is keyed
    assert effect_of(method, keyed=True, replayable=False) is Effect.OPAQUE


@pytest.mark.parametrize(
    ("length", "small"),
    [
        ("0", True),
        (" 17 ", True),
        (str(SMALL_BODY_BYTES_MAX), True),
        (str(SMALL_BODY_BYTES_MAX + 1), False),
        ("9" * 10_000, False),
        (None, False),
        ("", False),
        ("-1", False),
        ("1.5", False),
        ("17, 17", False),
        ("²", False),
    ],
)
def test_small_bodies(length: str | None, small: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only a length that is known and small is read at once; nonsense is not."""
    assert is_small(length) is small


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (CircuitOpen(), False),
        (DeadlineExceeded(sent=False), False),
        (DeadlineExceeded(sent=True), True),
        (RetryExhausted(attempts=3), True),
        (OSError(), True),
        (ConnectionRefusedError(), False),
        (KeyboardInterrupt(), True),
    ],
)
def test_what_may_have_left(error: BaseException, left: bool) -> None:  # noqa: FBT001 - a column of the table
    """Only what is known not to have left is called so; doubt is doubt."""
    assert may_have_left(error, lambda raised: row_in({ConnectionRefusedError: UNREACHED}, raised)) is left
