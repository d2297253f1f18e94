"""When another engine counts as lost: nothing of it has changed for longer than `ttl`, as seen from here.

Pure. Only durations of one's own monotonic clock are compared. A look that takes long, or a watcher that was itself
paused, only makes it later: what counts from the moment at which a sign was first *read* is compared with the moment at
which the present look *began*.
"""

from __future__ import annotations

from dataclasses import dataclass

Sign = tuple[int, int]
"""What changes while somebody is there: the version of the engine's row, and that of the beats that count for it."""


@dataclass(slots=True)
class _Seen:
    sign: Sign
    since: float


class Watch:
    """What was seen of other engines."""

    def __init__(self, ttl: float) -> None:
        """Start with nothing. `ttl` is in seconds."""
        self._ttl = ttl
        self._seen: dict[str, _Seen] = {}

    def overdue(self, owner: str, sign: Sign, *, began: float, read: float) -> bool:
        """Take note of a look that `began`, and was over when the sign was `read`; return whether it is overdue."""
        known = self._seen.get(owner)
        if known is None or known.sign != sign:
            self._seen[owner] = _Seen(sign, read)
            return False
        return began - known.since > self._ttl

    def keep(self, owners: frozenset[str]) -> None:
        """Forget all but `owners`."""
        for gone in self._seen.keys() - owners:
            del self._seen[gone]
