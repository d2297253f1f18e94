"""What the ledger says of every intent, step by step: the ground that the laws stand on.

It is folded here once more from the entries themselves, so that nothing which an engine keeps is believed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from switchgear.execution.intent import Change, Intent, accepted, evolve
from switchgear.execution.transitions import Kind
from switchgear.ledger.events import Recorded, read
from switchgear.storage.abilities import Store

_PAGE = 1000
_INTENT = "int_"


@dataclass(frozen=True, slots=True)
class Step:
    """One event of an intent: what it was before, what it is after it, and at which version that stands."""

    event: Recorded
    before: Intent | None
    after: Intent
    version: int

    @property
    def kind(self) -> Kind:
        """The type of the event."""
        return Kind(self.event.type)


@dataclass(slots=True)
class History:
    """Everything that the ledger holds, over all tenants, in the order in which it was written."""

    events: list[Recorded] = field(default_factory=list)
    intents: dict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))

    def dispatches(self) -> list[Step]:
        """Return every dispatch, in the order of all."""
        return sorted(self.steps(Kind.DISPATCHED), key=lambda step: step.event.position)

    def steps(self, *kinds: Kind) -> Iterator[Step]:
        """Return the steps of some kinds, intent by intent."""
        return (step for steps in self.intents.values() for step in steps if step.kind in kinds)

    def latest(self) -> Iterator[Intent]:
        """Return every intent as the ledger leaves it."""
        return (steps[-1].after for steps in self.intents.values())


async def history_of(store: Store) -> History:
    """Return what the ledger of `store` holds."""
    history = History()
    for tenant in await store.tenants():
        after = 0
        while entries := await store.entries(tenant, after_seq=after, limit=_PAGE):
            after = entries[-1].seq
            history.events += [read(entry) for entry in entries]
    history.events.sort(key=lambda event: event.position)
    _fold(history, history.events)
    return history


def _fold(history: History, events: Iterable[Recorded]) -> None:
    for event in events:
        if event.stream.startswith(_INTENT):
            steps = history.intents[event.stream]
            steps.append(_step(steps[-1] if steps else None, event))


def _step(last: Step | None, event: Recorded) -> Step:
    payload = None if event.payload is None else dict(event.payload)
    if last is None:
        return Step(event, None, accepted(dict(event.facts), payload or {}, event.at), 1)
    after = evolve(last.after, Change(Kind(event.type), dict(event.facts), payload), event.at)
    return Step(event, last.after, after, last.version + (event.append_id != last.event.append_id))
