"""What the scenes of the store suites are made of: a seal, appends with plain defaults, and checks of answers.

Nothing here is a rule; the rules are in `storage` and `storage_counters`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from switchgear.core.errors import Invalid
from switchgear.storage.abilities import GENESIS, Append, Appended, Count, Entry, Event, Expect, Seal, Store, Write


class Opens(Protocol):
    """A suite that says how to open the store under test."""

    async def open(self, seal: Seal) -> Store:
        """Open the store under test: empty at first, the same one again within one test."""


Suite = TypeVar("Suite", bound=Opens)


def suite_seal(prev: bytes, seq: int, body: bytes) -> bytes:
    """Chain entries for the suite; any function of the three parts would do."""
    return sha256(b"%b|%d|%b" % (prev, seq, body)).digest()


def scenario(
    check: Callable[[Suite, Store], Awaitable[None]],
) -> Callable[[Suite], None]:
    """Turn a check of an open store into a test method that opens one, runs the check, and closes it."""

    def test(self: Suite) -> None:
        async def run() -> None:
            store = await self.open(suite_seal)
            try:
                await check(self, store)
            finally:
                await store.close()

        asyncio.run(run())

    test.__name__, test.__qualname__, test.__doc__ = check.__name__, check.__qualname__, check.__doc__
    return test


def append(
    number: int,
    *,
    tenant: str = "acme",
    stream: str = "s",
    events: int = 1,
    writes: tuple[Write, ...] = (),
    expects: tuple[Expect, ...] = (),
    counts: tuple[Count, ...] = (),
) -> Append:
    """Return the append ``a-<number>`` with `events` numbered events in one stream."""
    bodies = (Event(stream, b'{"append":%d,"event":%d}' % (number, index)) for index in range(events))
    return Append(f"a-{number}", tenant, tuple(bodies), writes, expects, counts)


def write(key: str, expected: int, value: bytes = b"v", *, facet: str = "", space: str = "space") -> Write:
    """Return a write with plain defaults."""
    return Write(space, key, expected, value, facet)


def count(amount: int, limit: int | None = None, key: str = "used") -> Count:
    """Return a count with plain defaults."""
    return Count("space", key, amount, limit)


async def counter_keys(store: Store, **filters: Any) -> list[str]:  # those of `Rows.counters`
    """Return the keys of the counters that are listed, in order."""
    return [one.key for one in await store.counters("space", "acme", **filters)]


def kind(fate: Appended) -> str:
    """Return the name of what became of an append."""
    return type(fate).__name__


async def keys(rows: Awaitable[object]) -> list[str]:
    """Return the keys of the rows, in order."""
    found = await rows
    assert isinstance(found, list)
    return [row.key for row in found]


async def fill(store: Store) -> None:
    """Write rows k0 to k9 for two tenants, by facet odd and even."""
    for number in range(20):
        row = write(f"k{number // 2}", 0, facet="odd" if number // 2 % 2 else "even")
        await store.append(append(number, tenant=f"t{number % 2}", writes=(row,)))


async def assert_invalid(refused: Awaitable[object]) -> None:
    """Check that the call is refused as the caller's mistake."""
    try:
        await refused
    except Invalid:
        return
    raise AssertionError("an adapter took what no store can hold")


def assert_chained(entries: object) -> None:
    """Check every link from the genesis on."""
    assert isinstance(entries, list)
    prev = GENESIS
    for seq, entry in enumerate(entries, start=1):
        assert isinstance(entry, Entry)
        assert (entry.seq, entry.prev) == (seq, prev)
        assert entry.hash == suite_seal(prev, seq, entry.body)
        prev = entry.hash
