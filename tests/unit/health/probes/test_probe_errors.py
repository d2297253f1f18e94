"""What the errors of a probe say, and how they are worded."""

from __future__ import annotations

import asyncio
import pickle
import time

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, OptionError, Overloaded
from switchgear.health.evidence import Polarity
from switchgear.health.probe import DETAIL_LENGTH_MAX, ProbeFailed, described, polarity_of, shortened

ABSENT, NEGATIVE = Polarity.ABSENT, Polarity.NEGATIVE

SAYINGS: list[tuple[BaseException, Polarity]] = [
    (ProbeFailed("answers 500"), NEGATIVE),
    (TimeoutError("no answer"), ABSENT),
    (DeadlineExceeded("late", sent=True), ABSENT),
    (ConnectionRefusedError(), ABSENT),
    (ConnectionResetError(), ABSENT),
    (FileNotFoundError(), ABSENT),
    (OSError("no route"), ABSENT),
    (Overloaded(), ABSENT),
    (CircuitOpen(), ABSENT),
    (OptionError("nonsense"), NEGATIVE),
    (ValueError("a defect"), NEGATIVE),
    (RecursionError(), NEGATIVE),
]


@pytest.mark.parametrize(("error", "polarity"), SAYINGS, ids=lambda value: repr(value)[:40])
def test_each_error_says_what_it_says(error: BaseException, polarity: Polarity) -> None:
    """Silence is absent, a wrong answer is negative, and a refusal of ours means that nothing was asked."""
    assert polarity_of(error) is polarity


@pytest.mark.parametrize("kind", [Exception, asyncio.CancelledError, KeyboardInterrupt, MemoryError])
def test_no_error_is_ever_positive(kind: type[BaseException]) -> None:
    """Whatever is raised, it is no evidence that the dependency is well."""
    assert polarity_of(kind()) is not Polarity.POSITIVE


def test_a_failed_probe_belongs_to_the_one_tree_and_survives_pickling() -> None:
    """It has a code and its detail, here and in another process."""
    error = ProbeFailed("answers 500")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (again.code, again.detail, again.to_dict()) == (Code.DEPENDENCY_FAILED, "answers 500", error.to_dict())


def test_what_is_said_is_bounded() -> None:
    """A remote never fills a log by what it answers."""
    assert len(ProbeFailed("x" * 10_000).detail) == DETAIL_LENGTH_MAX
    assert shortened("as it is") == "as it is"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "TimeoutError"),
        (ValueError("one\ntwo"), "ValueError: one"),
        (ConnectionError("ConnectionError: Error 111"), "ConnectionError: Error 111"),
        (OSError("cannot reach redis://me:hush@cache:6379/0"), "OSError: cannot reach redis://…@cache:6379/0"),
        (ValueError("dsn host=db password=hush user=me"), "ValueError: dsn host=db password=… user=me"),
        (ValueError("Token: hush, more"), "ValueError: Token=…, more"),
        (OSError("redis://:hu/sh@cache:1/0"), "OSError: redis://…@cache:1/0"),
        (OSError("postgres://me:hu@sh@base/main"), "OSError: postgres://…@base/main"),
        (ValueError('{"password": "hush hush", "port": 1}'), 'ValueError: {"password=…, "port": 1}'),
        (ValueError("client_secret='hush hush' is wrong"), "ValueError: client_secret=… is wrong"),
        (ValueError("Authorization: Bearer h.u.sh"), "ValueError: Authorization=…"),
        (ValueError("sent bearer h.u.sh to it"), "ValueError: sent bearer … to it"),
        (ValueError("X-Api-Key: hush"), "ValueError: X-Api-Key=…"),
        (ValueError("bearer authentication is wanted"), "ValueError: bearer authentication is wanted"),
    ],
)
def test_an_error_is_worded_for_people(error: Exception, words: str) -> None:
    """One line, the kind first, and no credentials."""
    assert described(error) == words


def test_the_longest_error_is_worded_at_once() -> None:
    """Whatever a remote says, wording it takes no time worth naming: nothing of it is looked through twice over."""
    spent = time.process_time()
    for part in ("/", "password", "a-", "bearer ", "'"):
        assert len(described(ValueError(part * 1_000_000))) <= DETAIL_LENGTH_MAX
    assert time.process_time() - spent < 5.0
