"""Use cases about what is in doubt: how much there is, and a person's word on what became of one action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from switchgear.control.intent_views import IntentView
from switchgear.control.permissions import Permissions
from switchgear.control.showing import shown_whole
from switchgear.core.errors import Invalid
from switchgear.core.scope import Principal
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.intent import Intent
from switchgear.execution.resolving import Finding, Says

VERDICTS = tuple(str(says) for says in Says)
"""What a person can say: it was applied, it was not, or nobody will find out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtsView:
    """What is in doubt for a tenant, by state. `oldest_since` is seconds since the epoch, `oldest_age` seconds.

    `escalate_after` is how many seconds a doubt lasts before a person is called. `complete` is False once there was
    more than this engine keeps count of; the list of intents is complete always.
    """

    in_doubt: int
    reconciling: int
    needs_operator: int
    oldest_since: float | None
    oldest_age: float
    escalate_after: float
    complete: bool


class Doubts:
    """What can be asked and said about the actions in doubt of the caller's tenant."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("intents:read", "intents:resolve"))

    def __init__(self, engine: Engine) -> None:
        """Ask `engine`."""
        self._engine = engine

    def report(self, principal: Principal) -> DoubtsView:
        """Return how much is in doubt, and since when."""
        principal.require("intents:read")
        report = self._engine.doubts.report()
        mine = report.of(principal.tenant)
        return DoubtsView(
            in_doubt=mine.in_doubt,
            reconciling=mine.reconciling,
            needs_operator=mine.needs_operator,
            oldest_since=mine.oldest_since,
            oldest_age=0.0 if mine.oldest_since is None else max(0.0, report.at - mine.oldest_since),
            escalate_after=self._engine.doubts.options.escalate_after,
            complete=report.complete,
        )

    async def resolve(
        self, principal: Principal, intent_id: str, *, verdict: str, evidence: str, value: object = None
    ) -> IntentView:
        """Say what became of an action in doubt: `verdict` is one of `VERDICTS`, `value` the outcome of an applied one.

        Where the action is destructive this is a proposal, until somebody else says the same. Where somebody else has
        said something different, nothing is settled: the view's resolution has both words, and what it awaits. Raises
        `Invalid` for a verdict, evidence or value that cannot be, `Denied` for agents, `Conflict` when it is not in
        doubt.
        """
        principal.require("intents:resolve")
        finding = Finding(says=_says(verdict), evidence=evidence, by=principal.actor, value=value)

        def decision(intent: Intent) -> Decided:
            return Decided(self._engine.doubts.resolved(intent, finding))

        after = await self._engine.change(principal.tenant, intent_id, decision, actor=principal.actor)
        return await shown_whole(self._engine, principal, after)


def _says(verdict: str) -> Says:
    if verdict not in VERDICTS:
        raise Invalid(f"there is no verdict {verdict[:50]!r}; verdicts are {', '.join(VERDICTS)}")
    return Says(verdict)
