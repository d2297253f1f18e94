"""A key-value bucket under the guard: get, put, compare-and-set, delete, watch.

A put sets a value and may be repeated. A create, update or delete of a known revision may not: after a timeout read
the key, since your own write may be what made the revision grow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from switchgear.adapters.gate import missing
from switchgear.adapters.nats.link import Link
from switchgear.core.effects import Effect

try:
    from nats.errors import ConnectionClosedError
    from nats.errors import Error as NatsError
    from nats.js.api import KeyValueConfig
    from nats.js.errors import BadRequestError, BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError
    from nats.js.kv import KeyValue
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error


_LOG = logging.getLogger("switchgear.adapters.nats")


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision of a key. `value` is empty for a deletion."""

    key: str
    value: bytes
    revision: int
    operation: Literal["put", "delete"] = "put"


_WRONG_REVISION = frozenset({10071, 10164})  # codes of JetStream; a replica may use the second


class Bucket:
    """One bucket. Made by `GuardedNats.bucket`."""

    def __init__(self, link: Link, name: str) -> None:
        """Use the bucket called `name`."""
        self.name = name
        self._link = link

    async def get(self, key: str) -> Entry | None:
        """Return the latest revision of `key`, or None when there is none or it was deleted.

        Raises `DeadlineExceeded` with `TIMEOUT_KV_GET`.
        """

        async def work() -> Entry | None:
            try:
                found = await (await self._open()).get(key)
            except KeyNotFoundError:
                return None
            return Entry(key, found.value or b"", found.revision or 0)

        return await self._link.run("kv.get", work, effect=Effect.READ_ONLY)

    async def put(self, key: str, value: bytes) -> int:
        """Set `key` whatever it is now. Return the revision. Raises `DeadlineExceeded` with `TIMEOUT_KV_PUT`."""

        async def work() -> int:
            return await (await self._open()).put(key, value)

        return await self._link.run("kv.put", work, effect=Effect.NATURAL)

    async def create(self, key: str, value: bytes) -> int:
        """Set `key` if it is not there. Return the revision.

        Raises `KeyWrongLastSequenceError` of the client when it is, `DeadlineExceeded` with `TIMEOUT_KV_PUT`.
        """

        async def work() -> int:
            return await (await self._open()).create(key, value)

        return await self._link.run("kv.put", work, effect=Effect.OPAQUE)

    async def update(self, key: str, value: bytes, *, revision: int) -> int:
        """Set `key` if `revision` is still its latest (compare-and-set). Return the new revision.

        Raises `KeyWrongLastSequenceError` of the client when it is not, `DeadlineExceeded` with `TIMEOUT_KV_PUT`.
        """

        async def work() -> int:
            return await (await self._open()).update(key, value, last=revision)

        return await self._link.run("kv.put", work, effect=Effect.OPAQUE)

    async def delete(self, key: str, *, revision: int | None = None) -> None:
        """Delete `key`, only at `revision` when that is given. Raises as `update` does."""

        async def work() -> None:
            try:
                await (await self._open()).delete(key, last=revision)
            except BadRequestError as error:
                if error.err_code not in _WRONG_REVISION:
                    raise
                raise KeyWrongLastSequenceError(error.description) from error

        await self._link.run("kv.put", work, effect=Effect.NATURAL if revision is None else Effect.OPAQUE)

    async def watch(self, keys: str = ">") -> Watch:
        """Return a watch of all keys that match `keys`. Raises `DeadlineExceeded` with `TIMEOUT_SUBSCRIBE`."""

        async def work() -> Watch:
            return Watch(self._link, await (await self._open()).watch(keys))

        return await self._link.run("subscribe", work, effect=Effect.NATURAL)

    async def ensure(self, wanted: KeyValueConfig) -> None:
        """Make the bucket when it is missing. Doing it again changes nothing."""
        await self._link.run("stream.ensure", lambda: self._ensure(wanted), effect=Effect.NATURAL)

    async def _ensure(self, wanted: KeyValueConfig) -> None:
        try:
            await self._link.streams.key_value(self.name)
        except BucketNotFoundError:
            try:
                await self._link.streams.create_key_value(wanted)
            except BadRequestError:
                await self._link.streams.key_value(self.name)  # somebody else made it in between

    async def _open(self) -> KeyValue:
        """Return the client's bucket without asking the server for it again."""
        return KeyValue(
            name=self.name, stream=f"KV_{self.name}", pre=f"$KV.{self.name}.", js=self._link.streams, direct=False
        )


class Watch:
    """The changes of some keys: first what is there now, then each change as it comes.

    ``async for entry in watch`` ends when the watch is closed, and raises the client's ``ConnectionClosedError`` when
    the connection is. `is_current` is True once everything that was there has been given. After a lost connection the
    client goes on from where it was, up to half a minute after it is back.
    The queue behind it holds 256 entries; a reader that is slower slows its own watch.
    """

    def __init__(self, link: Link, watcher: KeyValue.KeyWatcher) -> None:
        """Read from the client's watcher."""
        self.is_current = False
        self._link = link
        self._watcher: Any = watcher  # the client gives its methods no types

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def __aiter__(self) -> AsyncIterator[Entry]:
        """Give entries until closed."""
        closed = asyncio.ensure_future(self._link.closed.wait())
        try:
            while isinstance(found := await self._next(closed), KeyValue.Entry | None):
                if found is None:
                    self.is_current = True
                else:
                    yield _entry(found)
        finally:
            closed.cancel()

    async def present(self) -> dict[str, Entry]:
        """Return what is there now, deletions left out. Call it first; iterating then gives the changes.

        Raises `DeadlineExceeded` with `TIMEOUT_SUBSCRIBE`.
        """
        return await self._link.run("subscribe", self._present, effect=Effect.OPAQUE)

    async def _next(self, closed: asyncio.Future[Literal[True]]) -> object:
        """Return what comes next: an entry, None after the last that was there, anything else at the end."""
        coming = asyncio.ensure_future(self._watcher.updates(timeout=None))
        try:
            await asyncio.wait([coming, closed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not coming.done():
                coming.cancel()
        if coming.done() and not coming.cancelled():
            return coming.result()
        raise ConnectionClosedError

    async def _present(self) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not self.is_current:
            found = await self._watcher.updates(timeout=None)
            if isinstance(found, KeyValue.Entry):
                entries[found.key] = _entry(found)
            else:
                self.is_current = True
        return {key: entry for key, entry in entries.items() if entry.operation == "put"}

    async def close(self) -> None:
        """End the watch, and the iteration over it. Closing it again, or after the connection, does nothing."""
        try:
            await self._watcher.stop()
        except NatsError as error:
            _LOG.debug("a watch of %s ended without the server: %s", self._link.dependency, error)


def _entry(found: KeyValue.Entry) -> Entry:
    deleted = found.operation is not None
    return Entry(found.key, b"" if deleted else found.value or b"", found.revision or 0, "delete" if deleted else "put")
