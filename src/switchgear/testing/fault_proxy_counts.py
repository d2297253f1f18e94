"""What a fault proxy counts: `Tally` while it counts, `ProxyCounts` for who asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyCounts:
    """What went through a proxy so far.

    connections      accepted, those that were turned away included.
    open             open now.
    resets           ended abruptly: by a fault, or because a side did so or could not be reached.
    turned_away      reset on arrival because `connections_max` were open.
    unreachable      for which the upstream could not be reached.
    bytes_up, bytes_down              passed on: towards the upstream, and back.
    lost_bytes_up, lost_bytes_down    swallowed.
    """

    connections: int
    open: int
    resets: int
    turned_away: int
    unreachable: int
    bytes_up: int
    bytes_down: int
    lost_bytes_up: int
    lost_bytes_down: int


@dataclass(slots=True)
class Tally:
    """The same while it is counted. `changed` is to be called after each change."""

    changed: Callable[[], None]
    connections: int = 0
    open: int = 0
    resets: int = 0
    turned_away: int = 0
    unreachable: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    lost_bytes_up: int = 0
    lost_bytes_down: int = 0

    def counts(self) -> ProxyCounts:
        """Return how it stands."""
        return ProxyCounts(
            connections=self.connections,
            open=self.open,
            resets=self.resets,
            turned_away=self.turned_away,
            unreachable=self.unreachable,
            bytes_up=self.bytes_up,
            bytes_down=self.bytes_down,
            lost_bytes_up=self.lost_bytes_up,
            lost_bytes_down=self.lost_bytes_down,
        )
