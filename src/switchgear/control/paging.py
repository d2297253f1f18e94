"""Pages that use cases return: how long they are, and where one goes on. They are the same for all kinds of rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from switchgear.core.errors import Invalid
from switchgear.storage.abilities import Row, Rows

PAGE_MAX = 200
"""The most items that one page holds."""

INTENT_ID = re.compile(r"int_[0-9a-f]{32}")
"""What the id of an intent looks like."""


def check_limit(limit: int) -> None:
    """Raise `Invalid` unless `limit` is 1 to `PAGE_MAX`."""
    if not 1 <= limit <= PAGE_MAX:
        raise Invalid(f"limit is 1 to {PAGE_MAX}, not {limit}")


def check_state(state: str | None, states: Sequence[str]) -> None:
    """Raise `Invalid` unless `state` is None or one of `states`."""
    if state is not None and state not in states:
        raise Invalid(f"there is no state {state[:50]!r}; states are {', '.join(states)}")


def check_cursor(cursor: str | None, id_: re.Pattern[str] = INTENT_ID) -> None:
    """Raise `Invalid` unless `cursor` is None or the `id_` of what may have ended a page; by default of an intent."""
    if cursor is not None and not id_.fullmatch(cursor):
        raise Invalid("that cursor did not come from next_cursor of an earlier page")


async def page_of(
    rows: Rows, space: str, tenant: str, *, facet: str | None, cursor: str | None, limit: int
) -> tuple[Sequence[Row], str | None]:
    """Return at most `limit` rows of a `space`, newest first, and the cursor that goes on after them; None at the end.

    `facet` is the state that they have, None for any. Who asks has checked `cursor` and `limit`.
    """
    found = await rows.page(space, tenant, facet=facet, before=cursor, limit=limit + 1)
    return found[:limit], found[limit - 1].key if len(found) > limit else None
