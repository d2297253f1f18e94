"""Moments and lengths of time as they are typed: what is taken, and what is said of what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from switchgear.control import development_issuer
from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.application import app, run
from switchgear.surfaces.cli.failures import CommandFailure
from switchgear.surfaces.cli.serving import TOKEN_SECONDS_MAX
from switchgear.surfaces.cli.typed_times import epoch_of, seconds_of
from tests.unit.cli.test_reference import NO_SERVICES


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12.5", 12.5), ("1970-01-01T00:01:00Z", 60.0), ("1970-01-01T01:01:00+01:00", 60.0)],
)
def test_a_time_is_epoch_seconds_or_has_a_zone(text: str, seconds: float) -> None:
    """As they stand in a manifest, or as people write them."""
    assert epoch_of(text) == seconds


@pytest.mark.parametrize("text", ["yesterday", "2026-11-21T09:00:00", "", "2026-11-21", "inf", "nan"])
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


@pytest.mark.parametrize("text", ["", "soon", "1h30", "1 week", "-1h", "h", "inf", "nan", "1e999"])
def test_a_length_that_is_none_says_what_one_is(text: str) -> None:
    """The unit, and an example."""
    with pytest.raises(CommandFailure, match="is no length of time") as caught:
        seconds_of(text)
    assert "seconds, or such as 90s" in caught.value.advice


def options() -> Iterator[tuple[str, Any]]:
    """Yield every option of every command that takes something, with the words that lead to the command."""
    commands: list[tuple[str, Any]] = [("", typer.main.get_command(app))]
    while commands:
        path, command = commands.pop()
        commands += ((f"{path} {name}", child) for name, child in getattr(command, "commands", {}).items())
        options = [one for one in command.params if one.param_type_name == "option" and not one.is_flag]
        yield from ((path.strip(), option) for option in options)


LENGTHS = {"--wait", "--for", "--expires", "--seconds", "--deadline", "--delay", "--revert-after", "--by"}
MOMENTS = {"--since", "--not-before"}
TIMES = [(path, option.opts[0], option.metavar) for path, option in options() if option.metavar in ("SECONDS", "TIME")]


def test_every_time_is_known_as_one() -> None:
    """An option of a length or a moment is made as all others are, and no option of such a name takes a bare number."""
    assert {option for _, option, kind in TIMES if kind == "SECONDS"} == LENGTHS
    assert {option for _, option, kind in TIMES if kind == "TIME"} == MOMENTS
    named = {(path, option.opts[0]) for path, option in options() if option.opts[0] in LENGTHS | MOMENTS}
    assert named - {(path, option) for path, option, _ in TIMES} == {("budget", "--by")}, "that is what a report is by"


@pytest.mark.parametrize(("path", "option", "kind"), TIMES)
@pytest.mark.parametrize("text", ["noon", "nan", "inf"])
def test_what_is_wrong_with_a_time_names_its_option(
    path: str, option: str, kind: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words of its own, not of whatever reads numbers, and with the forms that there are."""
    noun, told = ("time", "since the epoch") if kind == "TIME" else ("length of time", "Write seconds, or such as 90s")
    assert run([*path.split(), option, text], NO_SERVICES) == ExitCode.USAGE
    printed = capsys.readouterr().err
    assert f"{option}: {text!r} is no {noun}" in printed
    assert told in printed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["wait", "--for", "2h"], "--for: 2h is above 1 h"),
        (["wait", "--for=-1"], "--for: -1 is below 0 s"),
        (["submit", "x", "--wait", "3601"], "--wait: 3601 is above 1 h"),
        (["sagas", "show", "sga_1", "--wait", "61min"], "--wait: 61min is above 1 h"),
        (["intents", "replay", "int_1", "--wait", "2m"], "--wait: 2m is above 1 min"),
        (["intents", "force", "int_1", "--for", "0"], "--for: 0 is below 1 s"),
        (["token", "--tenant", "a", "--expires", "31d"], "--expires: 31d is above 30 d"),
        (["demo", "--seconds", "1h"], "--seconds: 1h is above 10 min"),
        (["lab", "simulate", "--seconds", "0"], "--seconds: 0 is below 1 s"),
        (["submit", "x", "--delay=-5"], "--delay: -5 is below 0 s"),
    ],
)
def test_a_length_out_of_bounds_says_which_and_how_far(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option, what was typed, and the bound in words; the forms stand below."""
    assert run(words, NO_SERVICES) == ExitCode.USAGE
    printed = capsys.readouterr().err
    assert told in printed
    assert "seconds, or such as 90s, 10m, 1h, 2d" in printed


def test_a_token_may_be_asked_for_as_long_as_it_may_live() -> None:
    """The bound that the command tells is that of who makes the token."""
    assert TOKEN_SECONDS_MAX == development_issuer.TOKEN_SECONDS_MAX
