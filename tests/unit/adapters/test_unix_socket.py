"""Unix sockets without a socket: frames, the table of errors, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.adapters.gate import FAILED, UNREACHED, Row
from switchgear.adapters.unix_socket import OUTCOMES, BrokenAnswer, UnixClient
from switchgear.adapters.unix_socket.exchange import decoded, encoded, row_of
from switchgear.adapters.unix_socket.framing import FramingName, LengthPrefixed, Lines, framing_for
from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, OptionError
from switchgear.guard.guard import Guard

ERRORS: list[tuple[Exception, Row]] = [
    (FileNotFoundError(2, "No such file"), UNREACHED),
    (ConnectionRefusedError(111, "Connection refused"), UNREACHED),
    (PermissionError(13, "Permission denied"), UNREACHED),
    (BrokenPipeError(32, "Broken pipe"), FAILED),
    (ConnectionResetError(104, "Connection reset"), FAILED),
    (BrokenAnswer("half"), FAILED),
    (OSError(5, "Input/output error"), FAILED),
]


@pytest.mark.parametrize(("error", "row"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_error_has_its_row(error: Exception, row: Row) -> None:
    """Without a connection nothing left; after that it may have happened."""
    assert row_of(error) == row


def test_every_row_of_the_table_is_tested() -> None:
    """A row without an example is a guess."""
    assert set(OUTCOMES) == {type(error) for error, _ in ERRORS}


@given(message=st.binary(max_size=300), cut=st.integers(0, 310), name=st.sampled_from(["lines", "length"]))
def test_a_frame_is_found_wherever_the_bytes_are_cut(message: bytes, cut: int, name: FramingName) -> None:
    """What was encoded is found again once it is whole, and not before."""
    if name == "lines":
        message = message.replace(b"\n", b"").rstrip(b"\r")
    framing = framing_for(name, 300)
    sent = framing.encode(message)
    assert framing.first(sent) == message
    assert framing.first(sent + b"more") == message
    if cut < len(sent):
        assert framing.first(sent[:cut]) is None


def test_a_message_that_is_too_large_or_cannot_be_a_line_is_not_sent() -> None:
    """It is refused before anything leaves, with its code."""
    for framing in (Lines(10), LengthPrefixed(10)):
        assert framing.encode(b"x" * 10)
        with pytest.raises(Invalid) as caught:
            framing.encode(b"x" * 11)
        assert caught.value.code is Code.PAYLOAD_TOO_LARGE
    with pytest.raises(Invalid, match="newline"):
        Lines(10).encode(b"a\nb")


def test_an_answer_that_is_too_large_is_given_up() -> None:
    """Neither an endless line nor an announced giant fills the memory."""
    for endless in (b"x" * 11, b"x" * 11 + b"\n"):
        with pytest.raises(BrokenAnswer):
            Lines(10).first(endless)
    with pytest.raises(BrokenAnswer, match="announced"):
        LengthPrefixed(10).first(b"\x00\x00\x00\x0b")


def test_json_goes_both_ways_and_nothing_else_does() -> None:
    """A value that JSON cannot say is the caller's mistake; an answer that is none is the server's."""
    assert decoded(encoded({"é": [1, None, "\n"]})) == {"é": [1, None, "\n"]}
    assert b"\n" not in encoded("\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        encoded(float("nan"))
    with pytest.raises(BrokenAnswer, match="not JSON"):
        decoded(b"{")
    with pytest.raises(BrokenAnswer, match="not JSON"):
        decoded(b"\xff")


def test_options_that_cannot_work_are_refused() -> None:
    """At birth, with what to write instead."""
    guard = Guard("daemon")
    with pytest.raises(OptionError, match="framing"):
        UnixClient("/nowhere", guard, framing="words")
    with pytest.raises(OptionError, match="frame_bytes_max"):
        UnixClient("/nowhere", guard, frame_bytes_max=0)
