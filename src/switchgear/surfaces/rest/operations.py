"""The table of everything that REST offers, gathered from its subjects in the order in which it is documented.

Routes, OpenAPI document and reference page come from it. A new subject is a module with `OPERATIONS` beside its
handlers, and a line here.
"""

from __future__ import annotations

from switchgear.surfaces.rest import (
    approvals,
    backups,
    breakers,
    budgets,
    dead_letters,
    dependencies,
    doubts,
    forcing,
    intents,
    kill_switches,
    ledger,
    ledger_keeping,
    replays,
    sagas,
    submitting,
    time_boxes,
    tools,
)
from switchgear.surfaces.rest.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *submitting.OPERATIONS,
    *intents.OPERATIONS,
    *approvals.OPERATIONS,
    *doubts.OPERATIONS,
    *forcing.OPERATIONS,
    *dead_letters.OPERATIONS,
    *replays.OPERATIONS,
    *sagas.OPERATIONS,
    *time_boxes.OPERATIONS,
    *tools.OPERATIONS,
    *breakers.OPERATIONS,
    *dependencies.OPERATIONS,
    *kill_switches.OPERATIONS,
    *budgets.OPERATIONS,
    *ledger.OPERATIONS,
    *ledger_keeping.OPERATIONS,
    *backups.OPERATIONS,
)
