"""Every adapter against a naive model: conditional appends in groups, over tenants, with conflicts and reopening."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec import structs

from switchgear.core.errors import StoreError
from switchgear.storage.abilities import (
    GENESIS,
    Append,
    Appended,
    Committed,
    Conflicted,
    Count,
    Counter,
    Erase,
    Event,
    Exceeded,
    Expect,
    Head,
    Store,
    Unknown,
    Write,
)
from switchgear.storage.opening import open_store
from switchgear.storage.sqlite.store import open_sqlite
from switchgear.testing.storage_scenes import suite_seal
from tests.effort import examples
from tests.small_blocks import file_at_once

TENANTS = st.sampled_from(["a", "b", "ü"])
KEYS = st.sampled_from(["k1", "k2", "k3"])
FACETS = st.sampled_from(["", "ready", "done"])
VERSIONS = st.integers(0, 3)
STREAMS = st.sampled_from(["s1", "s2"])
FAILURES = [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_FSYNC]
"""Of a commit: one that certainly had no effect, and one that may have had."""


@st.composite
def appends(draw: st.DrawFn) -> Append:
    """Draw an append that may or may not conflict. Its id is given when it is used."""
    events = draw(st.lists(st.builds(Event, STREAMS, st.binary(max_size=9), st.none() | st.binary()), max_size=3))
    writes = draw(
        st.lists(
            st.builds(Write, st.just("space"), KEYS, VERSIONS, st.binary(max_size=9), FACETS),
            max_size=2,
            unique_by=lambda write: write.key,
        )
    )
    expects = draw(st.lists(st.builds(Expect, st.just("space"), TENANTS, KEYS, VERSIONS), max_size=1))
    counts = draw(
        st.lists(
            st.builds(Count, st.just("space"), KEYS, st.integers(-3, 5), st.none() | st.integers(-1, 9)),
            max_size=2,
            unique_by=lambda count: count.key,
        )
    )
    return Append("", draw(TENANTS), tuple(events), tuple(writes), tuple(expects), tuple(counts))


@dataclass
class Model:
    """A store as two dictionaries and a list, without groups, sequences or hashes kept."""

    rows: dict[tuple[str, str], tuple[int, str, bytes]] = field(default_factory=dict)
    counters: dict[tuple[str, str], int] = field(default_factory=dict)
    log: list[tuple[str, str, Event]] = field(default_factory=list)
    cuts: dict[str, int] = field(default_factory=dict)

    def append(self, append: Append) -> Appended:
        """Decide and apply one append."""
        asked = [(expect.tenant, expect.key, expect.version) for expect in append.expects]
        asked += [(append.tenant, write.key, write.expected) for write in append.writes]
        for tenant, key, expected in asked:
            found = self.rows.get((tenant, key), (0, "", b""))[0]
            if found != expected:
                return Conflicted("space", tenant, key, expected, found)
        for count in append.counts:
            value = self.counters.get((append.tenant, count.key), 0)
            if count.limit is not None and count.amount > 0 and value + count.amount > count.limit:
                return Exceeded("space", append.tenant, count.key, count.amount, count.limit, value)
        for count in append.counts:
            value = self.counters.get((append.tenant, count.key), 0)
            self.counters[append.tenant, count.key] = value + count.amount
        for write in append.writes:
            self.rows[append.tenant, write.key] = (write.expected + 1, write.facet, write.value)
        self.log += [(append.tenant, append.id, event) for event in append.events]
        return Committed(len(self.chain(append.tenant)))

    def chain(self, tenant: str) -> list[tuple[str, Event]]:
        """Return append id and event of each entry of a tenant."""
        return [(identity, event) for owner, identity, event in self.log if owner == tenant]

    def left(self, tenant: str) -> list[tuple[int, str, Event]]:
        """Return sequence, append id and event of each entry of a tenant that was not cut off."""
        chain = enumerate(self.chain(tenant), start=1)
        return [(seq, identity, event) for seq, (identity, event) in chain if seq > self.cuts.get(tenant, 0)]

    def erase(self, tenant: str, stream: str, through: int) -> None:
        """Take the payloads out of one stream."""
        places = [index for index, (owner, _, _) in enumerate(self.log) if owner == tenant][:through]
        for index in places:
            _, identity, event = self.log[index]
            if event.stream == stream:
                self.log[index] = tenant, identity, structs.replace(event, payload=None)


class JournalMachine(RuleBasedStateMachine):
    """Drives a store and the model alike."""

    url = "memory://"
    durable = False

    def __init__(self) -> None:
        """Open an empty store on a loop of its own."""
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.model = Model()
        self.number = 0
        self.store = self.open()

    def open(self) -> Store:
        """Open the store of this machine."""
        url = self.url.format(path=Path(self.folder.name) / "gear.db")
        return self.runner.run(open_store(url, seal=suite_seal))

    def named(self, group: list[Append]) -> list[Append]:
        """Return these appends, each with an id of its own."""
        self.number += len(group)
        return [structs.replace(drawn, id=f"a{self.number - index}") for index, drawn in enumerate(group)]

    @rule(group=st.lists(appends(), min_size=1, max_size=12))
    def append_group(self, group: list[Append]) -> None:
        """Appends handed in together get the verdicts that they get one after the other."""
        named = self.named(group)

        async def together() -> list[Appended]:
            return list(await asyncio.gather(*map(self.store.append, named)))

        assert self.runner.run(together()) == [self.model.append(append) for append in named]

    @rule(tenant=TENANTS, stream=STREAMS, through=st.integers(1, 40), cuts=st.booleans())
    def remove(self, tenant: str, stream: str, through: int, *, cuts: bool) -> None:
        """Payloads of a stream go, or the oldest entries of a chain; the newest one stays."""
        through = min(through, len(self.model.chain(tenant)) - 1)
        if through < 1:
            return
        self.number += 1
        if cuts:
            append = Append(f"a{self.number}", tenant, (), cut=through)
            self.model.cuts[tenant] = max(through, self.model.cuts.get(tenant, 0))
        else:
            append = Append(f"a{self.number}", tenant, (), erases=(Erase(stream, through),))
            self.model.erase(tenant, stream, through)
        assert self.runner.run(self.store.append(append)) == Committed(len(self.model.chain(tenant)))

    @rule()
    def reopen(self) -> None:
        """A durable store is the same after closing."""
        if self.durable:
            self.runner.run(self.store.close())
            self.store = self.open()

    @rule(tenant=TENANTS, after=st.integers(0, 20), limit=st.integers(1, 5))
    def read_entries(self, tenant: str, after: int, limit: int) -> None:
        """A page of a chain is that slice of it."""
        entries = self.runner.run(self.store.entries(tenant, after_seq=after, limit=limit))
        found = [(entry.seq, entry.append_id, Event(entry.stream, entry.body, entry.payload)) for entry in entries]
        assert found == [one for one in self.model.left(tenant) if one[0] > after][:limit]

    @rule(tenant=TENANTS, stream=STREAMS)
    def read_stream(self, tenant: str, stream: str) -> None:
        """A stream is the entries of a chain that name it; each is found by its append."""
        entries = self.runner.run(self.store.stream(tenant, stream))
        wanted = [identity for _, identity, event in self.model.left(tenant) if event.stream == stream]
        assert [entry.append_id for entry in entries] == wanted
        for identity in wanted[-1:]:
            last = max(seq for seq, found, _ in self.model.left(tenant) if found == identity)
            assert self.runner.run(self.store.appended(tenant, stream, identity)) == Committed(last)

    @rule(tenant=TENANTS, facet=st.none() | FACETS, before=st.none() | KEYS, limit=st.integers(1, 3))
    def read_page(self, tenant: str, facet: str | None, before: str | None, limit: int) -> None:
        """A page is the tenant's rows that have a facet downwards, filtered."""
        rows = self.runner.run(self.store.page("space", tenant, facet=facet, before=before, limit=limit))
        keys = [
            key
            for (owner, key), (_, found, _) in sorted(self.model.rows.items(), reverse=True)
            if owner == tenant and found and facet in (None, found) and (before is None or key < before)
        ]
        assert [row.key for row in rows] == keys[:limit]

    @rule(
        facets=st.lists(FACETS, max_size=3),
        after=st.none() | st.tuples(TENANTS, KEYS),
        limit=st.integers(1, 4),
    )
    def read_scan(self, facets: list[str], after: tuple[str, str] | None, limit: int) -> None:
        """A scan is the rows of all tenants that have a facet upwards, filtered."""
        rows = self.runner.run(self.store.scan("space", facets, after=after, limit=limit))
        matching = [place for place, (_, facet, _) in sorted(self.model.rows.items()) if facet and facet in facets]
        wanted = [place for place in matching if after is None or place > after]
        assert [(row.tenant, row.key) for row in rows] == wanted[:limit]
        assert self.runner.run(self.store.count("space", facets)) == len(matching)

    @rule(tenant=TENANTS, prefix=st.sampled_from(["", "k", "k2", "x"]), after=st.none() | KEYS, limit=st.integers(1, 3))
    def read_counters(self, tenant: str, prefix: str, after: str | None, limit: int) -> None:
        """Counters are listed upwards, filtered."""
        found = self.runner.run(self.store.counters("space", tenant, prefix=prefix, after=after, limit=limit))
        wanted = [
            Counter("space", tenant, key, value)
            for (owner, key), value in sorted(self.model.counters.items())
            if owner == tenant and key.startswith(prefix) and (after is None or key > after)
        ]
        assert found == wanted[:limit]

    @invariant()
    def chains_are_linked(self) -> None:
        """Every chain is a fold over its log, and its head is the end."""
        for tenant in ("a", "b", "ü"):
            prev, seq = GENESIS, 0
            for seq, (_, event) in enumerate(self.model.chain(tenant), 1):
                prev = suite_seal(prev, seq, event.body)
            assert self.runner.run(self.store.head(tenant)) == Head(tenant, seq, prev)

    @invariant()
    def rows_and_counters_are_the_same(self) -> None:
        """Each row and each counter is as the model has it."""
        for tenant in ("a", "b", "ü"):
            counters = self.runner.run(self.store.counters("space", tenant))
            assert {(tenant, one.key): one.value for one in counters} == {
                place: value for place, value in self.model.counters.items() if place[0] == tenant
            }
        for (tenant, key), wanted in self.model.rows.items():
            row = self.runner.run(self.store.get("space", tenant, key))
            assert row is not None
            assert (row.version, row.facet, row.value) == wanted

    def teardown(self) -> None:
        """Close everything."""
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()


class Failing(sqlite3.Connection):
    """A connection whose next commit fails with a code, before or after it took effect."""

    fails: tuple[int, bool] | None = None

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        """Execute, or fail."""
        if sql.startswith("COMMIT") and Failing.fails is not None:
            (code, after), Failing.fails = Failing.fails, None
            if after:
                super().execute(sql)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = code
            raise error
        return super().execute(sql, parameters)  # type: ignore[arg-type] # any parameters the adapter binds


def failing_connection(path: str) -> sqlite3.Connection:
    """Open a connection that can fail."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Failing)
    connection.text_factory = bytes
    return connection


class SqliteMachine(JournalMachine):
    """The same, on a file, whose commits may fail."""

    url = "sqlite:///{path}"
    durable = True

    def open(self) -> Store:
        """Open the file with a connection that can fail."""
        url = self.url.format(path=Path(self.folder.name) / "gear.db")
        return self.runner.run(open_sqlite(url, seal=suite_seal, connect=failing_connection))

    @rule(group=st.lists(appends(), min_size=1, max_size=4), code=st.sampled_from(FAILURES), after=st.booleans())
    def commit_fails(self, group: list[Append], code: int, *, after: bool) -> None:
        """A group whose commit fails is in the file as a whole or not at all; the next goes by what is there."""
        named = self.named(group)
        after = after and code == sqlite3.SQLITE_IOERR_FSYNC  # the other one says that it had no effect
        Failing.fails = code, after

        async def together() -> list[Appended | BaseException]:
            return await asyncio.gather(*map(self.store.append, named), return_exceptions=True)

        fates = self.runner.run(together())
        Failing.fails = None
        if {type(fate) for fate in fates} != {Unknown if code == sqlite3.SQLITE_IOERR_FSYNC else StoreError}:
            # Nothing was to be written, or another commit failed, of which nobody depends.
            assert fates == [self.model.append(append) for append in named]
            return
        if after:
            for append in named:
                self.model.append(append)


def test_a_store_that_files_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of it is filed by tenant, and whenever a commit fails meanwhile, the store answers alike."""
    file_at_once(monkeypatch)
    run_state_machine_as_test(
        SqliteMachine, settings=settings(max_examples=examples(40), stateful_step_count=30, deadline=None)
    )


@pytest.mark.parametrize(("machine", "usual"), [(JournalMachine, 60), (SqliteMachine, 25)])
def test_a_store_is_two_dictionaries_and_a_list(machine: type[JournalMachine], usual: int) -> None:
    """Whatever is appended, in whatever groups, store and model agree in every answer."""
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples(usual), stateful_step_count=20, deadline=None)
    )
