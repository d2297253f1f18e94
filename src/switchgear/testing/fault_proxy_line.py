"""One direction of one connection: which bytes pass when. Pure: it has no socket, timer or clock.

`Line` is given bytes and the end as they arrive, and says by `step` what is to be done now: pass bytes on, end, cut or
reset the connection, or come back at some moment. Faults may be switched between any two steps; what is on its way is
judged by the new ones.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from random import Random

from switchgear.testing.fault_proxy_words import HEALTHY, ConnectionFaults

_SLICE_SECONDS = 0.02
"""What a limited line passes on at once, in seconds of its bandwidth: one byte at least."""


class Ending(Enum):
    """How a stream ends for who reads it."""

    END = "end"
    """In order; the other direction goes on."""

    CUT = "cut"
    """In order, both directions at once."""

    RESET = "reset"
    """Abruptly, both directions at once."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done now: pass `data` on, carry out `ending`, or come back at `wake_at`. All empty: wait for more.

    `lost` is how many bytes were swallowed.
    """

    data: bytes = b""
    ending: Ending | None = None
    wake_at: float | None = None
    lost: int = 0


_NOTHING = Step()


@dataclass(frozen=True, slots=True)
class _Piece:
    arrived: float
    draw: float  # of 0 to 1: which part of the jitter it gets
    data: bytes


@dataclass(frozen=True, slots=True)
class _End:
    arrived: float
    draw: float
    ending: Ending


class Line:
    """Bytes on their way. `random` draws the jitter; `luck` of 0 to 1 is compared with the share that is struck.

    At most `buffer_bytes_max` wait here. Give it no more than `room` says.
    """

    def __init__(self, faults: ConnectionFaults, *, random: Random, luck: float, buffer_bytes_max: int) -> None:
        """Begin empty."""
        self._random = random
        self._bits = Random(random.random())
        self._luck = luck
        self._buffer_bytes_max = buffer_bytes_max
        self._pieces: deque[_Piece] = deque()
        self._waiting_bytes = 0
        self._end: _End | None = None
        self._told = False  # whether the end was passed on
        self._has_hole = False
        self.switch(faults, 0.0)

    @property
    def room_bytes(self) -> int:
        """How many more bytes may be pushed."""
        return self._buffer_bytes_max - self._waiting_bytes

    def push(self, data: bytes, now: float) -> None:
        """Take bytes that arrived at `now`."""
        assert len(data) <= self.room_bytes, "the source was not paused"
        self._pieces.append(_Piece(now, self._random.random(), data))
        self._waiting_bytes += len(data)

    def end(self, ending: Ending, now: float) -> None:
        """Take the end of the source. A reset may still follow an end in order."""
        self._end = _End(now, self._random.random(), ending)
        self._told = False

    def switch(self, faults: ConnectionFaults, now: float) -> None:
        """Let `faults` hold from `now` on. Bytes are counted anew."""
        self._faults = faults if self._luck < faults.share else HEALTHY
        self._passed_bytes = 0
        self._free_at = now

    def step(self, now: float, *, writable: bool) -> Step:
        """Return what is to be done at `now`. To be called again until it says nothing or when to come back.

        `writable` is whether the reader takes bytes; while it does not, none are passed.
        """
        if self._is_struck():
            return self._strike(writable=writable)
        if self._has_hole:
            return Step(ending=Ending.RESET)
        if not writable:
            return _NOTHING
        return self._pass(now) if self._pieces else self._finish(now)

    # -- After `after_bytes` -----------------------------------------------------------------------------------

    def _is_struck(self) -> bool:
        return self._faults.then is not None and self._passed_bytes >= self._faults.after_bytes

    def _strike(self, *, writable: bool) -> Step:
        if self._faults.then == "swallow":
            return Step(lost=self._swallow())
        if self._faults.then == "hold" or (self._passed_bytes and not writable):
            return _NOTHING  # what was passed is still being handed over
        return Step(ending=Ending.RESET if self._faults.then == "reset" else Ending.CUT)

    def _swallow(self) -> int:
        lost, self._waiting_bytes = self._waiting_bytes, 0
        self._pieces.clear()
        self._has_hole = self._has_hole or lost > 0
        return lost

    # -- Before it ---------------------------------------------------------------------------------------------

    def _pass(self, now: float) -> Step:
        piece = self._pieces[0]
        data = piece.data[: self._pass_bytes_max()]
        due = max(self._late(piece.arrived, piece.draw), self._free_at) + self._seconds_for(data)
        if due > now:
            return Step(wake_at=due)
        self._take(piece, len(data))
        self._free_at = now
        passed = self._corrupted(data)
        self._passed_bytes += len(data)
        return Step(passed)

    def _finish(self, now: float) -> Step:
        if self._end is None or self._told:
            return _NOTHING
        slow = self._faults.slow_close if self._end.ending is Ending.END else 0.0
        due = self._late(self._end.arrived, self._end.draw) + slow
        if due > now:
            return Step(wake_at=due)
        self._told = True
        return Step(ending=self._end.ending)

    def _late(self, arrived: float, draw: float) -> float:
        return arrived + self._faults.latency + self._faults.jitter * draw

    def _seconds_for(self, data: bytes) -> float:
        return 0.0 if self._faults.bytes_per_second is None else len(data) / self._faults.bytes_per_second

    def _pass_bytes_max(self) -> int:
        """Return how many bytes may pass at once: up to the strike, and a slice of the bandwidth."""
        most = self._buffer_bytes_max
        if self._faults.then is not None:
            most = min(most, self._faults.after_bytes - self._passed_bytes)
        if self._faults.bytes_per_second is not None:
            most = min(most, max(1, int(self._faults.bytes_per_second * _SLICE_SECONDS)))
        return most

    def _take(self, piece: _Piece, size: int) -> None:
        """Take `size` bytes off the first piece."""
        self._pieces.popleft()
        self._waiting_bytes -= size
        if rest := piece.data[size:]:
            self._pieces.appendleft(_Piece(piece.arrived, piece.draw, rest))

    def _corrupted(self, data: bytes) -> bytes:
        every = self._faults.corrupt_every_bytes
        if every is None:
            return data
        changed = bytearray(data)
        for place in range(every - 1 - self._passed_bytes % every, len(changed), every):
            changed[place] ^= 1 << self._bits.randrange(8)
        return bytes(changed)
