"""What the ledger tells: a fold over its entries, the same for entries read live and for an exported chain.

It knows the types of events and nothing of the upstream.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from switchgear.execution.transitions import DOUBTFUL, FINAL, TRANSITIONS, Kind, State

_LAST_MAX = 12
_EVERYDAY = frozenset({Kind.ACCEPTED, Kind.DISPATCHED, "admission.refused"})
_INTENT = "intent."


@dataclass(slots=True)
class Told:
    """One action as the ledger tells it.

    `attempts` counts dispatches, `doubts` those without a sure answer.
    """

    id: str
    tenant: str
    tool: str
    effect: str
    state: State = State.PROPOSED
    attempts: int = 0
    retries: int = 0
    doubts: int = 0
    code: str | None = None

    @property
    def final(self) -> bool:
        """Whether nothing changes any more by itself."""
        return self.state in FINAL or self.state is State.DEAD_LETTERED

    @property
    def settled(self) -> bool:
        """Whether the engine is done with it for now: final, or in doubt for a person to look at."""
        return self.final or self.state in DOUBTFUL


@dataclass(slots=True)
class Story:
    """All actions, counts, and the last few events."""

    actions: dict[str, Told] = field(default_factory=dict)
    entries: int = 0
    last: deque[tuple[float, str, str, str]] = field(default_factory=lambda: deque(maxlen=_LAST_MAX))
    """Moment, tenant, event without its `intent.`, subject of the last events that are not everyday ones."""

    def tell(self, tenant: str, entry: Mapping[str, Any]) -> None:
        """Fold one entry, with ``stream``, ``type``, ``at`` and ``facts``."""
        self.entries += 1
        kind, stream, facts = str(entry["type"]), str(entry["stream"]), entry["facts"]
        if kind not in _EVERYDAY:
            self.last.append(
                (float(entry["at"]), tenant, kind.removeprefix(_INTENT), _subject(self.actions.get(stream), facts))
            )
        if kind.startswith(_INTENT):
            self._evolve(tenant, Kind(kind), stream, facts)

    def states(self, tenant: str | None = None) -> Counter[str]:
        """Return how many actions are in each state, of one tenant or of all."""
        return Counter(str(told.state) for told in self.actions.values() if tenant in (None, told.tenant))

    def unsettled(self) -> int:
        """Return how many actions the engine still works on."""
        return sum(not told.settled for told in self.actions.values())

    def retries(self) -> int:
        """Return how many retries were scheduled."""
        return sum(told.retries for told in self.actions.values())

    def _evolve(self, tenant: str, kind: Kind, stream: str, facts: Mapping[str, Any]) -> None:
        if kind is Kind.ACCEPTED:
            self.actions[stream] = Told(stream, tenant, str(facts["tool"]), str(facts["effect"]))
        told = self.actions[stream]
        target = TRANSITIONS[kind][1]
        told.state = told.state if target is None else target
        told.code = facts.get("code")
        told.attempts += kind is Kind.DISPATCHED
        told.retries += kind is Kind.RETRY_SCHEDULED
        told.doubts += kind is Kind.IN_DOUBT


def _subject(told: Told | None, facts: Mapping[str, Any]) -> str:
    words = [told.tool if told else str(facts.get("tool", "")), str(facts.get("code") or "")]
    return " ".join(word for word in words if word)
