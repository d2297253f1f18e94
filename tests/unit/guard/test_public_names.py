"""The names that users import: exactly these, without third-party packages, and the gear only when asked for."""

import subprocess
import sys

import pytest

import switchgear

LIBRARY = {
    "Guard",
    "Breaker",
    "Retry",
    "Timeout",
    "RateLimit",
    "Bulkhead",
    "circuit_breaker",
    "deadline",
    "SwitchgearError",
    "Rejected",
    "CircuitOpen",
    "Conflict",
    "Denied",
    "DestructiveBlocked",
    "Invalid",
    "RateLimited",
    "QueueFull",
    "Overloaded",
    "DeadlineExceeded",
    "RetryExhausted",
    "InDoubt",
    "Code",
    "NotApplied",
    "OptionError",
    "StoreError",
    "CallOutcome",
    "Fallback",
    "Fault",
    "Faults",
    "Hedge",
    "Presets",
    "preset",
    "RateLimiter",
    "RetryBudget",
    "Shedding",
}


def test_the_library_is_these_names() -> None:
    """The public names are those of the design, with the errors that users meet besides, and each is there."""
    assert set(switchgear.__all__) == LIBRARY
    assert all(hasattr(switchgear, name) for name in LIBRARY)
    assert switchgear.__version__


def test_other_names_are_no_names() -> None:
    """A misspelt name is an AttributeError as in any module."""
    with pytest.raises(AttributeError, match="Gaurd"):
        _ = switchgear.Gaurd


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)


def test_importing_the_library_does_not_import_the_gear() -> None:
    """`import switchgear` loads the floors up to the guard and no other."""
    ended = python(
        "import sys, switchgear; print({name.split('.')[1] for name in sys.modules if name.startswith('switchgear.')})"
    )
    assert ended.returncode == 0, ended.stderr
    assert eval(ended.stdout) == {"core", "policies", "guard"}  # noqa: S307 - a set that we printed


def test_without_the_gears_packages_the_message_says_what_to_install() -> None:
    """`Switchgear` is offered lazily; what is missing is named together with the command that brings it."""
    ended = python("import sys; sys.modules['msgspec'] = None; from switchgear import Switchgear")
    assert ended.returncode == 1
    assert 'pip install "switchgear[gear]"' in ended.stderr
