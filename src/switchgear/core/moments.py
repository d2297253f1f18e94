"""How a moment is written for people and logs: one way, everywhere. RFC 3339, in UTC, to the millisecond.

Programs get seconds since the epoch, which this does not replace.
"""

from __future__ import annotations

from datetime import UTC, datetime


def moment_text(seconds: float) -> str:
    """Return a moment, seconds since the Unix epoch, as RFC 3339 (§5.6) in UTC: ``2026-11-21T09:00:00.000Z``.

    What is less than a millisecond is left out, so the text is never later than the moment. What no calendar has comes
    as ``@`` and the seconds.
    """
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"@{seconds:.0f}"
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
