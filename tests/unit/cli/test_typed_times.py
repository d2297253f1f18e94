"""Moments and lengths of time as they are typed: what is taken, and what is said of what is not."""

from __future__ import annotations

import pytest

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.application import run
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.typed_times import epoch_of, seconds_of
from tests.unit.cli.test_reference import NO_SERVICES


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12.5", 12.5), ("1970-01-01T00:01:00Z", 60.0), ("1970-01-01T01:01:00+01:00", 60.0)],
)
def test_a_time_is_epoch_seconds_or_has_a_zone(text: str, seconds: float) -> None:
    """As they stand in a manifest, or as people write them."""
    assert epoch_of(text) == seconds


@pytest.mark.parametrize("text", ["yesterday", "2026-11-21T09:00:00", "", "2026-11-21"])
def test_a_time_without_a_zone_is_none(text: str) -> None:
    """An hour more or less decides what is in doubt."""
    with pytest.raises(CommandFailure):
        epoch_of(text)


def test_milliseconds_are_no_seconds_since_the_epoch() -> None:
    """Who takes them for seconds would wait for thousands of years."""
    with pytest.raises(CommandFailure, match="looks like milliseconds: write seconds since the epoch") as caught:
        epoch_of("1795000000000")
    assert "1795000000.000" in caught.value.advice


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("1.5", 1.5), ("90s", 90.0), ("10m", 600.0), ("10 min", 600.0), ("1h", 3600.0)]
)
def test_a_length_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    """As programs have it, or as people say it."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1h30", "1 week", "-1h", "h"])
def test_a_length_that_is_none_says_what_one_is(text: str) -> None:
    """The unit, and an example."""
    with pytest.raises(CommandFailure, match="is no length of time") as caught:
        seconds_of(text)
    assert "seconds, or such as 90s" in caught.value.advice


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["submit", "x", "--not-before", "noon"], "since the epoch"),
        (["submit", "x", "--delay", "noon"], "Write seconds"),
        (["submit", "x", "--revert-after", "noon"], "Write seconds"),
        (["submit", "x", "--deadline", "noon"], "Write seconds"),
        (["time-boxes", "extend", "int_1", "--reason", "x", "--by", "noon"], "Write seconds"),
        (["intents", "replay", "--mode", "verify", "--reason", "x", "--since", "noon"], "since the epoch"),
        (["ledger", "thaw", "--reason", "x", "--since", "noon"], "since the epoch"),
    ],
)
def test_every_option_of_a_time_says_its_unit(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In words of its own, not of whatever reads numbers."""
    assert run(words, NO_SERVICES) == ExitCode.USAGE
    assert told in capsys.readouterr().err
