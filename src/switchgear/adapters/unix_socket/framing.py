"""Frames on a stream of bytes: where a message ends. Shared by the blocking and the asynchronous client; no I/O.

lines    one message a line, ended by a newline; a message holds no newline itself, as JSON never does
length   four bytes of length, big-endian, then the message
"""

from __future__ import annotations

import struct
from typing import Literal, Protocol

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, OptionError

FramingName = Literal["lines", "length"]
_LENGTH = struct.Struct(">I")


class BrokenAnswer(ConnectionError):
    """The other side ended in the middle of its answer, or sent what cannot be one. The request may be carried out."""


class Framing(Protocol):
    """One way to mark where a message ends."""

    def encode(self, message: bytes) -> bytes:
        """Return the bytes to send. Raises `Invalid` for a message that cannot be sent this way."""

    def first(self, received: bytes | bytearray) -> bytes | None:
        """Return the first message of what was received, None while it is incomplete. Raises `BrokenAnswer`."""


class Lines:
    """A message a line."""

    def __init__(self, bytes_max: int) -> None:
        """Allow messages of up to `bytes_max` bytes."""
        self._bytes_max = bytes_max

    def encode(self, message: bytes) -> bytes:
        """Return the message and a newline."""
        if b"\n" in message:
            raise Invalid("a message sent as a line cannot hold a newline; use framing='length'")
        return _allowed(message, self._bytes_max) + b"\n"

    def first(self, received: bytes | bytearray) -> bytes | None:
        """Return the first line, without its end."""
        end = received.find(b"\n")
        if end > self._bytes_max or (end < 0 and len(received) > self._bytes_max):
            raise BrokenAnswer(f"the answer is longer than {self._bytes_max} bytes")
        return None if end < 0 else bytes(received[:end]).removesuffix(b"\r")


class LengthPrefixed:
    """A length, then the message."""

    def __init__(self, bytes_max: int) -> None:
        """Allow messages of up to `bytes_max` bytes."""
        self._bytes_max = bytes_max

    def encode(self, message: bytes) -> bytes:
        """Return the length and the message."""
        return _LENGTH.pack(len(_allowed(message, self._bytes_max))) + message

    def first(self, received: bytes | bytearray) -> bytes | None:
        """Return the first message whole."""
        if len(received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(received)
        if length > self._bytes_max:
            raise BrokenAnswer(f"an answer of {length} bytes is announced, more than {self._bytes_max}")
        end = _LENGTH.size + length
        return None if len(received) < end else bytes(received[_LENGTH.size : end])


def framing_for(name: FramingName, bytes_max: int) -> Framing:
    """Return the framing called `name`. Raises `OptionError` for another name."""
    if name == "lines":
        return Lines(bytes_max)
    if name == "length":
        return LengthPrefixed(bytes_max)
    raise OptionError(f'UnixClient(framing) is "lines" or "length", not {name!r}')


def _allowed(message: bytes, bytes_max: int) -> bytes:
    if len(message) > bytes_max:
        raise Invalid(f"{len(message)} bytes are more than frame_bytes_max={bytes_max}", code=Code.PAYLOAD_TOO_LARGE)
    return message
