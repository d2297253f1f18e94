"""Names of rows with a facet, from the index of facets alone: no row is read, so no damaged one is met."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator
from itertools import islice

from switchgear.storage.sqlite import decoding
from switchgear.storage.sqlite.statements import Parameters, aggregated

Named = tuple[str, str, str]
"""Tenant, key and facet of a row; the facet is that of one that cannot be read, and empty where nobody asks for it."""


def page_names(
    connection: sqlite3.Connection, space: str, tenant: str, facet: str | None, before: str | None, limit: int
) -> list[Named]:
    """Return the names of a tenant's rows by descending key, below `before` if given, of one facet or of all.

    Of several facets they are right as of one commit only within a transaction.
    """
    facets = _facets(connection, space) if facet is None else [facet]
    below = b"" if before is None else before  # every text is below a blob
    found = [_names(connection, "index_page", (space, one, tenant, below, limit), one) for one in facets]
    return list(islice(heapq.merge(*(sorted(names, reverse=True) for names in found), reverse=True), limit))


def scan_names(
    connection: sqlite3.Connection, space: str, facet: str, after: tuple[str, str], limit: int
) -> list[Named]:
    """Return the names of all tenants' rows in `facet`, ordered by (tenant, key), above `after`."""
    return sorted(_names(connection, "index_scan", (space, facet, *after, limit), facet))


def _facets(connection: sqlite3.Connection, space: str) -> list[str]:
    return [decoding.text(facet, "index_facets") for facet in aggregated(connection, "index_facets", {"space": space})]


def _names(connection: sqlite3.Connection, statement: str, parameters: Parameters, facet: str) -> Iterator[Named]:
    for tenant, key in aggregated(connection, statement, parameters):
        yield decoding.text(tenant, statement), decoding.text(key, statement), facet
