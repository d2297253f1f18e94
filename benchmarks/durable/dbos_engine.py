"""DBOS on SQLite: one workflow with one step, started under a workflow id of its own. Durability as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dbos import DBOS, SetWorkflowID

from benchmarks.durable.engine import BlockingEngine, Engine

_effects: list[int] = []


def _step(number: int) -> int:
    _effects.append(number)
    return number


@asynccontextmanager
async def opening(folder: Path) -> AsyncIterator[Engine]:
    """Launch DBOS on a new file in `folder`."""
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{folder / 'dbos.db'}",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    step = DBOS.step()(_step)

    def action(number: int) -> int:
        result: int = step(number)
        return result

    workflow = DBOS.workflow()(action)
    DBOS.launch()

    def act(number: int) -> None:
        with SetWorkflowID(f"key-{number}"):
            DBOS.start_workflow(workflow, number).get_result()

    def burst(numbers: range) -> None:
        handles = []
        for number in numbers:
            with SetWorkflowID(f"key-{number}"):
                handles.append(DBOS.start_workflow(workflow, number))
        for handle in handles:
            handle.get_result()

    engine = BlockingEngine("SQLite, defaults", act, burst, _effects)
    try:
        yield engine
    finally:
        engine.close()
        DBOS.destroy()
