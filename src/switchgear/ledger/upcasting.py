"""Lifts events that older releases wrote to what this one reads, by a chain of pure functions.

An event's type has a version, from 1. A change of what a type means gets the next version and one function here that
makes the new form of the old one; what is stored is never rewritten. Nothing here reads a store or judges a chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError

Recorded = TypeVar("Recorded")

Upcaster = Callable[[Recorded], Recorded]
"""Lifts an event of one version to the next one, without its version number. The payload may have been erased."""

Table = Mapping[str, Sequence[Upcaster[Recorded]]]
"""Type of event -> its functions, in order: the first lifts version 1 to 2. A type that is not named is at 1."""


def newest(table: Table[Recorded], kind: str) -> int:
    """Return the newest version of a type that this release writes and reads."""
    return 1 + len(table.get(kind, ()))


def lifted(table: Table[Recorded], event: Recorded, kind: str, version: int) -> Recorded:
    """Return `event`, which has type `kind` and `version`, in its newest form.

    Raises `StoreError` (LEDGER_CORRUPT) when its version is of a newer release, or below 1.
    """
    known = newest(table, kind)
    if version > known:
        raise StoreError(
            f"was written by a newer release: {kind} has version {version}, and this one knows {known}",
            code=Code.LEDGER_CORRUPT,
        )
    if version < 1:
        raise StoreError(f"has version {version} of {kind}; versions count from 1", code=Code.LEDGER_CORRUPT)
    for upcast in table.get(kind, ())[version - 1 :]:
        event = upcast(event)
    return event
