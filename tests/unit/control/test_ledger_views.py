"""What is shown of a ledger: an entry that cannot be read is shown as that, and findings are counted together."""

from __future__ import annotations

from switchgear.control.ledger_views import UNREADABLE, event_page, verification_view
from switchgear.execution.refold import FoldReport
from switchgear.ledger.verify import verify_export
from switchgear.storage.abilities import GENESIS, Entry
from tests.unit.ledger.signing import Book, resealed


async def test_one_unreadable_entry_does_not_hide_a_page() -> None:
    """It stands in its place with its code; the others are shown as ever, and the page goes on."""
    book = Book()
    await book.write(3)
    entries = list(await book.store.entries("acme"))
    entries[1] = Entry(2, "acme", 2, GENESIS, b"", "", "s1", b"\xff", None)
    page = event_page(entries, 2)
    assert [(item.seq, item.type) for item in page.items] == [(1, "noted"), (2, UNREADABLE)]
    assert page.items[1].facts["code"] == "LEDGER_CORRUPT"
    assert page.next_after == 2


async def test_findings_of_chain_and_fold_are_counted_together() -> None:
    """The first problem leads, all are counted, and a chain with any of them is not well."""
    book = Book()
    await book.write(3)
    chain = verify_export([*resealed(await book.lines())[:-2], "{", "{"])
    fold = FoldReport(2, "int_1", "00", 1, 0, ("intent int_1 is not what its events say",))
    view = verification_view("acme", chain, fold, ("budget counters differ",))
    assert (view.ok, view.bad, len(view.findings)) == (False, chain.bad + 2, chain.bad + 2)
    assert view.problem == chain.problem
    well = verification_view("acme", verify_export(await book.lines()), fold)
    assert (well.ok, well.problem, well.bad) == (False, "intent int_1 is not what its events say", 1)
