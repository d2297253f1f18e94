"""Law 11: whatever one thing is changed in an export, the verifier finds it, at the right sequence."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from switchgear.core.scope import Scope
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.export import export_lines
from switchgear.ledger.verify import verify_export
from switchgear.storage.abilities import Append
from switchgear.storage.memory import MemoryStore

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
