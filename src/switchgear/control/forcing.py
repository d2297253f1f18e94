"""The use case of forcing: a person lets a held destructive action leave once, although a dependency does not vouch."""

from __future__ import annotations

from typing import ClassVar

from switchgear.control.intent_views import IntentView
from switchgear.control.permissions import Permissions
from switchgear.control.showing import shown_whole
from switchgear.core.scope import Principal
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.forcing import Forcing, check_person, forced
from switchgear.execution.intent import Intent


class ForcedIntents:
    """What a person can say about the intents of their tenant that the destructive gate holds.

    Nothing but the gate is overridden: kill switches, budgets, approvals and contracts stand.
    """

    permissions: ClassVar[Permissions] = Permissions(tenant=("destructive:force",))

    def __init__(self, engine: Engine, *, single_operator: bool) -> None:
        """Ask `engine`. `single_operator` lets whoever asked for an intent force it."""
        self._engine = engine
        self._single_operator = single_operator

    async def force(self, principal: Principal, intent_id: str, *, reason: str, seconds: float) -> IntentView:
        """Let one attempt leave within `seconds` (above 0, at most 3,600), whatever stands in its way now.

        It is good for the dependencies that do not vouch at this moment, and consumed by the next dispatch. `reason`
        (1 to 500 printable characters) goes on record. Raises `Denied` (NOT_FOUND, or PERMISSION_DENIED for an agent
        and for whoever asked for it), `Conflict` when the gate does not hold it or its tool has changed, `Invalid`.
        """
        principal.require("destructive:force")
        intent = await self._engine.intent(principal.tenant, intent_id)
        asked_by = await self._engine.consents.askers(intent)
        forcing = Forcing(
            by=principal.actor,
            reason=reason,
            seconds=seconds,
            asked_by=asked_by,
            at=self._engine.consents.now(),
            single_operator=self._single_operator,
        )
        check_person(forcing)

        def decision(now: Intent) -> Decided:
            known = self._engine.registry.get(now.tool)
            tool = None if known is None else known.tool
            return Decided(forced(now, forcing, tool, self._engine.hindering(tool)))

        after = await self._engine.change(principal.tenant, intent_id, decision, actor=principal.actor)
        return await shown_whole(self._engine, principal, after)
