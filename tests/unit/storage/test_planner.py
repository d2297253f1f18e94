"""The pure planner: verdicts, entries, rows, counters and heads of a group of appends."""

from __future__ import annotations

import pytest

from switchgear.core.errors import Invalid
from switchgear.storage.abilities import GENESIS, Append, Committed, Conflicted, Count, Exceeded, Expect
from switchgear.storage.checks import COUNTER_MAX
from switchgear.storage.planner import Plan, counted, needed, plan, unproven
from switchgear.testing.storage_scenes import append, suite_seal, write

Numbers = dict[tuple[str, str, str], int]
USED = ("space", "acme", "used")


def planned(*appends: Append, versions: Numbers | None = None, counters: Numbers | None = None) -> Plan:
    """Plan against an empty store with some versions and counters."""
    return plan(list(appends), dict(versions or {}), dict(counters or {}), {}, suite_seal)


def counting(number: int, amount: int, limit: int | None = None, key: str = "used") -> Append:
    """Return an append of one event that counts."""
    return append(number, counts=(Count("space", key, amount, limit),))


def test_a_group_is_decided_in_order() -> None:
    """Each append sees the effect of the accepted ones before it, within one group."""
    group = planned(append(0, writes=(write("k", 0),)), append(1, writes=(write("k", 1),)))
    assert group.verdicts == [Committed(1), Committed(2)]
    assert group.born == {("space", "acme", "k"): (2, "", b"v")}


def test_a_conflict_leaves_no_trace() -> None:
    """A refused append takes no sequence and no row, so its neighbours cannot tell."""
    refused = append(1, writes=(write("new", 0), write("k", 5)))
    group = planned(append(0), refused, append(2), versions={("space", "acme", "k"): 3})
    assert group.verdicts == [Committed(1), Conflicted("space", "acme", "k", 5, 3), Committed(2)]
    assert group.rows == group.born == {}
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


def test_a_counter_is_decided_in_order() -> None:
    """Each append sees what the accepted ones before it counted; one that exceeds leaves no trace."""
    group = planned(counting(0, 3, 5), counting(1, 3, 5), counting(2, 2, 5), counters={USED: 0})
    assert group.verdicts == [Committed(1), Exceeded("space", "acme", "used", 3, 5, 3), Committed(2)]
    assert group.counters == {USED: 5}
    assert [entry[4] for entry in group.entries] == ["a-0", "a-2"]


@pytest.mark.parametrize(("amount", "limit"), [(0, 1), (-1, 1), (-100, 0), (7, None), (2, 7)])
def test_what_gives_back_or_has_no_limit_never_exceeds(amount: int, limit: int | None) -> None:
    """A counter that is above a limit already can be lowered and looked at, but not raised."""
    found = planned(counting(0, amount, limit), counters={USED: 5})
    assert found.counters == {USED: 5 + amount}


def test_one_counter_over_its_limit_refuses_the_whole_append() -> None:
    """Counts, rows and events commit together: what came before the full counter is not counted either."""
    both = (Count("space", "free", 1, 9), Count("space", "used", 1, 5))
    refused = append(0, counts=both, writes=(write("k", 0),))
    group = planned(refused, counters={USED: 5})
    assert group.verdicts == [Exceeded("space", "acme", "used", 1, 5, 5)]
    assert group.writes_nothing


def test_versions_are_looked_at_before_counters() -> None:
    """An append that was committed and is sent again conflicts, so that it is looked up and not called refused."""
    again = append(0, counts=(Count("space", "used", 1, 1),), writes=(write("k", 0),))
    group = planned(again, versions={("space", "acme", "k"): 1}, counters={USED: 1})
    assert group.verdicts == [Conflicted("space", "acme", "k", 0, 1)]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_counter_that_would_leave_its_range_is_the_callers_mistake(sign: int) -> None:
    """63 bits are never overrun; the neighbours in the group are untouched."""
    group = planned(counting(0, sign), counting(1, sign, key="other"), counters={USED: sign * COUNTER_MAX})
    assert isinstance(group.verdicts[0], Invalid)
    assert group.verdicts[1] == Committed(1)
    assert group.counters == {("space", "acme", "other"): sign}


def test_counting_alone_is_something_to_write() -> None:
    """An append of nothing but a count commits, at the sequence that the chain has."""
    group = planned(append(0, events=0, counts=(Count("space", "used", 0),)))
    assert group.verdicts == [Committed(0)]
    assert not group.writes_nothing


def test_counted_names_the_counters_of_the_appends_tenant() -> None:
    """Every counter that decides is fetched, and nothing for appends that count nothing."""
    assert counted([counting(0, 1), append(1)]) == {USED}


def test_needed_names_rows_of_writes_and_expectations() -> None:
    """Every row that decides is fetched, under the tenant it belongs to."""
    asked = append(0, writes=(write("k", 0),), expects=(Expect("switches", "@platform", "global", 2),))
    assert needed([asked]) == {("space", "acme", "k"), ("switches", "@platform", "global")}


def test_rows_that_are_to_be_made_may_be_presumed_to_be_new() -> None:
    """Only what has to be there already is looked up then, and what is expected not to be."""
    written, new = write("k", 1), write("new", 0)
    asked = append(0, writes=(written, new), expects=(Expect("switches", "@platform", "global", 0),))
    assert needed([asked], presuming=True) == {("space", "acme", "k"), ("switches", "@platform", "global")}


def test_a_presumption_is_to_be_proven_where_nothing_was_written() -> None:
    """A row that an accepted append makes is proven by making it; one of a refused append is looked up."""
    versions = {("space", "acme", "k"): 3}
    group = plan(
        [append(0, writes=(write("made", 0),)), append(1, writes=(write("new", 0), write("made", 0), write("k", 3)))],
        versions,
        {},
        {},
        suite_seal,
    )
    assert [type(verdict) for verdict in group.verdicts] == [Committed, Conflicted]
    assert unproven(group, versions) == {("space", "acme", "new")}
