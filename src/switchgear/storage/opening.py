"""Opens the store that a URL names. Adapters are entry points of the group ``switchgear.stores``, by URL scheme.

First-party adapters are found the same way as everybody else's. Nothing here knows a product.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
from switchgear.core.operations import OPERATIONS, Operation
from switchgear.storage.abilities import Seal, Store

ENTRY_POINT_GROUP = "switchgear.stores"


class Adapter(Protocol):
    """What an entry point of the group resolves to."""

    async def __call__(self, url: str, *, seal: Seal, clock: Clock, timeouts: Mapping[str, Operation]) -> Store:
        """Open the store that `url` names, or raise `OptionError` or `StoreError`."""


async def open_store(
    url: str, *, seal: Seal, clock: Clock = SYSTEM_CLOCK, timeouts: Mapping[str, Operation] = OPERATIONS
) -> Store:
    """Open the store of `url`: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``memory://``, or another's.

    `seal` chains the entries. `timeouts` bounds appending (``journal.append``) and reading (``journal.read``); `clock`
    measures them. The store belongs to the running event loop; close it there.

    Raises `OptionError` for a URL that no installed adapter can open, `StoreError` when the store cannot be opened
    (STORE_IN_USE, LEDGER_UNAVAILABLE, LEDGER_CORRUPT).
    """
    adapter = cast("Adapter", _entry_point(url).load())
    return await adapter(url, seal=seal, clock=clock, timeouts=timeouts)


def _entry_point(url: str) -> EntryPoint:
    scheme, separator, _ = url.partition(":")
    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if not separator or scheme not in installed:
        known = ", ".join(f"{name}:" for name in sorted(installed)) or "none; install the package again"
        raise OptionError(f"no store adapter opens {url!r}; installed are {known}")
    return installed[scheme]
