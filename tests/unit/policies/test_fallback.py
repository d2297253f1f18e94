"""Fallback as a table: what it answers for, and what it lets pass."""

import pickle
from asyncio import CancelledError
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from switchgear.core.errors import (
    CircuitOpen,
    DeadlineExceeded,
    InDoubt,
    OptionError,
    RateLimited,
    RetryExhausted,
    SwitchgearError,
)
from switchgear.policies.checks import MISSING
from switchgear.policies.errors import ErrorFilter
from switchgear.policies.fallback import Fallback


@pytest.mark.parametrize(
    ("on", "ignore", "error", "applies"),
    [
        (Exception, None, OSError(), True),
        (Exception, None, CircuitOpen(), True),
        (Exception, None, RateLimited(), True),
        (Exception, None, DeadlineExceeded(sent=True), True),
        (Exception, None, RetryExhausted(attempts=3), True),
        (OSError, None, ConnectionResetError(), True),
        (OSError, None, ValueError(), False),
        ((OSError, CircuitOpen), None, CircuitOpen(), True),
        (lambda error: "gone" in str(error), None, KeyError("gone"), True),
        (lambda error: "gone" in str(error), None, KeyError("here"), False),
        (Exception, OSError, ConnectionResetError(), False),
        (OSError, (FileNotFoundError,), FileNotFoundError(), False),
        (OSError, (FileNotFoundError,), TimeoutError(), True),
        (BaseException, None, CancelledError(), False),
        (CancelledError, None, CancelledError(), False),
        (BaseException, None, KeyboardInterrupt(), False),
        (BaseException, None, GeneratorExit(), False),
        (BaseException, None, SystemExit(), False),
        (Exception, None, InDoubt(), False),
        (SwitchgearError, None, InDoubt(), False),
        (lambda _: True, None, InDoubt(), False),
        (InDoubt, None, InDoubt(), True),
        ((OSError, InDoubt), None, InDoubt(), True),
        (InDoubt, InDoubt, InDoubt(), False),
    ],
)
def test_what_is_answered_for(
    on: ErrorFilter, ignore: ErrorFilter | None, error: BaseException, *, applies: bool
) -> None:
    """What `on` means and `ignore` does not; never cancellation, and doubt only when its class is named."""
    assert Fallback(value=None, on=on, ignore=ignore).applies(error) is applies


def test_every_exception_is_meant_unless_something_else_is_said() -> None:
    """The default of `on` is every `Exception`, and nothing is ignored."""
    fallback = Fallback(value=[])
    assert fallback.applies(ZeroDivisionError())
    assert fallback.function is None


@pytest.mark.parametrize("value", [None, False, 0, "", [], MISSING.__class__])
def test_any_object_can_be_the_value(value: object) -> None:
    """What is false, or None, or cannot be hashed, is a value like any other."""
    fallback = Fallback(value=value)
    assert fallback.value is value
    assert hash(fallback) == hash(Fallback(value=3))


def test_a_function_leaves_the_value_missing() -> None:
    """Exactly one of the two is there, also after pickling."""
    revived = pickle.loads(pickle.dumps(Fallback(function=repr)))  # noqa: S301 - our own bytes
    assert (revived.value, revived.function) == (MISSING, repr)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({}, r"write for example Fallback\(value=\[\]\) or Fallback\(function=lambda error: \[\]\)"),
        ({"value": 1, "function": repr}, r"either a value or a function, not both"),
        ({"value": None, "function": repr}, r"either a value or a function, not both"),
        ({"function": 5}, r"write for example Fallback\(value=5\)"),
        ({"value": 1, "on": None}, r"Fallback\(value=\[\], on=\(ConnectionError,\)\)"),
        ({"value": 1, "on": ()}, r"Fallback\(value=\[\], on=\(ConnectionError,\)\)"),
        ({"value": 1, "ignore": "OSError"}, r"Fallback\(value=\[\], ignore=\(ValueError,\)\)"),
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any], advice: str) -> None:
    """Each refusal names the option and says what to write instead."""
    with pytest.raises(OptionError, match=advice):
        Fallback(**options)


def test_options_are_frozen_slotted_and_keyword_only() -> None:
    """Options cannot change under a guard that uses them, take no misspelt name, and say what each value is."""
    options: Any = Fallback(value=1)
    with pytest.raises(FrozenInstanceError):
        options.value = 3.0
    assert not hasattr(options, "__dict__")
    with pytest.raises(TypeError):
        type(options)(1)
