"""Every replay that starts has exactly one end, wherever the engine dies, and no replay makes a second effect."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected, StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.engine import Engine
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.refold import Refold
from switchgear.execution.replay import Mode, ReplayRequest
from switchgear.ledger.chain import seal
from switchgear.ledger.events import Recorded, read
from switchgear.storage.abilities import Append, Appended, Store
from switchgear.storage.opening import open_store
from tests.effort import examples
from tests.unit.execution.rig import Flaky, Rig, Script, engine_on

NO = Refused(Code.TOOL_FAILED, "no", retryable=False, verdict=Verdict.SUCCESS)
LOST = Uncertain(Code.DEPENDENCY_FAILED, "silence")
APPENDS_MAX = 30
ANSWERS: tuple[Result, ...] = (NO, LOST, Succeeded("done"))
COURSES: tuple[tuple[Result, ...], ...] = ((NO, NO), (NO, LOST), (NO,), (LOST,), (Succeeded("done"),))


class Mortal:
    """A store that an engine dies at: append number `dies_at` never returns; `lands` says whether it is on record."""

    def __init__(self, store: Store, dies_at: int, *, lands: bool) -> None:
        """Count from the next append, which is number 1."""
        self._store = store
        self._left = dies_at
        self._lands = lands
        self.dead = asyncio.Event()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        """Everything else is the store's own."""
        return getattr(self._store, name)

    async def append(self, append: Append) -> Appended:
        """Append, or die. That an engine is there is no event: it is on record before anything is counted."""
        if not append.events and not self.dead.is_set():
            return await self._store.append(append)
        self._left -= 1
        if self._left < 0 or (self._left == 0 and not self._lands):
            return await self._die()
        outcome = await self._store.append(append)
        return await self._die() if self._left == 0 else outcome

    async def _die(self) -> Appended:
        self.dead.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class Life:
    """An engine that dies once during a replay, and its successor on the same store."""

    def __init__(self, effect: Effect, mode: Mode, answers: Sequence[Result]) -> None:
        """The first answer is for the first execution."""
        self.tool = Tool(name="crm.order", effect=effect, requires=("crm",), attempts=1)
        self.mode = mode
        self.answers = list(answers)
        self.clock = VirtualClock()
        self.effects: Counter[str] = Counter()

    async def execute(self, call: Call) -> Result:
        """Answer the next of the script; count effects by what the remote sees. A keyed one honours the key."""
        answer = self.answers.pop(0) if self.answers else Succeeded("done")
        known = self.tool.effect is Effect.KEYED and call.idempotency_key in self.effects
        if isinstance(answer, Succeeded) and self.tool.effect.writes and not known:
            self.effects[call.idempotency_key] += 1
        return answer

    async def close(self) -> None:
        """Nothing to release."""

    async def run(self, dies_at: int, *, lands: bool) -> bool:
        """Live once; die in a replay at append `dies_at`; live on. Return whether the first engine died."""
        inner = await open_store("memory://", seal=seal, clock=self.clock)
        self.store = inner
        engine = await self.begin(inner)
        rig = Rig(engine, cast("Flaky", inner), self.clock, Script(), {})
        self.intent_id = (await rig.settled(await rig.submit("crm.order"))).id
        await self.end()
        mortal = Mortal(inner, dies_at, lands=lands)
        engine = await self.begin(cast("Store", mortal))
        await self.ask(engine)
        died = mortal.dead.is_set()
        await self.end()
        engine = await self.begin(inner)
        await self.clock.elapse(100.0, turns=5)
        await self.judge()
        await self.ask(engine)
        await self.judge()
        await self.end()
        await inner.close()
        return died

    async def begin(self, store: Store) -> Engine:
        """Start an engine on what is there."""
        engine = engine_on(cast("Flaky", store), self.clock, guards={})
        engine.registry.register(self.tool, self)
        recovering = asyncio.ensure_future(engine.recover())
        await self.clock.elapse(1.0, turns=5)
        assert recovering.done()
        engine.start()
        return engine

    async def ask(self, engine: Engine) -> None:
        """Ask for a replay and let time pass, whatever comes of it."""
        request = ReplayRequest(mode=self.mode, reason="drill", by="person:ann", trace="t")

        async def replay() -> None:
            intent = await engine.intent("acme", self.intent_id)
            await engine.replays.replay(intent, request)

        asking = asyncio.ensure_future(replay())
        await self.clock.elapse(100.0, turns=10)
        if asking.done() and (error := asking.exception()) is not None:
            assert isinstance(error, Rejected | StoreError), error

    async def end(self) -> None:
        """End every task but this one on the spot."""
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def judge(self) -> None:
        """Check the oracle: one end for each start, no effect twice, the row is what the events say."""
        events = [read(entry) for entry in await self.store.stream("acme", self.intent_id)]
        row = await self.store.get(INTENTS, "acme", self.intent_id)
        assert row is not None
        intent = intent_of(row)
        assert not intent.replaying, f"a replay is still open, and the intent is {intent.state}"
        assert_paired(events)
        assert max(self.effects.values(), default=0) <= 1, "a second effect under one key"
        assert sum(self.effects.values()) <= 1, "executed anew although it had succeeded"
        report = await Refold(self.store).intents("acme")
        assert report.problems == ()


def assert_paired(events: Sequence[Recorded]) -> None:
    """Check that each request is followed by its start, and each start by one end before the next."""
    words = [event.type for event in events if event.type.startswith("REPLAY_")]
    for position in range(0, len(words), 3):
        asked, started, end = words[position : position + 3]
        assert (asked, started) == ("REPLAY_REQUESTED", "REPLAY_STARTED")
        assert end in ("REPLAY_COMPLETED", "REPLAY_FAILED")


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("effect", [Effect.KEYED, Effect.OPAQUE])
async def test_every_start_has_one_end_whichever_append_the_engine_dies_at(effect: Effect, mode: Mode) -> None:
    """SEMANTICS §8: exactly one of completed and failed, with a crash before and after each append in turn."""
    deaths = 0
    for answers in COURSES:
        for lands in (False, True):
            for dies_at in range(1, APPENDS_MAX):
                died = await Life(effect, mode, answers).run(dies_at, lands=lands)
                deaths += died
                if not died:
                    break
            else:
                raise AssertionError(f"a replay takes more than {APPENDS_MAX} appends")
    assert deaths > 5


@settings(max_examples=examples(40), deadline=None)
@given(
    effect=st.sampled_from(list(Effect)),
    mode=st.sampled_from(list(Mode)),
    answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=4),
    dies_at=st.integers(1, 12),
    lands=st.booleans(),
)
def test_every_start_has_one_end(effect: Effect, mode: Mode, answers: list[Result], dies_at: int, lands: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
    """The same for every effect class and any course of answers."""
    asyncio.run(_live(Life(effect, mode, answers), dies_at, lands=lands))


async def _live(life: Life, dies_at: int, *, lands: bool) -> None:
    await life.run(dies_at, lands=lands)
