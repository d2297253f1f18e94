"""What happened in runs, counted: a run that tries nothing proves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

NEVER = (
    "life:start",
    "life:stop",
    "life:stands_still",
    "life:nap",
    "life:oversleeps",
    "life:dozes",
    "life:lost",
    "crash:append",
    "crash:in_flight",
    "crash:acknowledged",
    "crash:sending",
    "crash:answered",
    "crash:any_moment",
    "crash:during_recovery",
    "disk:restarted",
    "disk:slow",
    "disk:overdue",
    "disk:unacknowledged",
    "disk:lost",
    "disk:disk_full",
    "disk:read_only",
    "disk:queue_full",
    "remote:answer_lost",
    "remote:request_lost",
    "remote:late",
    "remote:twice",
    "remote:reset_before",
    "remote:reset_after",
    "remote:key_known",
    "outage:refuses",
    "outage:wrong",
    "outage:flickers",
    "outage:unspeakable",
    "destroyed:crm.purge",
    "clock:set_back",
    "clock:set_forward",
    "clock:set_back_at_start",
    "clock:set_forward_at_start",
    "event:intent.accepted",
    "event:intent.adopted",
    "event:intent.dispatched",
    "event:intent.in_doubt",
    "event:intent.retry_scheduled",
    "event:intent.reconciling",
    "event:intent.needs_operator",
    "event:intent.dead_lettered",
    "event:intent.requeued",
    "event:intent.cancelled",
    "event:intent.expired",
    "event:intent.held",
    "event:intent.forced",
    "event:intent.released",
    "event:intent.approved",
    "event:intent.rejected",
    "event:intent.approval_withdrawn",
    "event:kill_switch.tripped",
    "event:kill_switch.released",
    "event:REPLAY_STARTED",
    "event:REPLAY_COMPLETED",
    "event:REPLAY_FAILED",
    "event:intent.reexecuted",
    "event:saga.completed",
    "event:saga.compensated",
    "event:time_box.opened",
    "event:time_box.reverted",
    "event:time_box.extended",
)
"""What many seeds together must have come to."""


@dataclass(slots=True)
class Coverage:
    """How often what happened, by names such as ``crash:append`` or ``event:intent.dispatched``."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, what: object, times: int = 1) -> None:
        """Count something that happened."""
        self.counts[f"{kind}:{what}"] += times

    def add(self, other: Mapping[str, int]) -> None:
        """Add what happened in another run."""
        self.counts.update(other)

    def missing(self) -> tuple[str, ...]:
        """Return what has never happened of what must."""
        return tuple(name for name in NEVER if not self.counts[name])

    def of(self, kind: str) -> dict[str, int]:
        """Return what happened of one kind, by name, most frequent first."""
        prefix = f"{kind}:"
        found = {name.removeprefix(prefix): count for name, count in self.counts.items() if name.startswith(prefix)}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
