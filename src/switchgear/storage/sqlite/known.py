"""What the writer knows of the file without looking: ids and ends of chains, and versions of rows.

Nobody else writes the file, so what was read or written once stays true. A plan changes it in place, before anything is
durable: whoever rolls a group back, or does not know what became of it, forgets all of it. Nothing here writes a row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from switchgear.storage.abilities import Append
from switchgear.storage.planner import Link, RowKey, needed
from switchgear.storage.sqlite.decoding import chain_end, integer, text
from switchgear.storage.sqlite.statements import aggregated, as_json, statements

CHAINS_MAX = 65_536
"""Ends of chains that are kept; then all are forgotten and learned anew, so it is well above a usual host's tenants."""

VERSIONS_MAX = 65_536
"""Versions that are kept; then all are forgotten and learned anew, so it is well above the rows in use at a time."""


class Known:
    """Kept between groups. The methods run in the writer's thread, within a transaction that writes."""

    __slots__ = ("heads", "ids", "versions")

    def __init__(self) -> None:
        """Know nothing."""
        self.ids: dict[str, int] = {}
        """The number of each tenant's name."""
        self.heads: dict[str, Link] = {}
        """The end of each of these tenants' chains that has an entry."""
        self.versions: dict[RowKey, int] = {}
        """The version of each row; 0 of one that is not there."""

    def forget(self) -> None:
        """Know nothing any more."""
        self.ids.clear()
        self.heads.clear()
        self.versions.clear()

    def learn_chains(self, connection: sqlite3.Connection, appends: Sequence[Append]) -> None:
        """Fetch id and head of the tenants that are not known yet; a new tenant gets an id."""
        if len(self.ids) > CHAINS_MAX:
            self.ids.clear()
            self.heads.clear()
        missing = {append.tenant for append in appends}.difference(self.ids)
        if not missing:
            return
        names = as_json(sorted(missing))
        connection.execute(statements()["add_tenants"], (names,))
        for name, identity, *end in aggregated(connection, "heads", (names,)):
            self.ids[text(name, "heads")] = integer(identity, "heads")
            if found := chain_end(end, "heads"):
                self.heads[name] = found

    def learn_versions(self, connection: sqlite3.Connection, appends: Sequence[Append], *, presuming: bool) -> None:
        """Fetch the versions that decide and are not known yet; when `presuming`, not of rows that are to be made."""
        if len(self.versions) > VERSIONS_MAX:
            self.versions.clear()
        keys = needed(appends, presuming=presuming).difference(self.versions)
        if keys:
            self.versions.update(dict.fromkeys(keys, 0) | fetched(connection, "versions", keys, 1))


def fetched(connection: sqlite3.Connection, name: str, wanted: set[RowKey], least: int) -> dict[RowKey, int]:
    """Return the number, from `least` on, that the statement `name` finds for each key that exists."""
    keys = list(wanted)
    if not keys:
        return {}
    found = aggregated(connection, name, (as_json(keys),))
    return {keys[index]: integer(number, name, least) for index, number in found}
