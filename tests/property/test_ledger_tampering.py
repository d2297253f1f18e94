"""Law 11: whatever is changed in an export, the verifier finds it, at the right sequence; the standalone one as well.

The two verifiers share no code. Here they read the same tampered files, and have to say the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.scope import Scope
from switchgear.ledger import standalone
from switchgear.ledger.archiving import ARCHIVED
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.export import export_lines
from switchgear.ledger.keys import SigningKey
from switchgear.ledger.verify import verify_export, verify_exports
from switchgear.storage.abilities import Append
from switchgear.storage.memory import MemoryStore
from tests.effort import examples
from tests.unit.ledger.signing import KEY, OTHER_KEY, Book, cut, resealed

_COUNT = 6


async def _export() -> list[str]:
    store, encoder = MemoryStore(seal), EventEncoder(bytes)
    for number in range(_COUNT):
        event = encoder.encode("noted", stream="s", scope=Scope("acme", "main", "me"), at=number, payload={"n": number})
        await store.append(Append(f"a{number}", "acme", (event,)))
    return [line async for line in export_lines(store, "acme")]


LINES = asyncio.run(_export())
PLACES = st.integers(1, _COUNT)


@given(PLACES, st.sampled_from(["body", "stream", "prev", "hash", "payload"]), st.data())
def test_any_edited_character_is_found(seq: int, member: str, data: st.DataObject) -> None:
    """One character of one member of one entry: the entry is named."""
    fields = json.loads(LINES[seq])
    text = fields[member]
    at = data.draw(st.integers(0, max(0, len(text.rstrip("=")) - 2)))
    other = data.draw(st.sampled_from("0123456789abcdefXYZ").filter(lambda character: character != text[at]))
    fields[member] = text[:at] + other + text[at + 1 :]
    found = verify_export([*LINES[:seq], json.dumps(fields), *LINES[seq + 1 :]])
    assert (found.ok, found.first_bad_seq) == (False, seq)


@given(PLACES)
def test_any_removed_entry_is_found(seq: int) -> None:
    """The missing sequence is named, also when it was the last."""
    found = verify_export(LINES[:seq] + LINES[seq + 1 :])
    assert (found.ok, found.first_bad_seq) == (False, seq)


@given(PLACES, PLACES)
def test_any_inserted_entry_is_found(seq: int, copied: int) -> None:
    """A copy of any entry, put anywhere before the trailer, stands where another should."""
    found = verify_export([*LINES[:seq], LINES[copied], *LINES[seq:]])
    first_bad = seq + 1 if copied == seq else seq
    assert (found.ok, found.first_bad_seq) == (False, first_bad)


@given(st.lists(PLACES, min_size=2, max_size=2, unique=True))
def test_any_two_swapped_entries_are_found(places: list[int]) -> None:
    """The earlier of the two places is named."""
    lines, (one, two) = list(LINES), places
    lines[one], lines[two] = lines[two], lines[one]
    found = verify_export(lines)
    assert (found.ok, found.first_bad_seq) == (False, min(places))


@given(st.integers(0, _COUNT + 1), st.booleans())
def test_any_truncation_is_found(kept: int, trailer: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """A file that ends early is named by the first entry that is not there, with its old trailer or without."""
    lines = LINES[:kept] + LINES[-1:] * trailer
    found = verify_export(lines)
    assert found.ok == (lines == LINES)
    assert found.ok or found.first_bad_seq == max(1, kept)


@given(PLACES, st.integers(0, 2**63), PLACES)
def test_a_rewritten_entry_needs_all_that_follow(seq: int, at: int, until: int) -> None:
    """Resealing an edited entry moves the break to the first entry that was not resealed; the head never fits."""
    lines = list(LINES)
    prev = bytes.fromhex(json.loads(lines[seq])["prev"])
    for number in range(seq, max(seq, until) + 1):
        fields = json.loads(lines[number])
        body = json.loads(fields["body"])
        body["at"] = float(at) + 0.5 if number == seq else body["at"]
        fields["body"] = json.dumps(body, separators=(",", ":"))
        fields["prev"] = prev.hex()
        prev = seal(prev, number, fields["body"].encode())
        fields["hash"] = prev.hex()
        lines[number] = json.dumps(fields)
    found = verify_export(lines)
    assert (found.ok, found.first_bad_seq) == (False, max(seq, until) + 1)


# --- the two verifiers ---


async def _signed() -> list[str]:
    """Return a chain with a checkpoint at entry 4 of 8, and an entry that says that 1 to 2 were archived."""
    book = Book()
    await book.write(4)
    await book.checkpointer().sign("acme")
    facts = {"first_seq": 1, "last_seq": 2}
    event = book.encoder.encode(ARCHIVED, stream="ledger", scope=Scope("acme", "main", "me"), at=0, facts=facts)
    await book.store.append(Append("archived", "acme", (event,)))
    await book.write(2)
    return await book.lines()


SIGNED = asyncio.run(_signed())
ANCHOR = json.loads(SIGNED[0])["checkpoint"]
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 12),
    st.sampled_from([2**64, 1.0, float("nan"), float("inf"), "", "acme", "globex", "00" * 32, "ÿ", "\ud800", {}, []]),
)
PLACE = st.integers(0, len(SIGNED) + 1)


def _set(lines: list[str], at: int, member: str, value: object) -> list[str]:
    fields = json.loads(lines[at])
    fields[member] = value
    return [*lines[:at], json.dumps(fields), *lines[at + 1 :]]


def _set_body(lines: list[str], at: int, member: str, value: object) -> list[str]:
    """Return the lines with a member of one body changed, and all hashes from there on made to fit."""
    fields = json.loads(lines[at])
    fields["body"] = json.dumps({**json.loads(fields["body"]), member: value}, separators=(",", ":"))
    return resealed([*lines[:at], json.dumps(fields), *lines[at + 1 :]])


MEMBERS = st.sampled_from(["seq", "prev", "hash", "stream", "body", "payload", "tenant", "head", "count", "checkpoint"])
BODY_MEMBERS = st.sampled_from([*standalone.BODY_TYPES, "more"])
CHANGES: st.SearchStrategy[Callable[[list[str]], list[str]]] = st.one_of(
    st.builds(lambda at, member, value: lambda lines: _set(lines, at, member, value), PLACE, MEMBERS, VALUES),
    st.builds(lambda at, member, value: lambda lines: _set_body(lines, at, member, value), PLACE, BODY_MEMBERS, VALUES),
    st.builds(lambda at: lambda lines: lines[:at] + lines[at + 1 :], PLACE),
    st.builds(lambda at, to: lambda lines: [*lines[:to], lines[at], *lines[to:]], PLACE, PLACE),
    st.builds(lambda at, word: lambda lines: [*lines[:at], word, *lines[at:]], PLACE, st.sampled_from(["{", "[]", ""])),
    st.builds(lambda at: lambda lines: lines[:at], PLACE),
    st.builds(lambda at: lambda lines: cut(lines, at), PLACE),
    st.builds(lambda at: lambda lines: lines[:1] + lines[at:], PLACE),
    st.builds(lambda seq: lambda lines: resealed(lines, seq), PLACE),
)


def _tampered(changes: list[Callable[[list[str]], list[str]]]) -> list[str]:
    lines = list(SIGNED)
    for change in changes:
        try:
            lines = change(lines)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            continue  # an earlier change left nothing for this one
    return lines


def _both(files: list[list[str]], keys: list[SigningKey], notes: list[str]) -> tuple[object, object]:
    """Return what each verifier found, in the same words."""
    ours = verify_exports(files, keys=[key.public for key in keys], checkpoints=notes)
    theirs = standalone.verify(files, [standalone.read_key(str(key.public)) for key in keys], notes)
    signed = ours.witnessed.checkpoint.seq if ours.witnessed else None
    return (
        (ours.ok, ours.count, ours.first_bad_seq, ours.bad, signed),
        (theirs.ok, theirs.count, theirs.first_bad_seq, len(theirs.problems), theirs.signed and theirs.signed.seq),
    )


NOTES = st.one_of(
    st.sampled_from([ANCHOR, "garbage", "", "\n\n\n", ANCHOR[:-1], ANCHOR.replace("— ", "- "), ANCHOR + ANCHOR]),
    st.builds(
        lambda key, text: str(key.sign(text)),
        st.sampled_from([KEY, OTHER_KEY]),
        st.sampled_from(
            [
                ANCHOR.split("\n\n")[0] + "\n",
                ANCHOR.split("\n\n")[0] + "\nextension\n",
                f"ledger.example.org/globex\n1\n{'A' * 43}=\n",
                f"other.example/acme\n1\n{'A' * 43}=\n",
                f"ledger.example.org/acme\n2\n{'A' * 43}=\n",
                f"ledger.example.org/acme\n99\n{'A' * 43}=\n",
                f"ledger.example.org/acme\n0\n{'A' * 43}=\n",
                "ledger.example.org/acme\n1\nAAAA\n",
                "ledger.example.org/acme\n1\n????\n",
                "acme\n1\n",
                "\n",
            ]
        ),
    ),
    st.builds(
        lambda at, other: ANCHOR[:at] + other + ANCHOR[at + 1 :], st.integers(0, len(ANCHOR)), st.text(max_size=1)
    ),
)


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(CHANGES, max_size=3),
    st.sampled_from([[], [KEY], [OTHER_KEY], [OTHER_KEY, KEY]]),
    st.one_of(st.just([]), NOTES.map(lambda note: [note])),
)
def test_both_verifiers_say_the_same(
    changes: list[Callable[[list[str]], list[str]]], keys: list[SigningKey], notes: list[str]
) -> None:
    """Whatever is done to a file: the same verdict, the same first bad entry, as many findings."""
    ours, theirs = _both([_tampered(changes)], keys, notes)
    assert ours == theirs


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(1, len(SIGNED) - 2), BODY_MEMBERS, VALUES)
def test_both_judge_bodies_the_same(at: int, member: str, value: object) -> None:
    """A body that fits its hash and is no event of ours: each verifier knows every member, its type and its rules."""
    ours, theirs = _both([_set_body(SIGNED, at, member, value)], [], [])
    assert ours == theirs


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(CHANGES, max_size=1), st.integers(0, 8), st.booleans())
def test_both_read_segments_the_same(
    changes: list[Callable[[list[str]], list[str]]],
    border: int,
    with_segment: bool,  # noqa: FBT001 - drawn
) -> None:
    """A chain in two files is one chain, and a missing first file is allowed only where an archive is on record."""
    lines = _tampered(changes)
    first, rest = cut(SIGNED, border) if border else SIGNED[:1], [lines[0], *lines[border + 1 :]] if lines else []
    files = [first, rest] if with_segment and border else [rest]
    ours, theirs = _both(files, [KEY], [])
    assert ours == theirs


def test_a_chain_may_begin_late_only_behind_a_recorded_archive() -> None:
    """Cutting entries off at the front is found, unless the chain itself says that they were archived."""
    for border in range(1, 8):
        found = verify_export([SIGNED[0], *SIGNED[border + 1 :]])
        expected = border <= 2
        count = len(SIGNED) - 2 - border
        assert found.problem == "" or not expected or "the trailer counts" in found.problem
        assert (found.first_bad_seq == 1) is not expected
        with_count = [SIGNED[0], *SIGNED[border + 1 : -1], json.dumps({**json.loads(SIGNED[-1]), "count": count})]
        assert verify_export(with_count).ok is expected
        whole = [cut([_unsigned(SIGNED[0]), *SIGNED[1:]], border), with_count]
        assert verify_exports(whole, keys=[KEY.public]).ok


def _unsigned(header: str) -> str:
    return json.dumps({**json.loads(header), "checkpoint": None})
