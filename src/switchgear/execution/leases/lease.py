"""What one engine knows of its own right to write, and whose an intent is.

On a store that one engine owns, the right lasts until somebody else takes the store over. On one that several share,
it lasts for as long as the engine's beats are acknowledged: an engine that cannot say so any more sends nothing, and
it notices before anybody else may call it lost. Times are compared with the engine's own clocks only, never across
machines. [Gray and Cheriton, "Leases", SOSP 1989; epochs as in Kleppmann's "fencing tokens"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import OptionError, StoreError
from switchgear.core.moments import moment_text
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.intent import Change, Intent
from switchgear.execution.leases.rows import ENGINES, EPOCH
from switchgear.execution.transitions import Kind, State
from switchgear.storage.abilities import Conflicted, Expect


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseOptions:
    """How engines of one store tell who may write. `shared` says that several use it at once.

    An engine of which nothing was heard for `ttl` seconds counts as lost; it stops by itself `margin` seconds earlier.
    The margin has to cover what clocks of two machines differ by within `ttl`. Raises `OptionError`.
    """

    shared: bool = False
    ttl: float = 15.0
    margin: float = 3.0

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not 0 < self.ttl < float("inf"):
            raise OptionError(f"LeaseOptions(ttl) is seconds above 0, not {self.ttl!r}")
        if not 0 < self.margin <= self.ttl / 2:
            raise OptionError(f"LeaseOptions(margin) is seconds above 0, at most half of ttl, not {self.margin!r}")

    @property
    def beat_every(self) -> float:
        """Seconds between two beats, and between two looks at the others."""
        return self.ttl / 3.0


ALONE = LeaseOptions()


class Instant(NamedTuple):
    """One moment by both clocks: monotonic seconds, and seconds since the epoch."""

    monotonic: float
    wall: float


class Lease:
    """The right of one engine to write, as far as it knows itself."""

    def __init__(self, owner: str, options: LeaseOptions, clock: Clock) -> None:
        """`owner` names the engine. It has no right yet: see `joined`."""
        self.owner = owner
        self.shared = options.shared
        self._lasts = options.ttl - options.margin
        self._clock = clock
        self._heard: Instant | None = None
        self.expects: tuple[Expect, ...] = ()
        """What every append of this engine expects: that it is not lost."""
        self.lost: str | None = None
        """Why this engine may never write again; None while it may."""
        self.ousted = False
        """Whether it is lost because another engine took its place, and has not just ended."""
        self.ended = asyncio.Event()
        """Set once it is lost."""
        self._listeners: list[Callable[[], None]] = []

    @property
    def held(self) -> bool:
        """Whether the engine has joined."""
        return bool(self.expects)

    @property
    def fenced(self) -> bool:
        """Whether nothing may leave now: the engine is lost, or somebody may be about to call it so.

        The wall clock counts as well, since the monotonic one may stand still while a machine is suspended. A wall
        clock that leaps ahead only fences until the next beat.
        """
        if self.lost is not None:
            return True
        return self.shared and (self._heard is None or self._since(self._heard) >= self._lasts)

    def now(self) -> Instant:
        """Return this moment by both clocks."""
        return Instant(self._clock.monotonic(), self._clock.time())

    def joined(self, sent: Instant) -> None:
        """Take note that the row of this engine is durable; `sent` is when it was sent."""
        self.expects = (Expect(ENGINES, PLATFORM_TENANT, self.owner, EPOCH),)
        self.heard(sent)

    def tell(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a beat was acknowledged, and when the engine is lost. It must not raise."""
        self._listeners.append(listener)

    def heard(self, sent: Instant) -> None:
        """Take note that a beat is acknowledged that was `sent` then: others cannot have seen it any earlier."""
        self._heard = sent
        self._say()

    def lose(self, why: str) -> StoreError:
        """Take note that this engine is lost, for good, and return the error for whoever wanted to write."""
        if self.lost is None:
            self.lost = why
            self.ended.set()
            self._say()
        return StoreError(f"this engine may not write any more: {self.lost}", code=Code.LEDGER_UNAVAILABLE)

    def check(self, conflict: Conflicted) -> None:
        """Raise `StoreError` when an append conflicts because this engine is lost."""
        if conflict.space == ENGINES and self.held:
            self.ousted = True
            raise self.lose("another engine has taken its place")

    def followed_by(self, other: str, at: float) -> None:
        """Take note which engine took its place, and when, in seconds since the epoch: for people, once it is lost."""
        self.lost = f"engine {other} took over at {moment_text(at)}"

    def foreign(self, intent: Intent) -> bool:
        """Return whether an intent is another engine's to go on with. Where one engine owns the store, none is."""
        return self.shared and intent.owner not in (self.owner, "")

    def named(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the facts of a birth with the engine that goes on with it. Only where there are several."""
        return {**facts, "owner": self.owner}

    def taken_over(self, intent: Intent, changes: Sequence[Change]) -> Sequence[Change]:
        """Return `changes` so that this engine goes on with what was another's.

        What is under way there stays there: its outcome is for who sent it, until that engine is lost.
        """
        if not self.foreign(intent) or intent.state is State.DISPATCHED or changes[0].kind is Kind.ADOPTED:
            return changes
        first = msgspec.structs.replace(changes[0], facts={**changes[0].facts, "owner": self.owner})
        return (first, *changes[1:])

    def adoption(self, intent: Intent) -> Change:
        """Return the record that this engine goes on with an intent of one that is lost."""
        return Change(Kind.ADOPTED, {"owner": self.owner, "adopted_from": intent.owner})

    def _say(self) -> None:
        for listener in self._listeners:
            listener()

    def _since(self, then: Instant) -> float:
        return max(self._clock.monotonic() - then.monotonic, self._clock.time() - then.wall)
