"""What memory holds of doubts: the latest moment counts, and everything is bounded."""

from __future__ import annotations

from switchgear.execution.doubt_book import DoubtBook
from switchgear.execution.intent import Intent
from switchgear.execution.transitions import State
from tests.unit.execution.test_intent import intent


def doubt(number: int = 0, state: State = State.IN_DOUBT, tenant: str = "acme", since: float = 10.0) -> Intent:
    """Return an intent in doubt."""
    return intent(id=f"int_{number:032x}", state=state, tenant=tenant, doubtful=True, doubt_since=since)


def test_the_latest_moment_counts() -> None:
    """A doubt that is put off is not looked at when it was said first."""
    book = DoubtBook(10)
    book.put(doubt(), 5.0)
    book.put(doubt(), 9.0)
    assert (book.due(8.0), book.next_moment()) == ([], 9.0)
    assert book.due(9.0) == [("acme", doubt().id)]
    assert book.due(99.0) == []


def test_what_has_not_changed_can_be_looked_at_again() -> None:
    """Once it is settled, no earlier plan brings it back."""
    book = DoubtBook(10)
    book.put(doubt(), 5.0)
    assert len(book.due(5.0)) == 1
    book.put_again(doubt().id, 7.0)
    assert len(book.due(7.0)) == 1
    book.put_again(doubt().id, 8.0)
    book.forget(doubt().id)
    book.put_again(doubt().id, 8.0)
    assert (book.due(9.0), book.holds(doubt().id)) == ([], False)


def test_what_waits_for_a_person_has_no_moment() -> None:
    """It is counted, and never due."""
    book = DoubtBook(10)
    book.put(doubt(), 5.0)
    book.put(doubt(state=State.NEEDS_OPERATOR), 6.0)
    assert (book.due(99.0), book.waits_for_a_person(doubt().id), len(book.moving)) == ([], True, 0)
    assert book.report(30.0).of("acme").needs_operator == 1


def test_law_10_a_book_is_bounded_in_all_its_parts() -> None:
    """Doubts, those that wait for a person, and moments that were replaced."""
    book = DoubtBook(4)
    for number in range(9):
        book.put(doubt(number), 5.0)
        book.put(doubt(100 + number, State.NEEDS_OPERATOR), 0.0)
    assert (len(book.moving), len(book.resting), book.left_out, book.report(1.0).complete) == (4, 4, True, False)
    for turn in range(10_000):
        book.put(doubt(0), 10.0 + turn)
        book.due(0.0)
    assert len(book.moments) < 200
    assert len(book.due(1e9)) == 4


def test_a_full_book_of_waiting_persons_leaves_no_doubt_out() -> None:
    """What cannot be counted any more is not what has to be looked at."""
    book = DoubtBook(1)
    for number in range(3):
        book.put(doubt(number, State.NEEDS_OPERATOR), 0.0)
    book.put(doubt(9), 5.0)
    assert (book.left_out, book.holds(doubt(9).id), book.report(1.0).complete) == (False, True, False)


def test_a_report_counts_each_tenant_for_itself() -> None:
    """By state, with the age of the oldest."""
    book = DoubtBook(10)
    book.put(doubt(1, since=10.0), 5.0)
    book.put(doubt(2, State.RECONCILING, since=5.0), 5.0)
    book.put(doubt(3, State.NEEDS_OPERATOR, "globex", since=20.0), 5.0)
    report = book.report(30.0)
    acme, globex = report.tenants
    assert (acme.tenant, acme.in_doubt, acme.reconciling, acme.needs_operator, acme.oldest_since) == (
        "acme",
        1,
        1,
        0,
        5.0,
    )
    assert (globex.count, report.count, report.oldest_age) == (1, 3, 25.0)
    assert book.report(1.0).oldest_age == 0.0  # a wall clock that went back
