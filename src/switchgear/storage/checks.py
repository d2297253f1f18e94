"""What an adapter refuses before it looks at anything: names no store can hold, limits without a bound.

Both adapters call these, so that a caller meets the same refusals on each. Nothing here reads a store.
"""

from __future__ import annotations

import re
from operator import attrgetter

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid
from switchgear.storage.abilities import Append, Count, Write

LIMIT_MAX = 10_000
"""Most entries or rows that one read returns."""

EVENTS_MAX = 1_000
"""Most events, most rows, and most counts of one append."""

COUNTER_MAX = 2**63 - 1
"""Most that a counter, an amount or a limit may be; the least is its negative."""

BYTES_MAX = 4 * 1024 * 1024
"""Most bytes of one body, one payload, or one row's value."""

_PLACE = attrgetter("space", "key")
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_append(append: Append) -> None:
    """Refuse an append that no store could commit as it was meant.

    Raises `Invalid` when a name holds NUL or a lone surrogate, when two writes name one row or two counts one counter,
    when a count or sequence is out of range, or when there are more than 1,000 events, rows, conditions, counts or
    erasures; with PAYLOAD_TOO_LARGE when a body, payload or value is above 4 MiB.
    """
    events, writes, expects = append.events, append.writes, append.expects
    names = [append.id, append.tenant]  # and all others, looked through at once
    keys: dict[str, None] = {}
    if len(events) > EVENTS_MAX or len(writes) > EVENTS_MAX or len(expects) > EVENTS_MAX:
        raise _too_many()
    for event in events:
        payload = event.payload
        if len(event.body) > BYTES_MAX or (payload and len(payload) > BYTES_MAX):
            raise _too_large()
        names.append(event.stream)
    for write in writes:
        if len(write.value) > BYTES_MAX:
            raise _too_large()
        keys[write.key] = None
        names.append(write.space)
        names.append(write.facet)
    for expect in expects:
        names.append(expect.space)
        names.append(expect.tenant)
        names.append(expect.key)
    names += keys
    if len(keys) < len(writes):  # the same key may stand in two spaces
        _check_places(writes)
    if append.counts or append.erases or append.cut:
        names += _checked_rest(append)
    text = "".join(names)
    if "\0" in text or not text.isascii():
        _check_text(text)


def _check_places(writes: tuple[Write, ...]) -> None:
    if len(set(map(_PLACE, writes))) < len(writes):
        raise Invalid("an append writes each row once; keep the last write of each")


def _checked_rest(append: Append) -> list[str]:
    """Check what few appends have, and return the names in it."""
    counts, erases = append.counts, append.erases
    if len(counts) > EVENTS_MAX or len(erases) > EVENTS_MAX:
        raise _too_many()
    _check_counts(counts)
    _check_removals(append)
    return [*(name for count in counts for name in (count.space, count.key)), *(erase.stream for erase in erases)]


def _too_many() -> Invalid:
    return Invalid(f"an append has at most {EVENTS_MAX} events, rows, conditions, counts and erasures; split it")


def _too_large() -> Invalid:
    return Invalid(f"a body, payload or value has at most {BYTES_MAX} bytes", code=Code.PAYLOAD_TOO_LARGE)


def _check_counts(counts: tuple[Count, ...]) -> None:
    if len(set(map(_PLACE, counts))) < len(counts):
        raise Invalid("an append names each counter once; add the amounts up")
    for count in counts:
        if max(abs(count.amount), abs(count.limit or 0)) > COUNTER_MAX:
            raise Invalid(f"amounts and limits of counters lie within ±(2**63 - 1), not {count.amount}, {count.limit}")


def _check_removals(append: Append) -> None:
    if not all(0 <= seq <= COUNTER_MAX for seq in (append.cut, *(erase.through for erase in append.erases))):
        raise Invalid("what is removed ends at a sequence of 0 to 2**63 - 1")


def check_names(*names: str) -> None:
    """Raise `Invalid` when a name holds NUL or a lone surrogate, which no text column can carry."""
    _check_text("".join(names))


def _check_text(text: str) -> None:
    if "\0" in text or not (text.isascii() or _SURROGATE.search(text) is None):
        raise Invalid("a name in a store cannot hold NUL or a lone surrogate")


def check_limit(limit: int) -> None:
    """Raise `Invalid` unless `limit` is 1 to 10,000."""
    if not 1 <= limit <= LIMIT_MAX:
        raise Invalid(f"limit must be 1 to {LIMIT_MAX}, not {limit!r}; read page by page")
