"""Rebuilding rows from the ledger into a fresh file: the same state, and every difference named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from switchgear.assembly import Switchgear
from switchgear.core.errors import Invalid, NotApplied, StoreError
from switchgear.execution.contract import Call
from switchgear.execution.rebuild import Rebuilt, rebuild
from switchgear.ledger.verify import verify_chain
from switchgear.storage.sqlite.offline import NewFile, StoreFile

CONFIGURATION = """
[store]
url = "sqlite:///{file}"

[[budgets]]
name = "calls"
limit = 1000
period = "month"
"""


async def lived(folder: Path) -> Path:
    """Return the file of a store in which a good deal has happened."""
    file = folder / "gear.db"
    configuration = folder / "switchgear.toml"
    configuration.write_text(CONFIGURATION.format(file=str(file)), encoding="utf-8")
    async with Switchgear.open(configuration) as gear:

        @gear.tool("crm.order", effect="opaque", attempts=1, cost=3)
        async def order(call: Call, name: str) -> str:
            if name == "no":
                raise NotApplied(name)
            if name == "silence":
                raise TimeoutError(name)
            return name

        @gear.tool("crm.release", effect="natural", attempts=1)
        async def release(call: Call, name: str) -> None:
            assert name

        options = {"effect": "opaque", "attempts": 1, "compensate": "crm.release", "revert": "crm.release"}

        @gear.tool("crm.reserve", **options)  # type: ignore[arg-type]  # as keywords
        async def reserve(call: Call, name: str) -> str:
            return name

        acme = gear.acting_as(tenant="acme", account="main", actor="person:ann")
        globex = gear.acting_as(tenant="globex", account="main", actor="person:ann")
        for acting in (acme, globex):
            for name in ("a", "b", "no", "silence"):
                handle = await acting.submit("crm.order", {"name": name}, key=name)
                await handle.result(10.0)
        for letter in await acme.dead_letters():
            await letter.replay(mode="re-execute", reason="drill", wait=10.0)
            await letter.replay(mode="verify", reason="drill")
        steps = [
            {"tool": "crm.reserve", "arguments": {"name": "a"}},
            {"tool": "crm.order", "arguments": {"name": "no"}},
        ]
        saga = await (await acme.saga(steps, key="trip")).result(10.0)
        assert saga.state == "compensated"
        boxed = await acme.submit("crm.reserve", {"name": "b"}, key="boxed", revert_after=3600.0)
        await boxed.result(10.0)
        await acme.time_boxes.revert(boxed.id, reason="drill")
        await gear.run_until_idle(timeout=60)
        for step in await acme.intents(state="succeeded"):
            await step.replay(mode="re-execute", reason="drill", wait=10.0)
        await acme.kill_switches.trip("tool:crm.order", mode="freeze", reason="drill")
        (done, *_) = await acme.intents(state="succeeded")
        await gear.control.keeping.erase(acme.principal, done.id, reason="request 17")
    return file


def rebuilt(file: Path) -> Rebuilt:
    """Rebuild a store into a file beside it."""
    with StoreFile(file) as source, NewFile(file.with_name("rebuilt.db")) as target:
        return rebuild(source, target)


def spoil(file: Path, statement: str, *values: object) -> None:
    """Change a store behind its back."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement, values)
        connection.commit()


async def test_law_11_a_store_is_what_its_ledger_says(tmp_path: Path) -> None:
    """Every row that a fold makes comes out the same: version, facet and value."""
    file = await lived(tmp_path)
    found = rebuilt(file)
    assert (found.problems, found.different, found.ok) == ([], 0, True)
    assert found.rebuilt_hash == found.stored_hash
    assert found.matching == found.rows > 25
    assert found.archived == 0


async def test_the_fresh_file_is_a_whole_store(tmp_path: Path) -> None:
    """An engine can go on with it: chains verify, keys are bound, and rebuilding it again finds nothing."""
    file = await lived(tmp_path)
    first = rebuilt(file)
    fresh = tmp_path / "rebuilt.db"
    with StoreFile(fresh) as source, NewFile(tmp_path / "again.db") as target:
        again = rebuild(source, target)
    assert (again.ok, again.rebuilt_hash, again.entries) == (True, first.rebuilt_hash, first.entries)
    async with Switchgear.open(store=f"sqlite:///{fresh}") as gear:
        assert (await verify_chain(gear.store, "acme")).ok
        report = await gear.control.ledger.verify(
            gear.acting_as(tenant="acme", account="main", actor="person:ann").principal
        )
        assert (report.ok, report.fold_matches, report.budgets_match) == (True, True, True)


SPOILT: dict[str, tuple[str, str]] = {
    "a row that was edited": (
        "UPDATE rows SET value = CAST(value || ' ' AS BLOB) WHERE space = 'intent' AND tenant = 'acme'",
        "it is not what its events say; it is rebuilt",
    ),
    "a row that was removed": (
        "DELETE FROM rows WHERE space = 'key' AND tenant = 'acme'",
        "its row is missing; it is rebuilt",
    ),
    "a row that nobody recorded": (
        "INSERT INTO rows VALUES (99, 'intent', 'acme', 'int_x', 1, 'ready', x'7b7d')",
        "its events do not make it; it is kept as it was stored",
    ),
    "a counter that was changed": ("UPDATE counters SET value = value + 1", "it is rebuilt"),
    "a switch that was let go in secret": (
        "UPDATE rows SET value = x'5b5d', facet = 'off' WHERE space = 'kill_switch'",
        "it is not what its events say; it is rebuilt",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
async def test_what_differs_is_named(tmp_path: Path, name: str) -> None:
    """Each kind of difference has its words, and the rest is compared all the same."""
    statement, words = SPOILT[name]
    file = await lived(tmp_path)
    spoil(file, statement)
    found = rebuilt(file)
    assert not found.ok
    assert found.problems
    assert all(problem.message.endswith(words) for problem in found.problems), found.problems
    assert {problem.code for problem in found.problems} == {"LEDGER_CORRUPT"}
    assert found.matching > 5


NOT_THE_LAST = """SELECT position FROM entries
    WHERE position NOT IN (SELECT max(position) FROM entries GROUP BY tenant) ORDER BY position"""
DAMAGES = {
    "edited": "UPDATE entries SET body = CAST(body || ' ' AS BLOB) WHERE position = ?",
    "unreadable": "UPDATE entries SET body = x'00ff' WHERE position = ?",
    "removed": "DELETE FROM entries WHERE position = ?",
    "payload": "UPDATE entries SET payload = x'00' WHERE position = ? AND payload IS NOT NULL",
}


@pytest.mark.parametrize("how", DAMAGES)
async def test_a_corrupted_record_is_isolated_and_never_stops_the_rest(tmp_path: Path, how: str) -> None:
    """Whichever entry it is: it is named, at most its own stream is kept as stored, and all others match.

    The last of a chain is spared: without a checkpoint nobody can tell that it was ever there.
    """
    file = await lived(tmp_path)
    with closing(sqlite3.connect(file)) as connection:
        chosen = connection.execute(NOT_THE_LAST)
        positions = [at for (at,) in chosen]
    for at in positions[:: max(1, len(positions) // 12)]:
        damaged = tmp_path / f"damaged{at}.db"
        damaged.write_bytes(file.read_bytes())
        spoil(damaged, DAMAGES[how], at)
        with StoreFile(damaged) as source, NewFile(tmp_path / f"fresh{at}.db") as target:
            found = rebuild(source, target)
            before = {(row.key, row.facet) for row in source.rows("intent", "acme")}
            after = {(row.key, row.facet) for row in target.rows("intent", "acme")}
        assert after == before, "an intent is lost, or was turned into another"
        assert found.rows - found.matching <= 5, found.problems
        assert found.ok == (how == "payload" and not found.problems)
        assert {problem.code for problem in found.problems} <= {"LEDGER_CORRUPT"}


async def test_nothing_is_overwritten_and_nothing_half_done_is_left(tmp_path: Path) -> None:
    """The new file is new, and goes when the rebuild fails."""
    file = await lived(tmp_path)
    with pytest.raises(Invalid):
        NewFile(file)
    with pytest.raises(StoreError), StoreFile(tmp_path / "none.db"):
        pass

    def fail() -> None:
        with NewFile(tmp_path / "half.db"):
            raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        fail()
    assert not (tmp_path / "half.db").exists()


async def test_the_source_is_only_read(tmp_path: Path) -> None:
    """Not one byte of it changes."""
    file = await lived(tmp_path)
    before = file.read_bytes()
    rebuilt(file)
    assert file.read_bytes() == before


async def test_a_tenant_costs_the_same_however_many_there_are(tmp_path: Path) -> None:
    """Where rows and counters are is looked up once, and not for each tenant: there may be ten thousand."""
    file = await lived(tmp_path)
    asked: list[str] = []

    class Asked(StoreFile):
        def places(self) -> list[tuple[str, str]]:
            asked.append("rows")
            return super().places()

        def places_of_counters(self) -> list[tuple[str, str]]:
            asked.append("counters")
            return super().places_of_counters()

    with Asked(file) as source, NewFile(tmp_path / "rebuilt.db") as target:
        assert rebuild(source, target).tenants > 1
    assert sorted(asked) == ["counters", "rows"]
