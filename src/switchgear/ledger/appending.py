"""Appends beside the life of intents: those whose fate has to be known, and those that are a mere record.

Not for intents: execution has its own recorder, which also decides again.
"""

from __future__ import annotations

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.abilities import Append, Committed, Conflicted, Journal, Unknown

_SENDS_MAX = 3


async def append_surely(journal: Journal, append: Append) -> Committed | Conflicted:
    """Append until the fate is known, at most three times. `append` writes a row, and its first event names a stream.

    The row's version keeps a repeat from being written twice; a repeat that conflicts is looked up by its id. Raises
    `StoreError`: whatever the store raises, and TIMEOUT_JOURNAL_APPEND when no try was acknowledged.
    """
    assert append.events, "what is looked up by its stream needs an event"
    assert append.writes, "what may be sent twice needs a row that tells"
    outcome = await journal.append(append)
    for _ in range(_SENDS_MAX - 1):
        if not isinstance(outcome, Unknown):
            break
        outcome = await journal.append(append)
        if isinstance(outcome, Conflicted):
            outcome = await journal.appended(append.tenant, append.events[0].stream, append.id) or outcome
    if isinstance(outcome, Committed | Conflicted):
        return outcome
    raise StoreError(f"the ledger does not acknowledge: {outcome}", code=Code.TIMEOUT_JOURNAL_APPEND)


async def append_record(journal: Journal, append: Append, problem: str) -> None:
    """Append once what only records, and may be missing or there twice: no row goes with it.

    Raises `StoreError`: whatever the store raises, and TIMEOUT_JOURNAL_APPEND with `problem`, words for people, when it
    is not known to be kept.
    """
    outcome = await journal.append(append)
    if not isinstance(outcome, Committed):
        raise StoreError(problem, code=Code.TIMEOUT_JOURNAL_APPEND)
