"""Problem documents: what a caller may read of an error."""

import pytest

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import (
    DeadlineExceeded,
    InDoubt,
    Invalid,
    NotApplied,
    RetryExhausted,
    StoreError,
    SwitchgearError,
)
from switchgear.core.problems import detail_of, problem_members, retry_after_text


@pytest.mark.parametrize(
    "error",
    [
        RetryExhausted("ConnectionError: /v1?api_key=SECRET", attempts=3),
        DeadlineExceeded("before attempt 2, after OSError: SECRET", sent=True),
        InDoubt("SECRET"),
        NotApplied("SECRET"),
        StoreError("/path/SECRET"),
    ],
)
def test_what_a_remote_said_is_not_told_to_callers(error: SwitchgearError) -> None:
    """An error may quote a URL with a key in it; a caller gets the meaning of the code."""
    assert detail_of(error) == FACTS[error.code].meaning


def test_our_own_words_are_told() -> None:
    """A refusal says what is wrong with the request; without words, what its code means."""
    assert detail_of(Invalid("limit must be a number")) == "limit must be a number"
    assert detail_of(Invalid()) == FACTS[Code.INVALID_ARGUMENT].meaning


def test_members_come_in_their_order() -> None:
    """Facts stand between code and advice; an instance is only there when there is one."""
    members = problem_members(Code.QUEUE_FULL, detail="full", facts={"state": "full"}, instance="/x")
    assert list(members) == ["type", "title", "status", "detail", "instance", "code", "state", "advice"]
    assert problem_members(Code.QUEUE_FULL, detail="full", facts={}, status=418)["status"] == 418


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, None), (float("inf"), None), (float("nan"), None), (0.2, "1"), (-3.0, "0"), (2.0, "2")]
)
def test_retry_after_is_whole_seconds(seconds: float | None, text: str | None) -> None:
    """Rounded up, never negative, and left out when waiting does not help."""
    assert retry_after_text(seconds) == text
