"""What clients, people and listeners were told. The laws hold the engine to it, whatever crashed since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from switchgear.execution.intent import Intent


class Claim(NamedTuple):
    """An intent was announced in a state, at a version: that is durable, or was never true."""

    tenant: str
    intent: str
    version: int
    state: str


class Key(NamedTuple):
    """What a client asked for by one key."""

    tenant: str
    tool: str
    key: str


@dataclass(slots=True)
class Witness:
    """Everything that was said to somebody outside."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    """Intents that a client was told are accepted, with their tenant."""
    keys: dict[Key, str] = field(default_factory=dict)
    rebound: list[tuple[str, str]] = field(default_factory=list)
    """Intents that one key stood for, one after the other."""
    claims: set[Claim] = field(default_factory=set)
    sagas: dict[str, str] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    """Sagas of which a person said that something was done by hand."""
    problems: list[str] = field(default_factory=list)
    """What was seen to be wrong at once."""

    def heard(self, intent: Intent) -> None:
        """Remember what the engine announced of an intent."""
        self.claims.add(Claim(intent.tenant, intent.id, intent.version, str(intent.state)))

    def accepted(self, intent: Intent) -> None:
        """Remember that a client was told of an intent."""
        self.acknowledged[intent.id] = intent.tenant
        self.heard(intent)

    def wrong(self, problem: str) -> None:
        """Remember something that can never be, once."""
        if problem not in self.problems:
            self.problems.append(problem)
