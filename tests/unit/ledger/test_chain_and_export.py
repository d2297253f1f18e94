"""The chain's hash, the export's lines, and what the verifier says in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.core.scope import Scope
from switchgear.ledger.chain import TAG, seal
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.export import ExportReader, export_lines
from switchgear.ledger.folding import PAGE_ENTRIES, StateHash, stream_entries
from switchgear.ledger.verify import FINDINGS_MAX, Verifier, verify_chain, verify_export
from switchgear.storage.abilities import GENESIS, Append, Entry, Event, Head, Store
from switchgear.storage.memory import MemoryStore

SCOPE = Scope("acme", "main", "service:orders")


async def store_of(count: int, *, tenant: str = "acme") -> Store:
    """Return a store with a chain of `count` entries; every other one has a payload."""
    store, encoder = MemoryStore(seal), EventEncoder(bytes)
    for number in range(count):
        payload = {"text": "ü\u2028 line"} if number % 2 else None
        event = encoder.encode("noted", stream=f"s{number % 3}", scope=SCOPE, at=number, payload=payload)
        await store.append(Append(f"a{number}", tenant, (event,)))
    return store


async def export_of(count: int) -> list[str]:
    """Return the lines of an export of `count` entries."""
    return [line async for line in export_lines(await store_of(count), "acme")]


def edited(lines: list[str], index: int, change: Callable[[dict[str, object]], object]) -> list[str]:
    """Return the lines with the fields of one changed."""
    fields = json.loads(lines[index])
    change(fields)
    return [*lines[:index], json.dumps(fields), *lines[index + 1 :]]


def test_the_seal_is_what_the_documents_say() -> None:
    """SHA-256 over tag, previous hash, sequence as 8 bytes big endian, body."""
    plain = hashlib.sha256(TAG + GENESIS + b"\0\0\0\0\0\0\0\x07" + b"{}").digest()
    assert seal(GENESIS, 7, b"{}") == plain


async def test_an_export_is_plain_lines_of_json() -> None:
    """A header, a line an entry, a trailer; ASCII, so that no reader cuts a line elsewhere."""
    lines = await export_of(3)
    assert json.loads(lines[0]) == {"format": "switchgear-ledger", "version": 2, "tenant": "acme", "checkpoint": None}
    assert list(json.loads(lines[2])) == ["seq", "prev", "hash", "stream", "body", "payload"]
    assert json.loads(lines[-1])["count"] == 3
    assert all(line.isascii() and len(line.splitlines()) == 1 for line in lines)


async def test_an_export_reads_back_what_the_store_has() -> None:
    """Every protected member survives, byte by byte."""
    store = await store_of(4)
    reader = ExportReader([line async for line in export_lines(store, "acme")])
    found = [(entry.seq, entry.prev, entry.hash, entry.stream, entry.body, entry.payload) for entry in reader]
    entries = await store.entries("acme")
    assert found == [(e.seq, e.prev, e.hash, e.stream, e.body, e.payload) for e in entries]
    assert (reader.tenant, reader.head, reader.count) == ("acme", await store.head("acme"), 4)


async def test_long_chains_go_page_by_page() -> None:
    """Export, streams and verification pass the bound of a page without losing or repeating an entry."""
    count = PAGE_ENTRIES * 2 + 1
    store = await store_of(count)
    assert len([line async for line in export_lines(store, "acme")]) == count + 2
    streams = [[entry.seq async for entry in stream_entries(store, "acme", f"s{n}")] for n in range(3)]
    assert sorted(seq for stream in streams for seq in stream) == list(range(1, count + 1))
    assert (await verify_chain(store, "acme")).count == count


async def test_a_good_chain_verifies() -> None:
    """Export and store give the same result; an empty chain is a good one."""
    store = await store_of(5)
    found = await verify_chain(store, "acme")
    assert (found.ok, found.count, found.head, found.first_bad_seq) == (
        True,
        5,
        await store.head("acme"),
        None,
    )
    assert verify_export([line async for line in export_lines(store, "acme")]) == found
    assert verify_export(await export_of(0)).ok


async def test_an_erased_payload_stays_valid() -> None:
    """Erasing a user's data is no tampering."""
    lines = edited(await export_of(4), 2, lambda fields: fields.update(payload=None))
    assert verify_export(lines).ok


@pytest.mark.parametrize(
    ("index", "change", "seq", "words"),
    [
        (2, {"body": "{}"}, 2, "entry 2 was edited: its body does not give its hash"),
        (2, {"hash": "00" * 32}, 2, "entry 2 was edited"),
        (2, {"prev": "00" * 32}, 2, "its previous hash is another"),
        (2, {"stream": "other"}, 2, "stands in stream 'other'"),
        (2, {"payload": "AAAA"}, 2, "does not match its digest"),
        (3, {"payload": "AAAA"}, 3, "knows of none"),
        (2, {"seq": 9}, 2, "entry 2 is missing: entry 9 stands in its place"),
        (2, {"seq": 1}, 2, "entry 1 comes again where entry 2 should stand"),
        (2, {"hash": "zz"}, 2, "line 3 is not an entry"),
        (2, {"seq": "2"}, 2, "line 3 is not an entry"),
        (2, {"stream": 5}, 2, "line 3 is not an entry"),
        (2, {"hash": "00"}, 2, "32 bytes of hash expected, not 1"),
        (2, {"payload": "?"}, 2, "line 3 is not an entry"),
        (0, {"tenant": "other"}, 5, "ends in the head of tenant 'acme'"),
        (0, {"version": 3}, 1, "format version 3"),
        (0, {"version": True}, 1, "format version True"),
        (0, {"checkpoint": 5}, 1, "a checkpoint that is not text"),
        (0, {"format": "other"}, 1, "not the header"),
        (5, {"count": 3}, 5, "the trailer counts 3"),
        (5, {"head": {"tenant": "acme", "seq": 3, "hash": "00" * 32}}, 5, "should end at entry 3"),
        (
            5,
            {"head": {"tenant": "acme", "seq": 4, "hash": "00" * 32}},
            5,
            "does not have the hash of entry 4",
        ),
        (5, {"head": {"tenant": "acme", "seq": 6, "hash": "00" * 32}}, 5, "entry 5 is missing"),
        (5, {"head": 4}, 5, "not a trailer"),
    ],
)
async def test_an_edit_is_found_and_named(index: int, change: dict[str, object], seq: int, words: str) -> None:
    """The first bad sequence, and in words what is wrong with it."""
    found = verify_export(edited(await export_of(4), index, lambda fields: fields.update(change)))
    assert (found.ok, found.first_bad_seq, found.count) == (False, seq, seq - 1)
    assert words in found.problem


@pytest.mark.parametrize(
    ("lines", "seq", "words"),
    [
        (lambda e: e[:2] + e[3:], 2, "entry 2 is missing"),
        (lambda e: e[:3] + e[2:], 3, "entry 2 comes again"),
        (lambda e: [e[0], e[2], e[1], *e[3:]], 1, "entry 1 is missing"),
        (lambda e: e[:-1], 5, "cut off after entry 4: nothing says where it ends"),
        (lambda e: e[:-2] + e[-1:], 4, "entry 4 is missing, and it should end at 4"),
        (lambda e: e + e[-1:], 5, "line 7 stands after the trailer"),
        (lambda e: [*e[:3], "{", *e[3:]], 3, "line 4 is not JSON"),
        (lambda e: [*e[:3], "[]", *e[3:]], 3, "line 4 is not a JSON object"),
        (lambda e: [], 1, "line 1 is not the header"),
    ],
)
async def test_moved_and_lost_lines_are_found(lines: Callable[[list[str]], list[str]], seq: int, words: str) -> None:
    """Removed, repeated, swapped, cut off, or unreadable lines are findings, named by sequence or line."""
    found = verify_export(lines(await export_of(4)))
    assert (found.ok, found.first_bad_seq) == (False, seq)
    assert words in found.problem


async def test_a_reader_names_the_line() -> None:
    """Who reads an export without the verifier gets LEDGER_CORRUPT with the number of the line."""
    lines = await export_of(2)
    with pytest.raises(StoreError, match="line 2 is not an entry") as raised:
        list(ExportReader([lines[0], "{}"]))
    assert raised.value.code is Code.LEDGER_CORRUPT


async def test_a_chain_sealed_otherwise_does_not_verify() -> None:
    """A store opened with another seal is found out at its first entry."""
    store = MemoryStore(lambda prev, seq, body: bytes(32))
    await store.append(Append("a", "acme", (EventEncoder().encode("x", stream="s", scope=SCOPE, at=0),)))
    found = await verify_chain(store, "acme")
    assert (found.ok, found.first_bad_seq) == (False, 1)


async def test_a_body_that_is_not_text_does_not_end_an_export() -> None:
    """One damaged record is exported as it is and found by the verifier; the rest comes as ever."""
    store = MemoryStore(seal)
    event = EventEncoder().encode("x", stream="s", scope=SCOPE, at=0)
    await store.append(Append("a", "acme", (event, Event("s", b"\xff"), event)))
    found = verify_export([line async for line in export_lines(store, "acme")])
    assert (found.ok, found.first_bad_seq, found.bad) == (False, 2, 1)
    assert "cannot be decoded" in found.problem


async def test_a_chain_that_grows_meanwhile_is_exported_up_to_where_it_was() -> None:
    """Head, count and entries of one export belong together, whatever is appended while it is written."""
    store, encoder, lines = await store_of(3), EventEncoder(bytes), list[str]()
    async for line in export_lines(store, "acme"):
        lines.append(line)
        event = encoder.encode("noted", stream="s", scope=SCOPE, at=0)
        await store.append(Append(f"more-{len(lines)}", "acme", (event,)))
    found = verify_export(lines)
    assert (found.ok, found.count, found.problem) == (True, 3, "")


async def test_entries_that_the_head_promises_must_be_there() -> None:
    """A store that has lost its last entries but knows its head is found out, and reading it ends."""

    class Forgetful(MemoryStore):
        async def head(self, tenant: str) -> Head:
            return Head(tenant, 9, GENESIS)

    store = Forgetful(seal)
    await store.append(Append("a", "acme", (EventEncoder().encode("x", stream="s", scope=SCOPE, at=0),)))
    found = await verify_chain(store, "acme")
    assert (found.ok, found.first_bad_seq) == (False, 2)
    assert "should end at 9" in found.problem


async def test_an_entry_of_another_tenant_is_found() -> None:
    """A chain has one tenant; the verifier is told whose by the store, not by the entry."""
    entry = (await (await store_of(1)).entries("acme"))[0]
    verifier = Verifier("other")
    assert not verifier.feed(entry)
    assert "belongs to tenant 'acme'" in verifier.finish().problem


def hash_of(rows: list[tuple[str, bytes]]) -> str:
    """Return the hash of a state."""
    state = StateHash()
    for key, value in rows:
        state.add(key, value)
    return state.hexdigest()


def test_a_state_hash_knows_states_apart() -> None:
    """Neither moving a byte between key and value, nor leaving out a row, gives the same hash."""
    states = [[], [("a", b"")], [("", b"a")], [("ab", b"c")], [("a", b"bc")], [("a", b"b"), ("c", b"")]]
    states += [[("a", bytes(8))], [("a" + "\0" * 7 + "\x08", b"")]]  # the same bytes, if keys had no length
    assert len({hash_of(state) for state in states}) == len(states)


async def test_exports_of_format_version_1_stay_readable() -> None:
    """The first format had no checkpoint in its header; its files verify as they did."""
    lines = await export_of(4)
    header = json.loads(lines[0])
    del header["checkpoint"]
    assert verify_export([json.dumps({**header, "version": 1}), *lines[1:]]).ok


async def test_one_bad_entry_does_not_hide_the_others() -> None:
    """Each edited entry is named, what stands between them counts as checked, and the rest is looked at to the end."""
    lines = edited(await export_of(6), 2, lambda fields: fields.update(body="{}"))
    lines = [*edited(lines, 4, lambda fields: fields.update(hash="zz"))[:-1], "{", lines[-1]]
    found = verify_export(lines)
    assert [finding.seq for finding in found.findings] == [2, 4, 7]
    assert (found.ok, found.count, found.first_bad_seq, found.bad) == (False, 1, 2, 3)


async def test_findings_in_words_are_bounded() -> None:
    """A file of nothing but damage is counted to its end, and described by its first hundred findings."""
    lines = await export_of(150)
    found = verify_export([lines[0], *("{" for _ in lines[1:-1]), lines[-1]])
    assert (found.bad, len(found.findings)) == (150, FINDINGS_MAX)


async def test_an_entry_that_the_store_cannot_read_is_isolated() -> None:
    """A store that gives an entry without its bytes costs one finding, and the chain goes on behind it."""

    class Damaged(MemoryStore):
        async def entries(self, tenant: str, *, after_seq: int = 0, limit: int = 1000) -> Sequence[Entry]:
            found = await super().entries(tenant, after_seq=after_seq, limit=limit)
            return [replace(e, prev=b"", hash=b"", body=b"") if e.seq == 3 else e for e in found]

    store, encoder = Damaged(seal), EventEncoder(bytes)
    for number in range(5):
        event = encoder.encode("noted", stream="s", scope=SCOPE, at=0)
        await store.append(Append(f"a{number}", "acme", (event,)))
    found = await verify_chain(store, "acme")
    assert (found.bad, found.first_bad_seq, found.problem) == (1, 3, "entry 3 cannot be read")
    assert verify_export([line async for line in export_lines(store, "acme")]).findings[0].seq == 3
