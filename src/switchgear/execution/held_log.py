"""The log of destructive actions that are held: one line at most each five seconds for what is held by the same.

The ledger has each of them; the log is for who watches a server. What may not live here: what holds an action.
"""

from __future__ import annotations

import logging
from collections import Counter

from switchgear.core.clock import Clock
from switchgear.execution.intent import Intent
from switchgear.health.inventory import Blocked

_log = logging.getLogger("switchgear.destruction")
_LOG_EVERY_SECONDS = 5.0


class HeldLog:
    """Writes at level INFO. Topics are pairs of a tool and a dependency that it requires, so they are bounded."""

    __slots__ = ("_clock", "_left_out", "_quiet_until")

    def __init__(self, clock: Clock) -> None:
        """Start with nothing written."""
        self._clock = clock
        self._quiet_until: dict[tuple[str, str], float] = {}
        self._left_out: Counter[tuple[str, str]] = Counter()

    def note(self, intent: Intent, blocked: Blocked) -> None:
        """Write that `intent` is held by the destructive gate, as `blocked` says, or count it as left out."""
        topic, now = (intent.tool, blocked.dependency), self._clock.monotonic()
        if now < self._quiet_until.get(topic, now):
            self._left_out[topic] += 1
            return
        self._quiet_until[topic] = now + _LOG_EVERY_SECONDS
        self._write(intent, blocked, self._left_out.pop(topic, 0))

    def _write(self, intent: Intent, blocked: Blocked, left_out: int) -> None:
        fields = {"event": "destructive_held", "left_out": left_out, "intent": intent.id, "tenant": intent.tenant}
        fields |= {"tool": intent.tool, "dependency": blocked.dependency, "state": blocked.state}
        fields["retry_after"] = blocked.retry_after
        _log.info("intent %s of %s: %s", intent.id, intent.tenant, _line(intent.tool, blocked, left_out), extra=fields)


def _line(tool: str, blocked: Blocked, left_out: int) -> str:
    again = "" if blocked.retry_after is None else f"; next look in {blocked.retry_after:.3g} s"
    more = f" ({left_out} like this left out)" if left_out else ""
    why = f"{blocked.dependency} is {blocked.state}" if blocked.dependency else blocked.message
    return f"{tool} is held: {why}{again}{more}"
