"""The words in which a fault proxy is told what to do to connections. Values only; `FaultProxy` carries them out.

A `ConnectionFaults` says what bytes meet on their way, in both directions. `PerDirection` says something else for each.
The functions are the faults that are wanted most: each returns such a value.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from switchgear.core.errors import OptionError
from switchgear.policies.checks import require_count, require_number, require_seconds, require_share, require_word

Strike = Literal["reset", "cut", "swallow", "hold"]
"""What ends the flow in a direction.

reset    both sides lose the connection at once: RST on TCP, an abrupt close on a unix socket.
cut      both sides are closed in order: they read an end where more should have come.
swallow  bytes are read and dropped. Nobody is told, not even that the other side has closed.
hold     bytes wait, and pass when it is over.
"""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConnectionFaults:
    """What bytes meet in a direction. Without options it is healthy.

    latency              seconds that bytes, and the end of the stream, are late (at least 0).
    jitter               seconds added at most, drawn anew for each chunk (at least 0). Order is kept.
    bytes_per_second     bytes that pass in a second at most (above 0). None is no limit.
    corrupt_every_bytes  one bit of every so many bytes is flipped (at least 1). None corrupts nothing.
    slow_close           seconds that the end of the stream is late besides (at least 0).
    then                 what happens once `after_bytes` have passed: a `Strike`, or None for nothing.
    after_bytes          bytes that pass before (at least 0), counted in each direction of each connection, from when
                         this was set or from when the connection was opened, whichever came later.
    refuse               nothing listens: who connects is refused. What is connected stays.
    share                share of connections that meet all this (above 0, at most 1). Which ones is drawn once each.

    Raises `OptionError` for options that cannot work.
    """

    latency: float = 0.0
    jitter: float = 0.0
    bytes_per_second: float | None = None
    corrupt_every_bytes: int | None = None
    slow_close: float = 0.0
    then: Strike | None = None
    after_bytes: int = 0
    refuse: bool = False
    share: float = 1.0

    def __post_init__(self) -> None:
        """Check each option, and that together they say something."""
        require_seconds("ConnectionFaults(latency)", self.latency, zero=True, example=0.2)
        require_seconds("ConnectionFaults(jitter)", self.jitter, zero=True, example=0.1)
        require_seconds("ConnectionFaults(slow_close)", self.slow_close, zero=True, example=5.0)
        if self.bytes_per_second is not None:
            require_number("ConnectionFaults(bytes_per_second)", self.bytes_per_second, above=0, example=10_000.0)
        if self.corrupt_every_bytes is not None:
            require_count("ConnectionFaults(corrupt_every_bytes)", self.corrupt_every_bytes, example=100)
        if self.then is not None:
            require_word("ConnectionFaults(then)", self.then, get_args(Strike), write='ConnectionFaults(then="reset")')
        require_count("ConnectionFaults(after_bytes)", self.after_bytes, least=0, example=100)
        require_share("ConnectionFaults(share)", self.share)
        self._check_together()

    def __repr__(self) -> str:
        """Show the options that were given."""
        given = ((one.name, getattr(self, one.name), one.default) for one in fields(self))
        return f"ConnectionFaults({', '.join(f'{name}={value!r}' for name, value, usual in given if value != usual)})"

    def _check_together(self) -> None:
        if self.after_bytes and self.then is None:
            raise OptionError('after_bytes needs to know what then; write for example ConnectionFaults(then="reset")')
        if self.refuse and self.share < 1:
            raise OptionError("who is refused has no connection to draw for; leave out share, or use reset(share=0.5)")


HEALTHY = ConnectionFaults()
"""No fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerDirection:
    """Other faults in each direction: `up` is towards the upstream, `down` is back.

    Raises `OptionError` for `refuse`, which has no direction.
    """

    up: ConnectionFaults = HEALTHY
    down: ConnectionFaults = HEALTHY

    def __post_init__(self) -> None:
        """Check that both are faults of a direction."""
        for one in (self.up, self.down):
            if not isinstance(one, ConnectionFaults):
                raise OptionError(f"a direction meets latency(), blackhole() and the like, not {one!r}")
            if one.refuse:
                raise OptionError("refuse has no direction; write proxy.fault = refuse()")


Fault = ConnectionFaults | PerDirection
"""What a fault proxy is told."""


def each_way(fault: Fault) -> PerDirection:
    """Return what `fault` says for each direction; whether it refuses is left out. Raises `OptionError` for others."""
    if isinstance(fault, PerDirection):
        return fault
    if not isinstance(fault, ConnectionFaults):
        raise OptionError(f"a fault is made by latency(), reset(), blackhole() and the like, not {fault!r}")
    flow = replace(fault, refuse=False)
    return PerDirection(up=flow, down=flow)


def refuses(fault: Fault) -> bool:
    """Return whether nothing listens under `fault`."""
    return isinstance(fault, ConnectionFaults) and fault.refuse


# -- The faults that are wanted most ---------------------------------------------------------------------------


def latency(seconds: float, *, jitter: float = 0.0, share: float = 1.0) -> ConnectionFaults:
    """Let bytes arrive `seconds` late, and up to `jitter` seconds more. New connections are made at once."""
    return ConnectionFaults(latency=seconds, jitter=jitter, share=share)


def bandwidth(bytes_per_second: float, *, share: float = 1.0) -> ConnectionFaults:
    """Let at most so many bytes pass in a second, in each direction of each connection."""
    return ConnectionFaults(bytes_per_second=bytes_per_second, share=share)


def corrupt(every_bytes: int, *, share: float = 1.0) -> ConnectionFaults:
    """Flip one bit of every so many bytes (at least 1)."""
    return ConnectionFaults(corrupt_every_bytes=every_bytes, share=share)


def slow_close(seconds: float, *, share: float = 1.0) -> ConnectionFaults:
    """Let the end of a stream arrive `seconds` late; bytes pass at once."""
    return ConnectionFaults(slow_close=seconds, share=share)


def reset(after_bytes: int = 0, *, share: float = 1.0) -> ConnectionFaults:
    """Reset the connection once so many bytes have passed in a direction; 0 is at once, the upstream is not asked."""
    return ConnectionFaults(then="reset", after_bytes=after_bytes, share=share)


def cut(after_bytes: int = 0, *, share: float = 1.0) -> ConnectionFaults:
    """Close both sides in order once so many bytes have passed in a direction; 0 is at once."""
    return ConnectionFaults(then="cut", after_bytes=after_bytes, share=share)


def cut_mid_answer(after_bytes: int, *, share: float = 1.0) -> PerDirection:
    """Close both sides in order once so many bytes of answers (at least 1) have passed."""
    require_count("cut_mid_answer(after_bytes)", after_bytes, example=10)
    return PerDirection(down=cut(after_bytes, share=share))


def blackhole(after_bytes: int = 0, *, share: float = 1.0) -> ConnectionFaults:
    """Accept, and swallow what is sent either way once `after_bytes` have passed. Nobody is told.

    When it is over, a connection that lost bytes is reset: a stream with a hole is never carried on.
    """
    return ConnectionFaults(then="swallow", after_bytes=after_bytes, share=share)


def half_open(dead: Literal["up", "down"] = "down", *, share: float = 1.0) -> PerDirection:
    """Let one direction die in silence. By default requests arrive and are carried out, and answers never come."""
    require_word("half_open(dead)", dead, ("up", "down"), write='half_open("down")')
    silent = blackhole(share=share)
    return PerDirection(up=silent) if dead == "up" else PerDirection(down=silent)


def partition(*, share: float = 1.0) -> ConnectionFaults:
    """Let nothing pass, and lose nothing: what waits passes when it is over, as packets that are sent again do."""
    return ConnectionFaults(then="hold", share=share)


def refuse() -> ConnectionFaults:
    """Let nothing listen, and reset what is connected, as when a server was killed."""
    return ConnectionFaults(refuse=True, then="reset")
