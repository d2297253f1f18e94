"""Opens the store that a URL names. Adapters are entry points of the group ``switchgear.stores``, by URL scheme.

First-party adapters are found the same way as everybody else's. Of the products, only the shape of our own URLs is
known here, so that a wrong one is found before anything is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast
from urllib.parse import SplitResult, unquote, urlsplit

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
    checked_url(url)
    adapter = cast("Adapter", _entry_point(url).load())
    return await adapter(url, seal=seal, clock=clock, timeouts=timeouts)


def checked_url(url: str) -> None:
    """Raise `OptionError` for a URL whose scheme no installed adapter has, or that ours cannot mean. Opens nothing.

    What the URL of somebody else's adapter may say is not known here. Only the scheme of such a URL is shown, since
    the rest may hold a password.
    """
    scheme = _entry_point(url).name
    try:
        parts = urlsplit(url)
    except ValueError:
        raise OptionError(f"the URL after {scheme}: cannot be read; write {scheme}://…") from None
    check = _OURS.get(scheme)
    if check is not None:
        check(url, parts)


def _entry_point(url: str) -> EntryPoint:
    scheme, separator, _ = url.partition(":")
    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if not separator or scheme not in installed:
        known = ", ".join(f"{name}:" for name in sorted(installed)) or "none; install the package again"
        meant = f"{scheme}: URLs" if separator else repr(url)
        raise OptionError(f"no store adapter opens {meant}; installed are {known}")
    return installed[scheme]


def _check_sqlite(url: str, parts: SplitResult) -> None:
    if parts.query or parts.fragment:
        raise OptionError(f"{url!r}: a SQLite store has no options in its URL; write {url.partition('?')[0]}")
    meant = f"{parts.netloc}{parts.path}"
    if meant.endswith("/"):
        raise OptionError(f"{url!r} names no file; write sqlite:///relative.db or sqlite:////absolute.db")
    if "\0" in unquote(parts.path):
        raise OptionError(f"{url!r} has a NUL character, which no file has in its name")
    if not url.startswith("sqlite:///"):
        raise OptionError(f"{url!r} names no file; write sqlite:///{meant or 'relative.db'}")


def _check_memory(url: str, parts: SplitResult) -> None:
    if parts.netloc or parts.path or parts.query or parts.fragment:
        raise OptionError(f"a memory store has no name or options; write memory:// instead of {url}")


_OURS: Mapping[str, Callable[[str, SplitResult], None]] = {"sqlite": _check_sqlite, "memory": _check_memory}
