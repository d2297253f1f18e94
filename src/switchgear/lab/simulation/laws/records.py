"""The ledger is the truth: the chain verifies, and everything that is kept beside it is what its events say."""

from __future__ import annotations

from collections.abc import AsyncIterator

from switchgear.execution.refold import Refold
from switchgear.execution.sagas.book import SAGAS, encoded, folded_saga
from switchgear.execution.time_boxes.box import SPACE, STREAM_PREFIX, encoded_box, folded_box
from switchgear.lab.simulation.laws.evidence import Evidence, all_rows
from switchgear.ledger.events import read
from switchgear.ledger.folding import stream_entries


async def the_ledger_is_the_truth(evidence: Evidence) -> AsyncIterator[str]:
    """Check that chains verify, and that intents, counters, sagas and time-boxes are what their events make."""
    refold = Refold(evidence.store)
    for tenant in await evidence.store.tenants():
        if problem := (await refold.chain(tenant)).problem:
            yield f"the chain of {tenant} does not verify: {problem}"
        for problem in (await refold.intents(tenant)).problems:
            yield f"{tenant}: {problem}"
        for problem in await refold.budgets(tenant):
            yield f"{tenant}: {problem}"
        async for problem in _sagas(evidence, tenant):
            yield problem
        async for problem in _boxes(evidence, tenant):
            yield problem


async def _sagas(evidence: Evidence, tenant: str) -> AsyncIterator[str]:
    for row in await all_rows(evidence.store, SAGAS, tenant):
        again = await folded_saga(stream_entries(evidence.store, tenant, row.key))
        if again is None or encoded(again) != row.value:
            yield f"saga {row.key} of {tenant} is not what its events say"


async def _boxes(evidence: Evidence, tenant: str) -> AsyncIterator[str]:
    for row in await all_rows(evidence.store, SPACE, tenant):
        entries = [read(entry) async for entry in stream_entries(evidence.store, tenant, STREAM_PREFIX + row.key)]
        again = folded_box(entries)
        if again is None or encoded_box(again) != row.value:
            yield f"time-box {row.key} of {tenant} is not what its events say"
