"""The store for simulations: fates of appends, what a crash loses, order, and refusals."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import OptionError, StoreError
from switchgear.storage.abilities import Append, Appended, Committed, Conflicted, Count, Exceeded, Unknown
from switchgear.storage.checks import COUNTER_MAX
from switchgear.testing import Fate, FaultyStore, SimulatedClock, StoreFaults, run_simulated
from switchgear.testing.storage_scenes import append, assert_chained, assert_invalid, count, suite_seal, write
from tests.effort import examples
from tests.turns import turns


def store_of(clock: VirtualClock, *plan: Fate, **faults: float) -> FaultyStore:
    """Return a store whose appends are in flight for a second, and meet the fates of `plan`."""
    store = FaultyStore(suite_seal, clock=clock, faults=StoreFaults(sync_seconds=(1.0, 1.0), **faults))  # type: ignore[arg-type] # chances only
    store.plan = list(plan)
    return store


async def sent(store: FaultyStore, *appends: Append) -> list[asyncio.Future[Appended]]:
    """Hand in appends one after the other, without waiting for their answers."""
    tasks = [asyncio.ensure_future(store.append(one)) for one in appends]
    await turns()
    return list(tasks)


async def test_an_append_in_flight_is_not_read() -> None:
    """What is not synced yet is read by nobody; once it has landed it is acknowledged and read."""
    clock = VirtualClock()
    store = store_of(clock)
    (first,) = await sent(store, append(0))
    await clock.elapse(0.5)
    assert (store.in_flight, await store.entries("acme")) == (("a-0",), [])
    await clock.elapse(0.5)
    assert await first == Committed(1)
    assert (store.in_flight, len(await store.entries("acme"))) == ((), 1)


async def test_appends_land_in_order_however_slow_one_is() -> None:
    """The writer is serial: an append behind a slow one lands after it, and sees it."""
    clock = VirtualClock()
    store = store_of(clock, Fate.SLOW)
    slow, quick = await sent(store, append(0, writes=(write("k", 0),)), append(1, writes=(write("k", 1),)))
    await clock.elapse(1.0)
    assert not quick.done()
    await clock.elapse(5.0)
    assert (await slow, await quick) == (Committed(1), Committed(2))


@pytest.mark.parametrize("seed", range(10))
def test_an_append_lands_although_its_timer_fires_too_soon(seed: int) -> None:
    """What is in flight never stays there because the clock has not quite come to its moment."""
    clock = SimulatedClock(creep=5e-05, early=0.0015, random=Random(seed))

    async def main() -> list[Appended]:
        store = store_of(clock)
        answers = await sent(store, append(0), append(1))
        await clock.sleep_async(1.1)
        return [one.result() for one in answers]

    assert run_simulated(main(), clock=clock) == [Committed(1), Committed(2)]


async def test_an_overdue_append_is_unknown_and_lands_later() -> None:
    """The hardest case for a caller: not there when it is looked up, and there afterwards."""
    clock = VirtualClock()
    store = store_of(clock, Fate.OVERDUE)
    (late,) = await sent(store, append(0))
    await clock.elapse(10.0)
    assert await late == Unknown("a-0", "not acknowledged within 10 s")
    assert await store.appended("acme", "s", "a-0") is None
    await clock.elapse(6.0)
    assert await store.appended("acme", "s", "a-0") == Committed(1)


@pytest.mark.parametrize(("fate", "there"), [(Fate.LOST, False), (Fate.UNACKNOWLEDGED, True)])
@pytest.mark.parametrize("flight", [0.0, 1.0])
async def test_a_lost_answer_says_nothing(fate: Fate, there: bool, flight: float) -> None:  # noqa: FBT001 - parametrised
    """Of an append whose answer is lost only looking it up tells whether it is durable."""
    clock = VirtualClock()
    store = FaultyStore(suite_seal, clock=clock, faults=StoreFaults(sync_seconds=(flight, flight)))
    store.plan = [fate]
    (unheard,) = await sent(store, append(0))
    await clock.elapse(1.0)
    assert isinstance(await unheard, Unknown)
    assert (await store.appended("acme", "s", "a-0") is not None) is there


async def test_a_conflict_is_told_although_acknowledgements_are_lost() -> None:
    """A repeat of an append whose acknowledgement was lost conflicts, which tells that the first one landed."""
    store = FaultyStore(suite_seal, clock=VirtualClock())
    store.plan = [Fate.UNACKNOWLEDGED, Fate.UNACKNOWLEDGED]
    again = append(0, writes=(write("k", 0),))
    assert isinstance(await store.append(again), Unknown)
    assert await store.append(again) == Conflicted("space", "acme", "k", 0, 1)


@pytest.mark.parametrize(
    ("fate", "code"),
    [
        (Fate.DISK_FULL, Code.LEDGER_UNAVAILABLE),
        (Fate.READ_ONLY, Code.LEDGER_UNAVAILABLE),
        (Fate.QUEUE_FULL, Code.QUEUE_FULL),
    ],
)
async def test_a_refused_append_was_not_written(fate: Fate, code: Code) -> None:
    """A refusal has its code, and the append is nowhere; while it lasts the check fails too."""
    store = FaultyStore(suite_seal, clock=VirtualClock())
    store.plan = [fate]
    with pytest.raises(StoreError) as refused:
        await store.append(append(0))
    assert refused.value.code is code
    assert await store.append(append(1)) == Committed(1)
    store.refusing = fate
    for call in (store.append(append(2)), store.check()):
        with pytest.raises(StoreError):
            await call
    store.refusing = None
    await store.check()
    assert store.drawn == {fate: 2, Fate.OK: 1}


async def test_refusals_of_the_store_itself_are_answered_as_ever() -> None:
    """A conflict, a full counter and a mistake of the caller come through a flight unchanged."""
    clock = VirtualClock()
    store = store_of(clock)
    answers = await sent(
        store,
        append(0, writes=(write("k", 3),)),
        append(1, counts=(count(2, 1),)),
        append(2, counts=(Count("space", "most", COUNTER_MAX),)),
        append(3, counts=(Count("space", "most", 1),)),
    )
    await clock.elapse(1.0)
    assert await answers[0] == Conflicted("space", "acme", "k", 3, 0)
    assert await answers[1] == Exceeded("space", "acme", "used", 2, 1, 0)
    assert await answers[2] == Committed(1)
    await assert_invalid(answers[3])


async def test_a_cancelled_caller_leaves_its_append_in_flight() -> None:
    """Cancelling detaches: what was handed in lands."""
    clock = VirtualClock()
    store = store_of(clock)
    (gone,) = await sent(store, append(0))
    gone.cancel()
    await clock.elapse(1.0)
    assert gone.cancelled()
    assert await store.appended("acme", "s", "a-0") == Committed(1)


async def test_closing_lands_what_was_accepted() -> None:
    """As every store: what was accepted is committed and acknowledged, then the store is closed."""
    store = store_of(VirtualClock())
    (accepted,) = await sent(store, append(0))
    await store.close()
    assert await accepted == Committed(1)
    with pytest.raises(StoreError):
        await store.append(append(1))


@pytest.mark.parametrize("seed", range(20))
async def test_a_crash_keeps_a_beginning_of_what_was_in_flight(seed: int) -> None:
    """Acknowledged appends stay; of those in flight the first ones are durable and the rest is gone, by the seed."""
    clock = VirtualClock()
    store = FaultyStore(suite_seal, clock=clock, random=Random(seed))
    assert await store.append(append(0)) == Committed(1)
    store.faults = StoreFaults(sync_seconds=(1.0, 1.0))
    waiting = await sent(store, *(append(number) for number in range(1, 6)))
    crash = store.crash()
    assert [isinstance(await answer, Unknown) for answer in waiting] == [True] * 5
    assert (*crash.committed, *crash.lost) == tuple(f"a-{number}" for number in range(1, 6))
    await clock.elapse(20.0)
    assert [entry.append_id for entry in await store.entries("acme")] == ["a-0", *crash.committed]
    assert store.in_flight == ()


async def test_crashes_differ_by_seed() -> None:
    """All, some and none of what was in flight are lost in one run or another."""
    kept = set()
    for seed in range(20):
        store = FaultyStore(
            suite_seal, clock=VirtualClock(), random=Random(seed), faults=StoreFaults(sync_seconds=(1, 1))
        )
        tasks = await sent(store, append(0), append(1))
        kept.add(len(store.crash().committed))
        await asyncio.gather(*tasks)
    assert kept == {0, 1, 2}


@given(seed=st.integers(0, 2**32), number=st.integers(1, 40))
@settings(max_examples=examples(60), deadline=None)
def test_whatever_happens_answers_are_true(seed: int, number: int) -> None:
    """From any seed, with several engines and a crash: committed is there, refused is not, the chain is whole."""
    asyncio.run(live(seed, number))


async def live(seed: int, number: int) -> None:
    """Append by chance from two sides, crash in between, and compare answers with what is there."""
    rng, clock = Random(seed), VirtualClock()
    chances = {"slow": 0.1, "overdue": 0.1, "unacknowledged": 0.1, "lost": 0.1, "disk_full": 0.1, "queue_full": 0.1}
    store = FaultyStore(suite_seal, clock=clock, random=rng, faults=StoreFaults(sync_seconds=(0.0, 3.0), **chances))  # type: ignore[arg-type] # chances only
    answers: dict[str, asyncio.Future[Appended]] = {}
    for index in range(number):
        (answers[f"a-{index}"],) = await sent(store, append(index, counts=(count(1, 25),)))
        await clock.elapse(rng.choice([0.0, 0.1, 4.0]), turns=3)
        if index == number // 2:
            store.crash()
    await clock.elapse(1_000.0, turns=3)
    there = {entry.append_id for entry in await store.entries("acme", limit=100)}
    for name, answer in answers.items():
        error = answer.exception()
        fate = None if error else answer.result()
        assert isinstance(fate, Unknown) or (name in there) is isinstance(fate, Committed), (name, error or fate)
    assert_chained(await store.entries("acme", limit=100))
    assert sum(one.value for one in await store.counters("space", "acme")) == len(there)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lost": -0.1},
        {"lost": 1.1},
        {"lost": 0.6, "slow": 0.6},
        {"sync_seconds": (2.0, 1.0)},
        {"slow_seconds": (-1.0, 1.0)},
    ],
)
def test_faults_that_cannot_be_are_refused_at_birth(wrong: dict[str, object]) -> None:
    """Chances outside 0 to 1, more than 1 together, spans that run backwards."""
    with pytest.raises(OptionError):
        StoreFaults(**wrong)  # type: ignore[arg-type] # wrong on purpose


async def test_chances_come_about() -> None:
    """Each fate that has a chance is met, in about that share, and the rest is well."""
    store = FaultyStore(
        suite_seal, clock=VirtualClock(), random=Random(7), faults=StoreFaults(lost=0.5, disk_full=0.25)
    )
    await asyncio.gather(*(store.append(append(number)) for number in range(400)), return_exceptions=True)
    assert set(store.drawn) == {Fate.OK, Fate.LOST, Fate.DISK_FULL}
    assert 160 < store.drawn[Fate.LOST] < 240


async def test_a_word_that_is_no_fate_is_refused() -> None:
    """A misspelt plan never passes for a good one."""
    store = FaultyStore(suite_seal, clock=VirtualClock())
    store.plan = ["lots"]  # type: ignore[list-item] # a misspelt word
    with pytest.raises(ValueError, match="lots"):
        await store.append(append(0))
