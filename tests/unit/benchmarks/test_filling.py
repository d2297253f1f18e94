"""A store that is filled for a benchmark is what the engine would have left."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.durable.filling import DONE, INTENTS, Pattern, Place, fill
from switchgear.assembly import Switchgear
from switchgear.execution.contract import Call
from switchgear.execution.rebuild import rebuild
from switchgear.ledger.verify import verify_chain
from switchgear.storage.sqlite.offline import NewFile, StoreFile

_PATTERN = Place("tenant-of-the-pattern", "key-of-the-pattern")
_PLACES = tuple(Place(f"tenant-{number % 3}", f"key-{number}") for number in range(40))


class _Tool:
    """Counts how often it runs."""

    runs = 0

    async def act(self, call: Call, number: int) -> int:
        """Do nothing."""
        self.runs += 1
        return number + call.attempt


async def test_what_is_filled_is_what_its_ledger_says(tmp_path: Path) -> None:
    """Chains verify, and a rebuild from the ledger finds every row as it is stored: the rows are the engine's."""
    async with Switchgear.open(store=f"sqlite:///{tmp_path / 'gear.db'}") as gear:
        gear.tool("bench.act", effect="keyed")(_Tool().act)
        pattern = await Pattern.of_action(gear, "bench.act", _PATTERN)
        assert await fill(gear.store, pattern, _PLACES) == len(_PLACES)
        assert await gear.store.count(INTENTS, [DONE]) == len(_PLACES) + 1
        for place in _PLACES[:3]:
            assert (await verify_chain(gear.store, place.tenant)).ok
    with StoreFile(tmp_path / "gear.db") as source, NewFile(tmp_path / "rebuilt.db") as target:
        found = rebuild(source, target)
    assert found.ok, found.problems
    assert found.matching == found.rows == 2 * (len(_PLACES) + 1)


async def test_the_engine_knows_what_was_filled_as_done(tmp_path: Path) -> None:
    """A filled key finds its stored outcome: the tool does not run again."""
    tool = _Tool()
    async with Switchgear.open(store=f"sqlite:///{tmp_path / 'gear.db'}") as gear:
        gear.tool("bench.act", effect="keyed")(tool.act)
        await fill(gear.store, await Pattern.of_action(gear, "bench.act", _PATTERN), _PLACES)
        acting = gear.acting_as(tenant=_PLACES[5].tenant, account="main", actor="service:bench")
        intent = await acting.submit("bench.act", {"number": 0}, key=_PLACES[5].key)
        assert (await intent.result(timeout=60)).value == 1
        assert tool.runs == 1


async def test_a_fill_that_is_refused_is_an_error(tmp_path: Path) -> None:
    """The same place twice is no action twice: nothing is counted that is not on record."""
    async with Switchgear.open(store=f"sqlite:///{tmp_path / 'gear.db'}") as gear:
        gear.tool("bench.act", effect="keyed")(_Tool().act)
        pattern = await Pattern.of_action(gear, "bench.act", _PATTERN)
        with pytest.raises(RuntimeError, match="was not recorded"):
            await fill(gear.store, pattern, _PLACES[:1] * 2)
