"""Names of rows with a facet, from the lists of facets alone: no row is read, so no damaged one is met.

What is asked for in one call is right as of one commit only within a transaction.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import groupby, islice

from switchgear.storage.sqlite import decoding
from switchgear.storage.sqlite.statements import aggregated

Named = tuple[str, str, str]
"""Tenant, key and facet of a row; the facet is that of one that cannot be read, and empty where nobody asks for it."""

_FILED = -1
"""Stands for the number of a block where names are filed."""


def page_names(
    connection: sqlite3.Connection, space: str, tenant: str, facet: str | None, before: str | None, limit: int
) -> list[Named]:
    """Return the names of a tenant's rows by descending key, below `before` if given, of one facet or of all."""
    facets = facets_of(connection, space) if facet is None else [facet]
    below = b"" if before is None else before  # every text is below a blob
    lists = (
        [
            (key, one)
            for key in _keys(connection, {"space": space, "facet": one, "tenant": tenant, "below": below}, limit)
        ]
        for one in facets
    )
    return [(tenant, key, one) for key, one in islice(heapq.merge(*lists, reverse=True), limit)]


def scan_names(
    connection: sqlite3.Connection, space: str, facet: str, after: tuple[str, str], limit: int
) -> list[Named]:
    """Return the names of all tenants' rows in `facet`, ordered by (tenant, key), above `after`."""
    tenant, key = after
    wanted = {"space": space, "facet": facet, "tenant": tenant, "key": key, "limit": limit}
    found = aggregated(connection, "scan", wanted)
    return sorted((decoding.text(tenant, "scan"), decoding.text(key, "scan"), facet) for tenant, key in found)


def facets_of(connection: sqlite3.Connection, space: str) -> list[str]:
    """Return the facets that rows of a space have."""
    return [decoding.text(facet, "index_facets") for facet in aggregated(connection, "index_facets", {"space": space})]


def _keys(connection: sqlite3.Connection, wanted: Mapping[str, object], limit: int) -> Iterator[str]:
    """Yield the highest keys, descending: of what is filed, and of each block in which there are some of them."""
    found = aggregated(connection, "runs", wanted)
    runs = (_run(connection, {**wanted, "block": block, "limit": limit}, key) for key, block in found)
    once = (key for key, _ in groupby(heapq.merge(*runs, reverse=True)))
    return islice(once, limit)


def _run(connection: sqlite3.Connection, wanted: Mapping[str, object], highest: object) -> Iterator[str]:
    """Yield the highest key of a run, which is known; read the others only when it is their turn."""
    yield decoding.text(highest, "runs")
    name = "filed_run" if wanted["block"] == _FILED else "recent_run"
    for key in aggregated(connection, name, {**wanted, "below": highest}):
        yield decoding.text(key, name)
