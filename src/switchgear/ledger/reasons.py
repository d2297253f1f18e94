"""What people say of why they do something: it goes on record for ever, so it is bounded here, once for all rooms.

Whether a reason is needed is for the decision to say; nothing here knows one.
"""

from __future__ import annotations

from switchgear.core.errors import Invalid

REASON_CHARACTERS_MAX = 500
"""The longest reason that is kept."""


def check_reason(reason: str, *, policy: str = "") -> None:
    """Raise `Invalid` of `policy` unless `reason` says something in at most `REASON_CHARACTERS_MAX` characters."""
    if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX:
        raise Invalid(f"a reason has 1 to {REASON_CHARACTERS_MAX} characters; it goes on record", policy=policy)


def check_remark(reason: str) -> None:
    """Raise `Invalid` for a reason of more than `REASON_CHARACTERS_MAX` characters. It may be empty."""
    if len(reason) > REASON_CHARACTERS_MAX:
        raise Invalid(f"a reason has at most {REASON_CHARACTERS_MAX} characters; it goes on record")
