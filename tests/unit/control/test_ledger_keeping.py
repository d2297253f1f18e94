"""Keeping a ledger: signing, archiving and erasing change nothing of what happened, and all of it verifies after."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from switchgear import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.control.ledger_keeping import LedgerKeeping
from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.core.ids import IdSource
from switchgear.core.scope import Principal
from switchgear.execution.recorder import INTENTS
from switchgear.execution.refold import Refold
from switchgear.ledger.archiving import Archivist, newest_segment
from switchgear.ledger.checkpoints import Checkpointer
from switchgear.ledger.erasure import MARK, is_erased
from switchgear.ledger.events import EventEncoder, read
from switchgear.ledger.verify import verify_chain, verify_exports
from switchgear.storage.abilities import Append, Appended, Store, Unknown
from tests.unit.ledger.signing import KEY

ALL = frozenset({"ledger:read", "ledger:sign", "ledger:archive", "ledger:erase"})
OPERATOR = Principal("acme", "user:ops", frozenset({"main"}), ALL)
KEYS = [KEY.public]


@dataclass
class Office:
    """A gear with some finished work, and what keeps its ledger."""

    gear: Switchgear
    acme: Acting
    keeping: LedgerKeeping
    ids: list[str]

    @property
    def store(self) -> Store:
        """The gear's store."""
        return self.gear.store

    async def segment(self, last_seq: int) -> list[str]:
        """Return the lines of a segment."""
        lines = await self.keeping.segment(OPERATOR, last_seq=last_seq)
        return [line.decode() async for line in lines]

    async def archive(self, before: int) -> list[str]:
        """Archive what is possible below `before` as the command does, and return the segment."""
        possible = await self.keeping.archivable(OPERATOR, before=before)
        lines = await self.segment(possible.last_seq)
        sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
        await self.keeping.archive(OPERATOR, last_seq=possible.last_seq, hash=possible.hash, sha256=sha256)
        return lines

    async def first_seq(self) -> int:
        """Return the sequence of the first entry that the store still has."""
        return (await self.store.entries("acme", limit=1))[0].seq

    async def assert_intact(self) -> None:
        """Check that chain and fold are what they should be."""
        assert (await verify_chain(self.store, "acme")).problem == ""
        assert (await Refold(self.store).intents("acme")).problems == ()


def keeping_of(store: Store, *, signs: bool = True) -> LedgerKeeping:
    """Return what keeps the ledger of a store."""
    ids, encoder = IdSource(), EventEncoder()
    checkpointer = Checkpointer(store, KEY, clock=SYSTEM_CLOCK, ids=ids, encoder=encoder) if signs else None
    return LedgerKeeping(store, clock=SYSTEM_CLOCK, ids=ids, encoder=encoder, checkpointer=checkpointer)


@asynccontextmanager
async def office(count: int = 3, *, url: str = "memory://") -> AsyncIterator[Office]:
    """Open a gear in which some actions are over; each has three entries."""
    async with Switchgear.open(store=url) as gear:

        @gear.tool("text.count", effect="read_only")
        def count_letters(call: object, text: str) -> dict[str, object]:
            return {"text": text, "letters": len(text)}

        acme = gear.acting_as(tenant="acme", account="main", actor="service:orders")
        ids = []
        for number in range(count):
            intent = await acme.submit("text.count", {"text": f"secret {number}"})
            await intent.result()
            ids.append(intent.id)
        yield Office(gear, acme, keeping_of(gear.store), ids)


# --- erasure ---


async def test_erased_data_is_gone_and_the_record_stays() -> None:
    """No payload, and no row, has the data any more; that it happened, who erased it and why, stands in the chain."""
    async with office() as found:
        erased = await found.keeping.erase(OPERATOR, found.ids[1], reason=" request 17 ")
        entries = await found.store.stream("acme", found.ids[1])
        row = await found.store.get(INTENTS, "acme", found.ids[1])
        assert row is not None
        assert b"secret" not in row.value + b"".join(entry.payload or b"" for entry in entries)
        last = read(entries[-1])
        facts = {"seqs": erased.seqs, "reason": "request 17", "by": "user:ops"}
        assert (last.type, last.actor, last.facts) == ("payload.erased", "user:ops", facts)
        await found.assert_intact()


async def test_an_erased_intent_is_shown_with_marks() -> None:
    """Whoever looks at it sees that there was something, and the others' data is untouched."""
    async with office() as found:
        await found.keeping.erase(OPERATOR, found.ids[1], reason="request 17")
        shown = (await found.acme.intent(found.ids[1])).view
        assert (shown.state, shown.arguments, shown.value) == ("succeeded", {MARK: True}, MARK)
        assert is_erased(shown.arguments)
        other = (await found.acme.intent(found.ids[0])).view
        assert other.arguments == {"text": "secret 0"}
        assert not is_erased(other.arguments)


async def test_what_is_erased_cannot_be_erased_again() -> None:
    """There is nothing left, and no second record says otherwise."""
    async with office() as found:
        await found.keeping.erase(OPERATOR, found.ids[0], reason="request 17")
        with pytest.raises(Invalid, match="no payload to erase"):
            await found.keeping.erase(OPERATOR, found.ids[0], reason="request 17")


async def test_open_work_keeps_its_data() -> None:
    """What may still be sent needs its arguments."""
    async with Switchgear.open(store="memory://", start=False) as gear:

        @gear.tool("text.count", effect="read_only")
        def count_letters(call: object, text: str) -> None:
            """Never called here."""

        waiting = await gear.acting_as(tenant="acme", account="main", actor="a").submit("text.count", {"text": "x"})
        with pytest.raises(Conflict, match="still needs its data"):
            await keeping_of(gear.store).erase(OPERATOR, waiting.id, reason="request 17")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
async def test_an_erasure_needs_a_reason(reason: str) -> None:
    """Years later somebody asks why."""
    async with office(1) as found:
        with pytest.raises(Invalid, match="a reason"):
            await found.keeping.erase(OPERATOR, found.ids[0], reason=reason)


async def test_erasing_rests_on_what_was_read() -> None:
    """When the intent is written in between, nothing is erased."""

    class Racing:
        def __init__(self, store: Store) -> None:
            self._store = store

        def __getattr__(self, name: str) -> object:
            return getattr(self._store, name)

        async def append(self, append: Append) -> Appended:
            await keeping_of(self._store).erase(OPERATOR, append.events[0].stream, reason="the other")
            return await self._store.append(append)

    async with office(1) as found:
        with pytest.raises(Conflict, match="changed meanwhile"):
            await keeping_of(Racing(found.store)).erase(OPERATOR, found.ids[0], reason="mine")  # type: ignore[arg-type] # as a store
        assert read((await found.store.stream("acme", found.ids[0]))[-1]).facts["reason"] == "the other"
        await found.assert_intact()


# --- archive ---


async def test_a_segment_and_the_rest_are_one_chain() -> None:
    """After archiving, the store verifies by itself, and both files together from the first entry on."""
    async with office(4) as found:
        await found.keeping.sign(OPERATOR)
        segment = await found.archive(7)
        assert await found.first_seq() == 7
        await found.assert_intact()
        rest = await found.segment((await found.store.head("acme")).seq)
        whole = verify_exports([segment, rest], keys=KEYS)
        alone = verify_exports([rest], keys=KEYS)
        assert (whole.problem, whole.begins_after, alone.problem, alone.begins_after) == ("", 0, "", 6)
        assert whole.head == alone.head
        assert whole.witnessed == alone.witnessed
        assert (await Refold(found.store).intents("acme")).archived == 2


async def test_archiving_goes_on_from_an_archive() -> None:
    """The second segment begins where the first ended, and all three files are one chain."""
    async with office(4) as found:
        segments = [await found.archive(4), await found.archive(10)]
        rest = await found.segment((await found.store.head("acme")).seq)
        assert verify_exports([*segments, rest], keys=KEYS).problem == ""
        assert verify_exports([segments[1], rest], keys=KEYS).begins_after == 3
        backwards = verify_exports([segments[1], segments[0], rest], keys=KEYS)
        assert not backwards.ok
        await found.assert_intact()


async def test_open_work_keeps_its_history() -> None:
    """An action that is not over stops the archive at its first entry."""
    async with office(2) as found:

        @found.gear.tool("slow.wait", effect="read_only", requires=("nobody",))
        def wait(call: object) -> None:
            """Is over as soon as it is called."""

        done = await found.acme.submit("slow.wait")
        await done.result()
        entries = await found.store.entries("acme")
        first = next(entry.seq for entry in entries if entry.stream == done.id)
        row = await found.store.get(INTENTS, "acme", done.id)
        assert row is not None
        keeping = keeping_of(_with_facet(found.store, done.id, "ready"))
        possible = await keeping.archivable(OPERATOR, before=10_000)
        assert (possible.last_seq, possible.blocked_by) == (first - 1, done.id)
        assert (await keeping.archivable(OPERATOR, before=first)).blocked_by == ""
        end = entries[-1]
        with pytest.raises(Conflict, match="is closed"):
            await keeping.archive(OPERATOR, last_seq=end.seq, hash=end.hash.hex(), sha256="0" * 64)


def _with_facet(store: Store, key: str, facet: str) -> Store:
    """Return the store as it would be if one intent were in another state."""

    class Other:
        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        async def get(self, space: str, tenant: str, wanted: str) -> object:
            row = await store.get(space, tenant, wanted)
            return replace(row, facet=facet) if row and wanted == key else row

    return Other()  # type: ignore[return-value] # as a store


async def test_streams_that_nobody_knows_are_kept() -> None:
    """What may be folded from a stream is known by its name; an unknown one is not archived by guess."""
    async with office(1) as found:
        event = EventEncoder().encode("x", stream="saga:1", scope=OPERATOR.scope("main"), at=0)
        await found.store.append(Append("a", "acme", (event,)))
        head = await found.store.head("acme")
        assert (await found.keeping.archivable(OPERATOR, before=10_000)).last_seq == head.seq - 1


@pytest.mark.parametrize(
    "stream",
    [
        "admission",
        "breaker:crm",
        "budget:agents",
        "budgets",
        "dependency:redis",
        "in_flight",
        "ledger.restore",
        "tool:crm.update",
    ],
)
async def test_streams_that_nothing_is_folded_from_block_nothing(stream: str) -> None:
    """Their events tell what was; what still matters of it stands in rows of its own."""
    async with office(0) as found:
        event = EventEncoder().encode("x", stream=stream, scope=OPERATOR.scope("main"), at=0)
        await found.store.append(Append("a", "acme", (event,)))
        assert (await found.keeping.archivable(OPERATOR, before=10)).last_seq == 1


async def test_a_refused_request_does_not_block_the_archive(tmp_path: Path) -> None:
    """The count of refusals at the front of a chain goes with what came after it."""
    url = f"sqlite:///{tmp_path}/gear.db"
    async with Switchgear.open(store=url) as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="service:orders")
        with pytest.raises(Denied):
            await acme.submit("text.unknown")
    async with office(1, url=url) as found:
        assert (await found.store.entries("acme", limit=1))[0].stream == "admission"
        await found.archive(5)
        assert await found.first_seq() == 5


async def test_kill_switches_keep_their_events_while_one_is_on(tmp_path: Path) -> None:
    """The row is checked against them at the next start; once none is on a fold begins at the next trip."""
    url = f"sqlite:///{tmp_path}/gear.db"
    async with office(0, url=url) as found:
        switches, other = (
            found.acme.kill_switches,
            found.gear.acting_as(tenant="acme", account="main", actor="user:eve"),
        )
        await switches.trip("tool:text.count", mode="freeze", reason="it counts wrong")
        possible = await found.keeping.archivable(OPERATOR, before=10)
        assert (possible.last_seq, possible.blocked_by) == (0, "kill_switches")
        await other.kill_switches.release("tool:text.count", reason="mended")
        await found.archive(2)  # the trip goes, its release is left
        await switches.trip("tool:text.count", mode="freeze", reason="again")
    async with office(0, url=url) as found:
        (on,) = found.acme.kill_switches.list().items
        assert on.reason == "again"
        readiness = await found.gear.control.readiness.check()
        assert readiness.ready, readiness.parts


@pytest.mark.parametrize(
    "proof",
    [
        {"hash": "0" * 64},
        {"sha256": "short"},
        {"last_seq": 0},
        {"last_seq": 10_000},
    ],
)
async def test_nothing_goes_without_proof(proof: dict[str, object]) -> None:
    """Only who has the segment can name its last hash and its digest."""
    async with office(2) as found:
        possible = await found.keeping.archivable(OPERATOR, before=4)
        named = {"last_seq": possible.last_seq, "hash": possible.hash, "sha256": "0" * 64, **proof}
        with pytest.raises((Invalid, Conflict)):
            await found.keeping.archive(OPERATOR, **named)  # type: ignore[arg-type] # by name
        assert len(await found.store.entries("acme")) == 6


async def test_nothing_to_archive_is_an_answer() -> None:
    """An empty chain, or one whose first entry must stay, has nothing to give."""
    async with office(0) as found:
        possible = await found.keeping.archivable(OPERATOR, before=10)
        assert (possible.first_seq, possible.last_seq, possible.hash) == (0, 0, "")


async def test_an_interrupted_removal_is_ended_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record comes first; entries that are still there are right, and go the next time."""
    monkeypatch.setattr("switchgear.ledger.archiving.CUT_AT_ONCE", 2)
    async with office(3) as found:
        stop_after = _stopping(found.store, 2)
        with pytest.raises(ConnectionError):
            await Office(found.gear, found.acme, keeping_of(stop_after, signs=False), found.ids).archive(7)
        assert await found.first_seq() == 3
        await found.assert_intact()
        newest = await newest_segment(found.store, "acme")
        assert newest is not None
        possible = await found.keeping.archivable(OPERATOR, before=7)
        assert (possible.last_seq, possible.archived_through) == (0, newest.last_seq)
        assert await found.first_seq() == 7
        await found.assert_intact()


def _stopping(store: Store, after: int) -> Store:
    """Return the store of a process that ends after some appends."""

    class Stopping:
        left = after

        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        async def append(self, append: Append) -> Appended:
            if not self.left:
                raise ConnectionError("the process has ended")
            self.left -= 1
            return await store.append(append)

    return Stopping()  # type: ignore[return-value] # as a store


async def test_a_step_without_acknowledgement_is_said() -> None:
    """Nobody is told that entries are gone when that is not known."""

    class Deaf:
        def __init__(self, store: Store) -> None:
            self._store = store

        def __getattr__(self, name: str) -> object:
            return getattr(self._store, name)

        async def append(self, append: Append) -> Appended:
            return Unknown(append.id, "lost") if append.cut else await self._store.append(append)

    async with office(2) as found:
        with pytest.raises(Exception, match="archive again") as raised:
            await Office(found.gear, found.acme, keeping_of(Deaf(found.store)), []).archive(4)  # type: ignore[arg-type] # as a store
        assert raised.value.code is Code.TIMEOUT_JOURNAL_APPEND  # type: ignore[attr-defined] # a store's error


async def test_two_archivists_do_not_meet() -> None:
    """The row of the newest segment decides which of two records counts."""
    async with office(3) as found:
        archivist: Archivist = found.keeping._archivist  # noqa: SLF001 - two of them at the same moment
        possible = await found.keeping.archivable(OPERATOR, before=7)
        segment = await archivist._checked("acme", possible.last_seq, possible.hash, "0" * 64)  # noqa: SLF001 - as above
        await archivist._record(OPERATOR.scope("main"), segment, 0)  # noqa: SLF001 - as above
        with pytest.raises(Conflict, match="somebody else"):
            await archivist._record(OPERATOR.scope("main"), segment, 0)  # noqa: SLF001 - as above


async def test_what_is_archived_cannot_be_erased_here() -> None:
    """The beginning of such an intent is in a file that we do not have."""
    async with office(2) as found:
        await found.archive(3)
        with pytest.raises(Conflict, match="is archived"):
            await found.keeping.erase(OPERATOR, found.ids[0], reason="request 17")


# --- checkpoints and access ---


async def test_a_checkpoint_is_made_and_shown() -> None:
    """The newest one is shown to whoever may read; making one needs a key and a right of its own."""
    async with office(1) as found:
        with pytest.raises(Denied) as raised:
            await found.keeping.checkpoint(OPERATOR)
        assert (raised.value.code, raised.value.state) == (Code.NOT_FOUND, "unsigned")
        signed = await found.keeping.sign(OPERATOR)
        assert signed == await found.keeping.checkpoint(OPERATOR)
        assert read((await found.store.entries("acme"))[-1]).actor == "user:ops"
        with pytest.raises(Denied) as raised:
            await keeping_of(found.store, signs=False).sign(OPERATOR)
        assert (raised.value.code, raised.value.state) == (Code.NOT_FOUND, "no_key")


async def test_who_cannot_sign_is_told_of_the_key_that_is_missing() -> None:
    """Where nothing was signed and no key is there, the words are about the key, since nothing will be signed."""
    async with office(1) as found:
        with pytest.raises(Denied, match="ledger key FILE --name NAME") as raised:
            await keeping_of(found.store, signs=False).checkpoint(OPERATOR)
    assert (raised.value.code, raised.value.state) == (Code.NOT_FOUND, "no_key")


CALLS: list[tuple[str, Callable[[LedgerKeeping, Principal], object]]] = [
    ("ledger:read", lambda keeping, who: keeping.checkpoint(who)),
    ("ledger:sign", lambda keeping, who: keeping.sign(who)),
    ("ledger:archive", lambda keeping, who: keeping.archivable(who, before=1)),
    ("ledger:archive", lambda keeping, who: keeping.segment(who, last_seq=1)),
    ("ledger:archive", lambda keeping, who: keeping.archive(who, last_seq=1, hash="", sha256="")),
    ("ledger:erase", lambda keeping, who: keeping.erase(who, "int_1", reason="x")),
]


@pytest.mark.parametrize(("permission", "call"), CALLS)
async def test_each_use_needs_its_permission(
    permission: str, call: Callable[[LedgerKeeping, Principal], object]
) -> None:
    """Having all the others does not help."""
    async with office(1) as found:
        who = Principal("acme", "user:x", frozenset({"main"}), ALL - {permission})
        with pytest.raises(Denied) as raised:
            await call(found.keeping, who)  # type: ignore[misc] # each is a coroutine
        assert raised.value.code is Code.PERMISSION_DENIED


async def test_another_tenants_ledger_does_not_exist() -> None:
    """Law 9: tenants come from the principal, so neither intents nor entries of others can be named."""
    async with office(2) as found:
        stranger = Principal("globex", "user:x", frozenset({"main"}), ALL)
        with pytest.raises(Denied) as raised:
            await found.keeping.erase(stranger, found.ids[0], reason="x")
        assert raised.value.code is Code.NOT_FOUND
        assert (await found.keeping.archivable(stranger, before=10)).last_seq == 0
        with pytest.raises(Denied):
            await found.keeping.checkpoint(stranger)
        await found.assert_intact()
