"""Bounds of the pages that use cases return."""

from __future__ import annotations

import re

from switchgear.core.errors import Invalid

PAGE_MAX = 200
"""The most items that one page holds."""
_INTENT_CURSOR = re.compile(r"int_[0-9a-f]{32}\Z")


def check_limit(limit: int) -> None:
    """Raise `Invalid` unless `limit` is 1 to `PAGE_MAX`."""
    if not 1 <= limit <= PAGE_MAX:
        raise Invalid(f"limit is 1 to {PAGE_MAX}, not {limit}")


def check_intent_cursor(cursor: str | None) -> None:
    """Raise `Invalid` unless `cursor` is None or may have ended a page of intents."""
    if cursor is not None and not _INTENT_CURSOR.match(cursor):
        raise Invalid("that cursor did not come from next_cursor of an earlier page")
