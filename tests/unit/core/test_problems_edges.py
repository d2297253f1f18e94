"""Problem documents: which members there are, in which order, and what is kept from callers."""

import pytest

from switchgear.core import problems
from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import (
    DeadlineExceeded,
    Denied,
    InDoubt,
    NotApplied,
    OptionError,
    RetryExhausted,
    StoreError,
    SwitchgearError,
)


def test_the_media_type_and_the_uri_of_a_code_never_change() -> None:
    """Clients compare them."""
    assert problems.MEDIA_TYPE == "application/problem+json"
    assert problems.problem_type(Code.QUEUE_FULL) == "urn:switchgear:code:QUEUE_FULL"


def test_the_members_stand_in_this_order() -> None:
    """Facts between code and advice; status and instance as they are given, else that of the code, and none."""
    known = FACTS[Code.QUEUE_FULL]
    short = problems.problem_members(Code.QUEUE_FULL, detail="why", facts={"z": 1, "a": 2})
    assert list(short.items()) == [
        ("type", "urn:switchgear:code:QUEUE_FULL"),
        ("title", known.meaning),
        ("status", known.http_status),
        ("detail", "why"),
        ("code", "QUEUE_FULL"),
        ("z", 1),
        ("a", 2),
        ("advice", known.advice),
    ]
    full = problems.problem_members(Code.QUEUE_FULL, detail="why", facts={}, status=599, instance="/v1/intents/1")
    assert list(full) == ["type", "title", "status", "detail", "instance", "code", "advice"]
    assert (full["status"], full["instance"]) == (599, "/v1/intents/1")


def test_what_a_remote_may_have_said_is_kept_from_callers() -> None:
    """It may quote an address with a key in it: callers read the meaning of the code."""
    for error in (
        RetryExhausted("secret", attempts=1),
        DeadlineExceeded("secret", sent=True),
        InDoubt("secret"),
        NotApplied("secret"),
    ):
        assert problems.detail_of(error) == FACTS[error.code].meaning


@pytest.mark.parametrize(
    ("error", "defect"),
    [
        (SwitchgearError("secret"), True),
        (OptionError("secret"), True),
        (StoreError("secret", code=Code.STORE_IN_USE), True),
        (Denied("told"), False),
        (Denied("secret", code=Code.INTERNAL), True),
    ],
)
def test_the_text_of_a_defect_is_kept_from_callers(error: SwitchgearError, *, defect: bool) -> None:
    """They read the meaning of the code instead, as they do where nothing was said."""
    assert problems.is_defect(error) is defect
    assert problems.detail_of(error) == (FACTS[error.code].meaning if defect else "told")
    assert problems.detail_of(Denied()) == FACTS[Code.PERMISSION_DENIED].meaning


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (float("inf"), None),
        (float("-inf"), None),
        (float("nan"), None),
        (-5.0, "0"),
        (0.0, "0"),
        (0.001, "1"),
        (1.0, "1"),
        (1.5, "2"),
    ],
)
def test_a_wait_is_told_in_whole_seconds_and_never_too_short(seconds: float | None, text: str | None) -> None:
    """Rounded up, at least 0; nothing is told where waiting does not help."""
    assert problems.retry_after_text(seconds) == text
