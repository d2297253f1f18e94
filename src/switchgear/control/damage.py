"""What cannot be read is named, and hides nothing else: for views that are made of several records, and for lists."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.storage.abilities import Row

Read = TypeVar("Read")

_log = logging.getLogger("switchgear.control")


async def unless_damaged(reading: Awaitable[Read], name: str) -> tuple[Read | None, tuple[str, ...]]:
    """Return what `reading` finds; None and the `name` when it is damaged. Raises `StoreError` for all else."""
    try:
        return await reading, ()
    except StoreError as error:
        if error.code is not Code.LEDGER_CORRUPT:
            raise
        return None, (name,)


def readable(rows: Iterable[Row], read: Callable[[Row], Read]) -> tuple[list[Read], list[str]]:
    """Return what `read` makes of `rows`, and the keys of those that are damaged. Each of these is in the log."""
    found: list[Read] = []
    damaged: list[str] = []
    for row in rows:
        try:
            found.append(read(row))
        except StoreError as error:
            if error.code is not Code.LEDGER_CORRUPT:
                raise
            _log.error("%s %s of tenant %s is left out of a list: %s", row.space, row.key, row.tenant, error)
            damaged.append(row.key)
    return found, damaged
