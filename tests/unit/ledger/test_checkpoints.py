"""Checkpoints: what they say, when one is due, and what they prove that a chain alone does not."""

from __future__ import annotations

import json

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, OptionError, StoreError
from switchgear.ledger.chain import seal
from switchgear.ledger.checkpoints import (
    CHECKPOINT,
    NEWEST,
    SPACE,
    Cadence,
    Checkpoint,
    Stored,
    due,
    newest_checkpoint,
    read_checkpoint,
    witness,
)
from switchgear.ledger.events import read
from switchgear.ledger.notes import read_note
from switchgear.ledger.verify import verify_chain, verify_export
from switchgear.storage.abilities import Append, Appended, Unknown, Write
from switchgear.storage.memory import MemoryStore
from tests.unit.ledger.signing import KEY, OTHER_KEY, Book, cut, resealed

KEYS = [KEY.public]


def test_a_checkpoint_is_three_lines() -> None:
    """Origin, sequence and hash, as the format of transparency logs has them; what is read is what was written."""
    checkpoint = Checkpoint("ledger.example.org", "acme/eu+1", 1200, bytes(32))
    assert checkpoint.text() == f"ledger.example.org/acme/eu+1\n1200\n{'A' * 43}=\n"
    assert read_checkpoint(str(KEY.sign(checkpoint.text()))) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "acme\n1\nAAAA\n",
        "l/t\n0\n" + "A" * 43 + "=\n",
        "l/t\n01\n" + "A" * 43 + "=\n",
        "l/t\n" + "9" * 5000 + "\n" + "A" * 43 + "=\n",
        "l/t\n1\nAAAA\n",
        "l/t\n1\n????\n",
        "l/t\n1\n",
    ],
)
def test_a_note_about_something_else_is_no_checkpoint(text: str) -> None:
    """A good signature over other words proves nothing about a chain."""
    with pytest.raises(Invalid):
        read_checkpoint(str(KEY.sign(text)))


def test_a_checkpoint_counts_only_from_its_own_ledgers_key() -> None:
    """A key of one ledger cannot speak for another; without keys, nobody is asked."""
    foreign = str(KEY.sign(Checkpoint("other.example", "acme", 1, bytes(32)).text()))
    with pytest.raises(Invalid, match=r"a checkpoint of ledger 'other.example'"):
        witness(foreign, KEYS)
    with pytest.raises(Invalid, match=r"not signed by the given key"):
        witness(str(OTHER_KEY.sign(Checkpoint(KEY.name, "acme", 1, bytes(32)).text())), KEYS)
    assert witness(foreign, []).key is None


@pytest.mark.parametrize(
    ("head", "newest", "now", "expected"),
    [
        (0, None, 0.0, False),
        (1, None, 0.0, True),
        (11, Stored(10, 0.0, ""), 1e9, False),
        (12, Stored(10, 0.0, ""), 59.0, False),
        (12, Stored(10, 0.0, ""), 60.0, True),
        (110, Stored(10, 0.0, ""), 0.0, False),
        (111, Stored(10, 0.0, ""), 0.0, True),
        (12, Stored(10, 100.0, ""), 50.0, False),
    ],
)
def test_when_a_checkpoint_is_due(head: int, newest: Stored | None, now: float, expected: bool) -> None:  # noqa: FBT001 - a table
    """After so many entries or seconds; a chain at rest is never signed again, a clock that goes back waits."""
    assert due(Cadence(entries=100, seconds=60.0), head, newest, now) is expected


@pytest.mark.parametrize("options", [{"entries": 0}, {"seconds": 0.0}, {"seconds": float("nan")}])
def test_a_cadence_has_bounds(options: dict[str, float]) -> None:
    """Options are checked when they are made."""
    with pytest.raises(OptionError):
        Cadence(**options)  # type: ignore[arg-type] # that is the point


async def test_signing_is_recorded_in_the_chain() -> None:
    """The checkpoint of entry 3 is entry 4, and its row names it."""
    book = Book()
    await book.write(3)
    signed = await book.checkpointer().sign("acme")
    entries = await book.store.entries("acme")
    assert (entries[3].seq, read(entries[3]).type, read(entries[3]).facts["note"]) == (4, CHECKPOINT, signed.note)
    assert read_checkpoint(signed.note) == Checkpoint(KEY.name, "acme", 3, entries[2].hash)
    assert await newest_checkpoint(book.store, "acme") == signed


async def test_an_empty_chain_is_not_signed() -> None:
    """There is nothing to say about it."""
    with pytest.raises(Invalid):
        await Book().checkpointer().sign("acme")


async def test_a_sweep_signs_what_is_due_and_rests() -> None:
    """Each tenant's chain by itself; what rests is left alone however often it is asked."""
    book = Book()
    await book.write(2)
    await book.write(2, tenant="globex")
    checkpointer = book.checkpointer(cadence=Cadence(entries=2, seconds=60.0))
    assert [(await checkpointer.sweep()).signed for _ in range(3)] == [2, 0, 0]
    await book.write(1)
    assert (await checkpointer.sweep()).signed == 0
    book.clock.advance(60.0)
    assert [(await checkpointer.sweep()).signed for _ in range(2)] == [1, 0]


async def test_one_chain_that_cannot_be_signed_does_not_stop_the_others() -> None:
    """A row that cannot be read is named with its tenant, and the sweep goes on."""
    book = Book()
    await book.write(1)
    await book.write(1, tenant="globex")
    await book.store.append(Append("bad", "acme", (), (Write(SPACE, NEWEST, 0, b"{"),)))
    swept = await book.checkpointer().sweep()
    assert (swept.signed, swept.failed) == (1, ("acme",))
    with pytest.raises(StoreError) as raised:
        await newest_checkpoint(book.store, "acme")
    assert raised.value.code is Code.LEDGER_CORRUPT


async def test_a_lost_acknowledgement_does_not_sign_twice() -> None:
    """The same append is sent again and looked up: one entry, and the answer is its note."""

    class Deaf(MemoryStore):
        deaf = 2

        async def append(self, append: Append) -> Appended:
            outcome = await super().append(append)
            if append.writes and self.deaf:
                self.deaf -= 1
                return Unknown(append.id, "lost")
            return outcome

    book = Book(store=Deaf(seal))
    await book.write(1)
    signed = await book.checkpointer().sign("acme")
    assert (await book.store.head("acme")).seq == 2
    assert await newest_checkpoint(book.store, "acme") == signed


async def test_of_two_who_sign_at_once_one_wins() -> None:
    """The row's version decides; the other answers with the winner's note."""
    book = Book()
    await book.write(1)
    first, second = book.checkpointer(), book.checkpointer()
    newest = await first.sign("acme")
    signed = second._signed(await book.store.head("acme"))  # noqa: SLF001 - as if it had read before
    assert await second._record("acme", "switchgear", signed, 0) == newest  # noqa: SLF001 - as above


async def test_an_export_carries_the_newest_checkpoint() -> None:
    """And with the public key, the verifier says up to where somebody stands by it."""
    book = Book()
    await book.write(3)
    await book.checkpointer().sign("acme")
    lines = await book.lines()
    assert json.loads(lines[0])["checkpoint"] is not None
    found = verify_export(lines, keys=KEYS)
    assert (found.ok, found.count, found.problem) == (True, 4, "")
    assert found.witnessed is not None
    assert (found.witnessed.checkpoint.seq, found.witnessed.key) == (3, KEY.public)
    assert (await verify_chain(book.store, "acme", keys=KEYS)) == found
    assert json.loads((await book.lines(last_seq=2))[0])["checkpoint"] is None


async def test_a_rewritten_chain_is_found() -> None:
    """A chain that is right in itself, head included, is not the one that was signed."""
    book = Book()
    await book.write(5)
    await book.checkpointer().sign("acme")
    lines = await book.lines()
    assert verify_export(resealed(lines, 6), keys=KEYS).ok, "what came after the checkpoint is not covered"
    for seq in (1, 3, 5):
        found = verify_export(resealed(lines, seq), keys=KEYS)
        assert (found.ok, found.first_bad_seq) == (False, 5)
        assert "not the one that was signed" in found.problem


async def test_a_cut_off_chain_is_found_by_a_checkpoint_kept_elsewhere() -> None:
    """Truncation with a fitting head is invisible in the file, and plain against an anchored note."""
    book = Book()
    await book.write(3)
    await book.checkpointer().sign("acme")
    await book.write(3)
    anchored = (await book.checkpointer().sign("acme")).note
    lines = [json.dumps({**json.loads((await book.lines())[0]), "checkpoint": None}), *(await book.lines())[1:]]
    truncated = cut(lines, 4)
    assert verify_export(truncated).ok
    found = verify_export(truncated, keys=KEYS, checkpoints=[anchored])
    assert (found.ok, found.first_bad_seq, found.count) == (False, 5, 4)
    assert "entry 7 was signed once" in found.problem


async def test_a_key_without_a_checkpoint_proves_nothing() -> None:
    """Who asks for a signature gets one or a finding: taking the checkpoint out of the file is no way round."""
    book = Book()
    await book.write(2)
    found = verify_export(await book.lines(), keys=KEYS)
    assert (found.ok, found.first_bad_seq, found.count) == (False, None, 2)
    assert "nothing is signed" in found.problem


async def test_checkpoints_of_others_are_findings() -> None:
    """Another key, another tenant, or no note at all: each is said, and the chain itself is checked all the same."""
    book = Book()
    await book.write(2)
    lines = await book.lines()
    foreign = str(KEY.sign(Checkpoint(KEY.name, "globex", 1, bytes(32)).text()))
    for note, words in (
        (str(OTHER_KEY.sign(read_note(foreign).text)), "not signed by the given key"),
        (foreign, "of tenant 'globex'"),
        ("garbage", "a signed note is a text"),
    ):
        found = verify_export(lines, keys=KEYS, checkpoints=[note])
        assert (found.ok, found.first_bad_seq, found.count) == (False, None, 2)
        assert words in found.problem


async def test_a_store_does_not_need_signatures_to_verify() -> None:
    """A chain that was never signed is good in a store, whoever's key is at hand."""
    book = Book()
    await book.write(2)
    assert (await verify_chain(book.store, "acme", keys=KEYS)).ok
