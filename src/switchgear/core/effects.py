"""Effect classes: what is known about running an action a second time, which decides what doubt means."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """What a tool does to the world outside."""

    READ_ONLY = "read_only"
    """Changes nothing: may run again at any time."""
    KEYED = "keyed"
    """The remote honours our idempotency key: the same key and bytes have one effect."""
    NATURAL = "natural"
    """Sets a value: running it again leads to the same state, if nothing touched the resource since."""
    RECONCILABLE = "reconcilable"
    """Whether it happened can be looked up at the remote."""
    OPAQUE = "opaque"
    """None of these: only a person can tell. The default."""

    @property
    def writes(self) -> bool:
        """Whether the effect can change something outside."""
        return self is not Effect.READ_ONLY

    @property
    def repeats(self) -> bool:
        """Whether a second call does no more than the first: nothing changes, the key is known, or a value is set."""
        return self in (Effect.READ_ONLY, Effect.KEYED, Effect.NATURAL)

    def or_stricter(self, other: Effect | None) -> Effect:
        """Return `other` when it was declared and allows less than this: nobody loosens what somebody declared."""
        return self if other is None or (other.repeats and not other.writes) or not self.repeats else other

    @property
    def repeats_in_doubt(self) -> bool:
        """Whether an interrupted attempt may simply run again: nothing changes, or the remote knows our key."""
        return self in _REPEATED_IN_DOUBT


_REPEATED_IN_DOUBT = frozenset({Effect.READ_ONLY, Effect.KEYED})
