"""Hedge as a table: when the next copy is due, and what the percentile of the recent calls is."""

import random
from dataclasses import FrozenInstanceError
from math import inf, nan
from typing import Any

import pytest

from switchgear.core.errors import CircuitOpen, DeadlineExceeded, OptionError
from switchgear.policies.errors import ErrorFilter
from switchgear.policies.hedge import Hedge, HedgeMachine


def taught(options: Hedge, durations: list[float]) -> HedgeMachine:
    """Return a machine that knows these durations."""
    machine = HedgeMachine(options)
    for duration in durations:
        machine.record(duration)
    return machine


def test_a_fixed_delay_is_known_at_once_and_learns_nothing() -> None:
    """`after` is the delay, whatever the calls take."""
    assert taught(Hedge(after=0.2), [5.0] * 100).delay(0.0) == 0.2


@pytest.mark.parametrize(("minimum_calls", "known"), [(1, 0), (20, 19), (100, 99)])
def test_there_is_no_copy_before_enough_calls_are_known(minimum_calls: int, known: int) -> None:
    """Below `minimum_calls` there is no percentile, and so no copy; with the last of them there is."""
    machine = taught(Hedge(percentile=0.5, minimum_calls=minimum_calls), [1.0] * known)
    assert machine.delay(0.0) is None
    machine.record(1.0)
    assert machine.delay(0.0) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("share", [0.01, 0.07, 0.5, 0.9, 0.95, 0.99])
def test_the_percentile_is_the_nearest_rank_to_five_per_cent(share: float) -> None:
    """Of 100 calls of 1 to 100 seconds in any order, the share p took at most 100 p seconds."""
    durations = [float(seconds) for seconds in range(1, 101)]
    random.Random(7).shuffle(durations)
    assert taught(Hedge(percentile=share), durations).delay(0.0) == pytest.approx(share * 100, rel=0.05)


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("scale", [1e-5, 0.02, 30.0])
def test_the_percentile_follows_calls_as_they_come(share: float, scale: float) -> None:
    """Asked after each call, it stays within 5 % of the exact one, from microseconds to minutes."""
    draws, known = random.Random(11), []
    machine = HedgeMachine(Hedge(percentile=share))
    for _ in range(2000):
        known.append(scale * draws.lognormvariate(0.0, 1.0))
        machine.record(known[-1])
        delay = machine.delay(0.0)
        if delay is not None:
            exact = sorted(known)[max(0, -int(-share * len(known) // 1) - 1)]
            assert delay == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize(("duration", "delay"), [(0.0, 1e-6), (1e-9, 1e-6), (7200.0, 3600.0), (inf, 3600.0)])
def test_durations_outside_of_the_range_count_as_its_ends(duration: float, delay: float) -> None:
    """A copy that was given up counts as a very slow one, and the time of an instant one is still above zero."""
    assert taught(Hedge(percentile=0.5), [duration] * 20).delay(0.0) == pytest.approx(delay, rel=0.1)


@pytest.mark.parametrize(
    ("minimum", "maximum", "delay"),
    [
        (None, None, 1.0),
        (0.0, None, 1.0),
        (2.0, None, 2.0),
        (None, 0.5, 0.5),
        (0.2, 5.0, 1.0),
        (3.0, 3.0, 3.0),
    ],
)
def test_bounds_hold_the_percentile(minimum: float | None, maximum: float | None, delay: float) -> None:
    """Never below `minimum`, never above `maximum`."""
    options = Hedge(percentile=0.5, minimum=minimum, maximum=maximum)
    assert taught(options, [1.0] * 20).delay(0.0) == pytest.approx(delay, rel=0.05)


def test_old_calls_are_forgotten_after_one_to_two_windows() -> None:
    """Two windows after the dependency became slow, nothing of its fast time is left."""
    machine = HedgeMachine(Hedge(percentile=0.5, window=60.0))
    assert machine.delay(0.0) is None
    for now, seconds in ((0.0, 0.1), (59.9, 0.1), (60.0, 0.1), (61.0, 4.0), (120.0, 4.0)):
        for _ in range(30):
            machine.record(seconds)
        machine.delay(now)
    assert machine.delay(120.0) == pytest.approx(4.0, rel=0.05)
    assert machine.delay(119.0) == pytest.approx(4.0, rel=0.05)


def test_few_calls_are_remembered_for_longer() -> None:
    """A quiet dependency is not forgotten: the younger generation has to know enough by itself."""
    machine = taught(Hedge(percentile=0.5, window=60.0, minimum_calls=20), [1.0] * 19)
    assert machine.delay(0.0) is None
    machine.record(1.0)
    for now in (1000.0, 2000.0, 3000.0):
        assert machine.delay(now) == pytest.approx(1.0, rel=0.05)
        machine.record(1.0)


def test_the_pointer_is_right_after_a_generation_was_forgotten() -> None:
    """Forgetting slow and fast calls on either side of the percentile leaves the exact one of the rest."""
    machine = HedgeMachine(Hedge(percentile=0.5, window=10.0, minimum_calls=1))
    machine.delay(0.0)
    for seconds in (0.01, 0.02, 9.0, 8.0, 7.0):
        machine.record(seconds)
    assert machine.delay(1.0) == pytest.approx(7.0, rel=0.05)
    machine.delay(10.0)
    for seconds in (0.5, 0.6, 0.7, 9.0):
        machine.record(seconds)
    assert machine.delay(11.0) == pytest.approx(0.7, rel=0.05)
    assert machine.delay(20.0) == pytest.approx(0.6, rel=0.05)


def test_other_options_keep_what_is_known() -> None:
    """From one percentile to another the calls stay known; with `after` they are let go."""
    machine = taught(Hedge(percentile=0.5), [1.0] * 15 + [2.0] * 15)
    machine.reconfigure(Hedge(percentile=0.99))
    assert machine.delay(0.0) == pytest.approx(2.0, rel=0.05)
    machine.reconfigure(Hedge(after=0.3))
    assert machine.delay(0.0) == 0.3
    machine.reconfigure(Hedge(percentile=0.99))
    assert machine.delay(0.0) is None


@pytest.mark.parametrize(
    ("on", "error", "starts"),
    [
        (None, OSError(), False),
        (OSError, ConnectionResetError(), True),
        ((OSError, KeyError), KeyError(), True),
        (OSError, ValueError(), False),
        (lambda error: "busy" in str(error), RuntimeError("busy"), True),
        (Exception, DeadlineExceeded(sent=True), True),
        (Exception, CircuitOpen(), False),
        (CircuitOpen, CircuitOpen(), False),
        (BaseException, KeyboardInterrupt(), False),
        (BaseException, GeneratorExit(), False),
    ],
)
def test_which_failures_start_the_next_copy(on: ErrorFilter | None, error: BaseException, *, starts: bool) -> None:
    """Those that `on` means; never a refusal, which the next copy would meet too, and never cancellation."""
    assert Hedge(after=1.0, on=on).starts_next(error) is starts


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({}, r"write for example Hedge\(after=0.2\) or Hedge\(percentile=0.95\)"),
        ({"after": 1.0, "percentile": 0.9}, r"write for example Hedge\(after=0.2\) or Hedge\(percentile=0.95\)"),
        ({"after": 0}, r"Hedge\(after=0.2\)"),
        ({"after": "1"}, r"Hedge\(after=0.2\)"),
        ({"after": 1.0, "minimum": 0.1}, r"Hedge\(percentile=0.95, maximum=1.0\)"),
        ({"after": 1.0, "maximum": 2.0}, r"Hedge\(percentile=0.95, maximum=1.0\)"),
        ({"percentile": 0}, r"Hedge\(percentile=0.95\)"),
        ({"percentile": 95}, r"Hedge\(percentile=0.95\)"),
        ({"percentile": nan}, r"Hedge\(percentile=0.95\)"),
        ({"percentile": 1}, r"slowest call of all; write for example Hedge\(percentile=0.95\)"),
        ({"percentile": 0.9, "minimum": -1}, r"Hedge\(percentile=0.95, minimum=0.01\)"),
        ({"percentile": 0.9, "maximum": 0}, r"Hedge\(percentile=0.95, maximum=1.0\)"),
        ({"percentile": 0.9, "minimum": 2.0, "maximum": 1.0}, r"Hedge\(percentile=0.9, minimum=2.0, maximum=2.0\)"),
        ({"after": 1.0, "attempts": 1}, r"Hedge\(after=0.2, attempts=2\)"),
        ({"after": 1.0, "attempts": 6}, r"from 2 to 5, not 6; write for example Hedge\(after=0.2, attempts=2\)"),
        ({"after": 1.0, "attempts": True}, r"Hedge\(after=0.2, attempts=2\)"),
        ({"after": 1.0, "on": 5}, r"Hedge\(after=0.2, on=\(ConnectionError,\)\)"),
        ({"percentile": 0.9, "minimum_calls": 0}, r"Hedge\(percentile=0.95, minimum_calls=20\)"),
        ({"percentile": 0.9, "window": 0}, r"Hedge\(percentile=0.95, window=60.0\)"),
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any], advice: str) -> None:
    """Each refusal names the option and says what to write instead."""
    with pytest.raises(OptionError, match=advice):
        Hedge(**options)


@pytest.mark.parametrize("attempts", [2, 5])
def test_a_call_has_two_to_five_copies(attempts: int) -> None:
    """Both ends are allowed, and two is the default."""
    assert Hedge(after=1.0, attempts=attempts).attempts == attempts
    assert Hedge(after=1.0).attempts == 2


def test_the_defaults_of_a_percentile() -> None:
    """Twenty calls and a minute, without bounds; what the docs say is what is there."""
    options = Hedge(percentile=0.95)
    assert (options.minimum_calls, options.window, options.minimum, options.maximum) == (20, 60.0, None, None)


def test_options_are_frozen_slotted_and_keyword_only() -> None:
    """Options cannot change under a guard that uses them, take no misspelt name, and say what each value is."""
    options: Any = Hedge(after=1.0)
    with pytest.raises(FrozenInstanceError):
        options.after = 3.0
    assert not hasattr(options, "__dict__")
    with pytest.raises(TypeError):
        type(options)(1.0)
