"""Reads the accepted contracts at start, records new tools, and takes the word of whoever accepts a change."""

from __future__ import annotations

import logging

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.gates.contracts.book import UNREADABLE, Accepted, ContractBook, decoded
from switchgear.ledger.appending import append_surely
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Committed, Store, Write

_log = logging.getLogger("switchgear.contracts")

SPACE = "tool"
STREAM_PREFIX = "tool:"
REGISTERED, CHANGED, ACCEPTED = "tool.registered", "tool.changed", "tool.accepted"
RECORD_EVERY = 1.0
"""Seconds between two looks for tools that were registered and are not on record."""
_FACET = "accepted"
_PAGE = 1000
_ENGINE = Scope(PLATFORM_TENANT, "platform", "switchgear")


class ContractKeeper:
    """Keeps a book true to the store. One per engine."""

    def __init__(self, book: ContractBook, store: Store, *, clock: Clock, ids: IdSource, encoder: EventEncoder) -> None:
        """Read and write in `store`."""
        self.book = book
        self._store = store
        self._clock = clock
        self._ids = ids
        self._encoder = encoder
        self._versions: dict[str, int] = {}

    async def load(self) -> None:
        """Read what was accepted. A row that cannot be read stops its own tool: it is taken for another contract."""
        after: tuple[str, str] | None = None
        while rows := await self._store.scan(SPACE, (_FACET,), after=after, limit=_PAGE):
            for row in rows:
                self._versions[row.key] = row.version
                try:
                    self.book.accepted[row.key] = decoded(row.key, row.value)
                except StoreError as error:
                    _log.error("%s; nothing of it leaves until it is accepted again", error)
                    self.book.accepted[row.key] = UNREADABLE
            after = (rows[-1].tenant, rows[-1].key)

    async def run(self) -> None:
        """Record what was registered, for ever."""
        while True:
            await self._clock.sleep_async(RECORD_EVERY)
            await self.record()

    async def record(self) -> None:
        """Record new tools and new versions. What cannot be recorded now is recorded the next time."""
        for name, found in self.book.unrecorded().items():
            kind = CHANGED if name in self.book.accepted else REGISTERED
            try:
                await self._written(name, found, kind, _ENGINE)
            except (StoreError, Conflict) as error:
                if name in self.book.unrecorded():  # else it was on record: a stop had cut off who wrote it
                    _log.warning("the contract of %s is recorded later: %s", name, error)

    async def accept(self, name: str, contract: str, *, actor: str) -> Accepted:
        """Accept the present contract of a tool, also for the open intents of its earlier ones.

        `contract` is the one that was looked at. Raises `Denied` (NOT_FOUND) when there is no such tool, `Conflict`
        (TOOL_CHANGED) when it is not the present one, `StoreError` when nothing could be recorded.
        """
        now = self.book.present.get(name)
        if now is None:
            raise Denied(f"there is no tool {name[:100]!r}", code=Code.NOT_FOUND, policy="registry")
        if now.contract != contract:
            raise Conflict(
                f"{name} is at contract {now.contract[:12]}; look at that one and accept it",
                code=Code.TOOL_CHANGED,
                policy="contract",
            )
        found = self.book.succession(name, followed=True)
        await self._written(name, found, ACCEPTED, Scope(PLATFORM_TENANT, "platform", actor))
        return found

    async def _written(self, name: str, found: Accepted, kind: str, scope: Scope) -> None:
        before, version = self.book.accepted.get(name), self._versions.get(name, 0)
        facts = {
            "contract": found.contract,
            "version": found.version,
            "before": before.contract if before is not None else None,
            "followed": found.followed,
            **({"parts": found.parts} if found.parts else {}),
        }
        stream = f"{STREAM_PREFIX}{name}"
        event = self._encoder.encode(kind, stream=stream, scope=scope, at=self._clock.time(), facts=facts)
        write = Write(SPACE, name, version, msgspec.json.encode(found), _FACET)
        append = Append(self._ids.next("apd"), PLATFORM_TENANT, (event,), (write,))
        outcome = await append_surely(self._store, append)
        if not isinstance(outcome, Committed):
            await self.load()
            raise Conflict("another engine has accepted a contract of this tool; look again", retry_after=1.0)
        self.book.accepted[name], self._versions[name] = found, version + 1
