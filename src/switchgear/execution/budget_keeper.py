"""Keeps the book of budgets current, and raises their alarms: once a period at the soft share, once when it is spent.

An alarm is an entry in the tenant's chain. The row written with it makes sure that there is one, over crashes and over
several engines. Nothing is refused here, and no counter is changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from switchgear.core.clock import Clock
from switchgear.core.errors import StoreError, SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.gates.budget import Budget, Budgets
from switchgear.gates.budget_book import BudgetBook
from switchgear.gates.budget_names import COSTS, USED, Period, counter_name
from switchgear.ledger.appending import append_record
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.values import read_value
from switchgear.storage.abilities import Append, Committed, Conflicted, Count, Exceeded, Row, Store, Write

_log = logging.getLogger("switchgear.budgets")

ALARMS = "budget"
"""The space of the rows that say which alarms were raised, by the key of the counter."""
TEND_EVERY = 1.0
"""Seconds between two looks at what has to be read or told."""
READ_AGAIN_AFTER = 5.0
"""Seconds after a refusal until the counters of that tenant are read again: another engine may have given back."""

_PAGE = 1000
_AT_ONCE = 64
_TRIES = 3
_SOFT, _EXHAUSTED = 1, 2
_TYPES = {_SOFT: "budget.soft_limit", _EXHAUSTED: "budget.exhausted"}

_Place = tuple[str, str]


class _Raised(msgspec.Struct, frozen=True):
    """How far the alarms of one counter have gone: 1 is the soft share, 2 that it is spent."""

    level: int


class BudgetKeeper:
    """One per engine, told by its recorder what was counted."""

    def __init__(
        self,
        budgets: Budgets,
        book: BudgetBook,
        *,
        store: Store,
        clock: Clock,
        ids: IdSource,
        encoder: EventEncoder,
    ) -> None:
        """Keep `book` for `budgets`; nothing is read yet."""
        self.budgets = budgets
        self._book = book
        self._store = store
        self._clock = clock
        self._ids = ids
        self._encoder = encoder
        self._due: dict[_Place, int] = {}
        self._told: dict[_Place, int] = {}
        self._suspects: dict[str, float] = {}
        self._periods: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def now(self) -> float:
        """Return the present time, in seconds since the epoch: the one that periods go by."""
        return self._clock.time()

    async def load(self) -> None:
        """Read the counters of every tenant. Called once, before the engine recovers. Raises `StoreError`."""
        if not self.budgets.all:
            return
        tenants = await self._store.tenants()
        for start in range(0, len(tenants), _AT_ONCE):
            await asyncio.gather(*(self._read(tenant) for tenant in tenants[start : start + _AT_ONCE]))
        self._book.complete()

    def start(self) -> None:
        """Begin to tend, where there are budgets."""
        if self.budgets.all:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End, and raise what alarms are due."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._tend_if_possible()

    def counted(self, tenant: str, counts: Sequence[Count], seq: int) -> None:
        """Take into the book what was committed in the append that ends at `seq` of the tenant's chain."""
        for count in counts:
            if count.space != USED or count.key.startswith(f"{COSTS}/"):
                continue
            used = self._book.count(tenant, count.key, count.amount, seq)
            if used is not None and count.amount > 0:
                self._look(tenant, count.key, used)

    def exceeded(self, exceeded: Exceeded) -> None:
        """Remember that a counter in the store had no room."""
        if exceeded.space == USED:
            self._book.full(exceeded.tenant, exceeded.key, exceeded.limit - exceeded.found)

    def lost(self, tenant: str) -> None:
        """Have the counters of a tenant read again."""
        self._book.unheard(tenant)

    async def record_reading(self, actor: str, facts: Mapping[str, Any]) -> None:
        """Record in the platform's chain that `actor` has read across tenants. Raises `StoreError`."""
        scope, now = Scope(PLATFORM_TENANT, "platform", actor), self._clock.time()
        event = self._encoder.encode("platform.budgets_read", stream="budgets", scope=scope, at=now, facts=facts)
        problem = "the ledger did not acknowledge that budgets of every tenant are read"
        await append_record(self._store, Append(self._ids.next("apd"), PLATFORM_TENANT, (event,)), problem)

    async def tend(self) -> None:
        """Read what has to be read, and raise the alarms that are due. Raises `StoreError`; the rest waits."""
        self._turn()
        self._suspect()
        for tenant in self._book.take_unheard():
            await self._read_or_note(tenant)
        for place, level in list(self._due.items()):
            await self._alarm(place, level)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep_async(TEND_EVERY)
            await self._tend_if_possible()

    async def _tend_if_possible(self) -> None:
        try:
            await self.tend()
        except SwitchgearError as error:  # the store is away; what is due is still due the next time
            _log.warning("budgets wait for the ledger: %s", error)

    def _turn(self) -> None:
        """Forget the periods that have ended."""
        now = self._clock.time()
        periods = frozenset(period.label(now) for period in Period)
        if periods != self._periods:
            self._periods = periods
            self._book.keep(periods)
            for place in [place for place in self._told if counter_name(place[1]).period not in periods]:
                del self._told[place]

    def _suspect(self) -> None:
        """Note what was refused: it is worth an alarm, and soon another look at the counters."""
        now = self._clock.monotonic()
        for tenant, key in self._book.take_refused():
            self._note(tenant, key, _EXHAUSTED)
            self._suspects.setdefault(tenant, now + READ_AGAIN_AFTER)
        for tenant in [tenant for tenant, at in self._suspects.items() if at <= now]:
            del self._suspects[tenant]
            self._book.unheard(tenant)

    async def _read_or_note(self, tenant: str) -> None:
        try:
            await self._read(tenant)
        except StoreError:
            self._book.unheard(tenant)
            raise

    async def _read(self, tenant: str) -> None:
        """Take what the store has counted in the present periods of a tenant's budgets."""
        for left in reversed(range(_TRIES)):
            self._book.begin(tenant, (await self._store.head(tenant)).seq)
            used = await self._used(tenant)
            if self._book.learn(tenant, used, (await self._store.head(tenant)).seq, anyway=not left):
                for key, units in used.items():
                    self._look(tenant, key, units)
                return

    async def _used(self, tenant: str) -> dict[str, int]:
        now = self._clock.time()
        found: dict[str, int] = {}
        for budget in self.budgets.of(tenant):
            found |= await self._counters(tenant, f"{budget.name}/{budget.period.label(now)}")
        return found

    async def _counters(self, tenant: str, prefix: str) -> dict[str, int]:
        found: dict[str, int] = {}
        after: str | None = None
        while rows := await self._store.counters(USED, tenant, prefix=prefix, after=after, limit=_PAGE):
            after = rows[-1].key
            found |= {row.key: row.value for row in rows if row.key[len(prefix) :][:1] in ("", "/")}
        return found

    def _look(self, tenant: str, key: str, used: int) -> None:
        """Note the alarm that `used` units of a counter are worth."""
        budget = self.budgets.named(tenant, key.partition("/")[0])
        if budget is None or not budget.soft_reached(used):
            return
        self._note(tenant, key, _EXHAUSTED if budget.room(used) == 0 else _SOFT)

    def _note(self, tenant: str, key: str, level: int) -> None:
        place = (tenant, key)
        if level > self._told.get(place, 0) and level > self._due.get(place, 0):
            self._due[place] = level

    async def _alarm(self, place: _Place, level: int) -> None:
        """Record what has not been recorded of the alarms of one counter, up to `level`."""
        tenant, key = place
        budget = self.budgets.named(tenant, counter_name(key).budget)
        row = await self._store.get(ALARMS, tenant, key)
        before = 0 if row is None else _raised(row)
        if budget is not None and before < level:
            append = self._append(place, budget, range(before + 1, level + 1), 0 if row is None else row.version)
            outcome = await self._store.append(append)
            if isinstance(outcome, Conflicted):
                return  # somebody else raises them; looked at again the next time
            if not isinstance(outcome, Committed):
                raise StoreError(f"the alarm of budget {key} was not acknowledged")
            _log.warning("budget %s of tenant %s: %s", key, tenant, _TYPES[level].partition(".")[2])
        self._told[place] = level
        if self._due.get(place) == level:
            del self._due[place]

    def _append(self, place: _Place, budget: Budget, levels: range, version: int) -> Append:
        tenant, key = place
        name = counter_name(key)
        facts = {
            "budget": name.budget,
            "key": key,
            "period": name.period,
            "used": self._book.used(tenant, key),
            "limit": budget.limit,
            "soft": budget.soft,
        }
        scope = Scope(tenant, name.account or "budgets", "switchgear")
        now = self._clock.time()
        events = tuple(
            self._encoder.encode(_TYPES[level], stream=f"budget:{key}", scope=scope, at=now, facts=facts)
            for level in levels
        )
        raised = msgspec.json.encode(_Raised(levels[-1]))
        return Append(self._ids.next("apd"), tenant, events, (Write(ALARMS, key, version, raised),))


_decode = msgspec.json.Decoder(_Raised).decode


def _raised(row: Row) -> int:
    """Return how far alarms have gone. Where nobody can tell, none was raised: one too many is better than none."""
    try:
        return read_value(_decode, row.value, "the alarms of budget {}", row.key).level
    except StoreError as error:
        _log.error("tenant %s: %s; they are raised again", row.tenant, error)
        return 0
