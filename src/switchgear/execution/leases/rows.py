"""The rows by which the engines of a store know of each other. No event makes them: they are settings, not history.

Each engine has a row in `ENGINES`. Its version changes when the engine is lost and then never back, so the version at
which it joined is its epoch. Its beats go to a row of their own in `BEATS`, so that they leave the epoch alone.
"""

from __future__ import annotations

import msgspec

from switchgear.storage.abilities import Row

ENGINES = "engine"
BEATS = "beat"

LIVE = "live"
"""The facet of an engine that may write."""
LOST = "lost"
"""The facet of one that may not any more, and whose open intents are not all taken over yet."""
SETTLED = "settled"
"""The facet of one that is lost and has left nothing open."""

EPOCH = 1
"""The version of the row of an engine that may write."""


class EngineRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who wrote a row last and when, in seconds since the epoch; `adopter` is who takes over what is left open."""

    by: str
    at: float
    adopter: str = ""
    why: str = ""


_decode = msgspec.json.Decoder(EngineRow).decode
_encode = msgspec.json.Encoder().encode


def heir_of(row: Row) -> str:
    """Return which engine goes on with what that of `row` has open: itself while it is live.

    Nobody ("") when none has said so yet, or when it cannot be read who.
    """
    if row.facet == LIVE:
        return row.key
    written = written_in(row)
    return "" if written is None else written.adopter


def written_in(row: Row) -> EngineRow | None:
    """Return who wrote a row last and when; None when that cannot be read."""
    try:
        return _decode(row.value)
    except msgspec.MsgspecError:
        return None


def encoded(row: EngineRow) -> bytes:
    """Return the row value of an engine."""
    return _encode(row)
