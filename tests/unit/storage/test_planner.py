"""The pure planner: verdicts, entries, rows and heads of a group of appends."""

from __future__ import annotations

from switchgear.storage.abilities import GENESIS, Committed, Conflicted, Expect
from switchgear.storage.planner import Plan, needed, plan
from switchgear.testing.storage import append, suite_seal, write


def planned(*appends: object, versions: dict[tuple[str, str, str], int] | None = None) -> Plan:
    """Plan against an empty store with some versions."""
    return plan(list(appends), dict(versions or {}), {}, suite_seal)  # type: ignore[arg-type] # helpers build them


def test_a_group_is_decided_in_order() -> None:
    """Each append sees the effect of the accepted ones before it, within one group."""
    group = planned(append(0, writes=(write("k", 0),)), append(1, writes=(write("k", 1),)))
    assert group.verdicts == [Committed(1), Committed(2)]
    assert group.rows == {("space", "acme", "k"): (2, "", b"v")}


def test_a_conflict_leaves_no_trace() -> None:
    """A refused append takes no sequence and no row, so its neighbours cannot tell."""
    refused = append(1, writes=(write("new", 0), write("k", 5)))
    group = planned(append(0), refused, append(2), versions={("space", "acme", "k"): 3})
    assert group.verdicts == [Committed(1), Conflicted("space", "acme", "k", 5, 3), Committed(2)]
    assert group.rows == {}
    assert [entry[4] for entry in group.entries] == ["a-0", "a-2"]


def test_entries_are_linked_over_the_group() -> None:
    """Each entry's previous hash is the hash of the one before; the head is the last."""
    group = planned(append(0, events=2), append(1))
    prev = GENESIS
    for seq, entry in enumerate(group.entries, start=1):
        assert entry[1:4] == (seq, prev, suite_seal(prev, seq, entry[6]))
        prev = entry[3]
    assert group.heads == {"acme": (3, prev)}


def test_an_append_without_events_moves_no_head() -> None:
    """Rows alone commit at the sequence that the chain has."""
    group = planned(append(0), append(1, events=0, writes=(write("k", 0),)))
    assert group.verdicts == [Committed(1), Committed(1)]
    assert not group.writes_nothing


def test_a_group_of_conflicts_writes_nothing() -> None:
    """The adapter can spare the sync."""
    assert planned(append(0, writes=(write("k", 1),))).writes_nothing


def test_needed_names_rows_of_writes_and_expectations() -> None:
    """Every row that decides is fetched, under the tenant it belongs to."""
    asked = append(0, writes=(write("k", 0),), expects=(Expect("switches", "@platform", "global", 2),))
    assert needed([asked]) == {("space", "acme", "k"), ("switches", "@platform", "global")}
