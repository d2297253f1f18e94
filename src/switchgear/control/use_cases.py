"""Everything that can be asked of one gear: the subjects put together, and the permissions that they declare.

Surfaces translate; nothing but the subjects decides who may ask. Another tenant's thing looks like a thing that does
not exist. No use case lives here: each is in the module of its subject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self, get_type_hints

from switchgear.control.approvals import Approvals
from switchgear.control.backups import Backups
from switchgear.control.breakers import Breakers
from switchgear.control.budgets import Budgets
from switchgear.control.dead_letters import DeadLetters
from switchgear.control.dependencies import Dependencies
from switchgear.control.doubts import Doubts
from switchgear.control.forcing import ForcedIntents
from switchgear.control.health import Health, Monitoring
from switchgear.control.intents import Intents
from switchgear.control.kill_switches import KillSwitches
from switchgear.control.ledger import Ledger
from switchgear.control.ledger_keeping import LedgerKeeping
from switchgear.control.permissions import gathered
from switchgear.control.readiness import Readiness
from switchgear.control.readings import Readings
from switchgear.control.replays import Replays
from switchgear.control.sagas import Sagas
from switchgear.control.time_boxes import TimeBoxes
from switchgear.control.tools import Tools
from switchgear.execution.engine import Engine
from switchgear.gates.contracts.keeper import ContractKeeper
from switchgear.guard import Guard
from switchgear.storage.abilities import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The use cases of one gear by subject, such as ``control.intents.submit``."""

    intents: Intents
    approvals: Approvals
    doubts: Doubts
    forced: ForcedIntents
    dead_letters: DeadLetters
    replays: Replays
    time_boxes: TimeBoxes
    sagas: Sagas
    tools: Tools
    breakers: Breakers
    dependencies: Dependencies
    kill_switches: KillSwitches
    budgets: Budgets
    ledger: Ledger
    keeping: LedgerKeeping
    backups: Backups
    readiness: Readiness
    health: Health

    @classmethod
    def over(  # noqa: PLR0913 - one parameter a part of the gear
        cls,
        *,
        engine: Engine,
        store: Store,
        guards: Callable[[], Iterable[Guard]],
        dependencies: Dependencies,
        kill_switches: KillSwitches,
        budgets: Budgets,
        keeping: LedgerKeeping,
        readings: Readings,
        backups: Backups,
        contracts: ContractKeeper,
        monitoring: Monitoring,
        single_operator: bool = False,
    ) -> Self:
        """Return the use cases of one engine, its store and its guards. `monitoring` measures the machine.

        `single_operator` says that one person may do what else takes two.
        """
        readiness = Readiness(engine, store, kill_switches)
        return cls(
            intents=Intents(engine, store),
            approvals=Approvals(engine),
            doubts=Doubts(engine),
            forced=ForcedIntents(engine, single_operator=single_operator),
            dead_letters=DeadLetters(engine, store),
            replays=Replays(engine, store),
            time_boxes=TimeBoxes(engine, store),
            sagas=Sagas(engine, store),
            tools=Tools(engine, contracts),
            breakers=Breakers(engine, guards),
            dependencies=dependencies,
            kill_switches=kill_switches,
            budgets=budgets,
            ledger=Ledger(store, readings),
            keeping=keeping,
            backups=backups,
            readiness=readiness,
            health=Health(engine, guards, kill_switches, readiness, monitoring),
        )


_GATHERED = gathered(get_type_hints(Control).values())

TENANT_PERMISSIONS = _GATHERED.tenant
"""What a principal may be allowed within its own tenant."""

PERMISSIONS = (*TENANT_PERMISSIONS, *_GATHERED.platform)
"""Every permission that a token can carry today. ``platform:read`` shows counts over all tenants."""
