"""Budgets: calendar periods, keys of counters, which action draws on what, and when the gate says no."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from switchgear.core.codes import FACTS, Code
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError, Rejected
from switchgear.gates.budget import NEVER_STOPPED, Budget, BudgetGate, Budgets
from switchgear.gates.budget_book import TENANTS_MAX, BudgetBook
from switchgear.gates.budget_names import HELD, USED, CounterName, Period, counter_key, counter_name
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, Stage
from switchgear.storage.abilities import Count

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC).timestamp()
UPDATE = GateRequest(
    stage=Stage.DISPATCH,
    intent_id="int_1",
    tenant="acme",
    account="main",
    actor="agent:seven",
    tool="crm.update",
    contract="c1",
    requires=("crm", "mail"),
    effect=Effect.KEYED,
    destructive=False,
    cost=2,
    payload="p1",
    at=NOW,
    deadline_at=NOW + 60.0,
)
COST = "*/2026-11-21/account=main/connector=crm/tool=crm.update"


def gate(*budgets: Budget, book: BudgetBook | None = None) -> BudgetGate:
    """Return a gate over `budgets`, which knows that acme has spent nothing unless `book` says otherwise."""
    return BudgetGate(Budgets(budgets), book or known())


def known(**used: int) -> BudgetBook:
    """Return a book that knows what acme has used, by key with _ for -."""
    book = BudgetBook()
    book.begin("acme", 7)
    book.learn("acme", {key.replace("_", "-"): units for key, units in used.items()}, 7)
    return book


def refusal(request: GateRequest, *budgets: Budget, book: BudgetBook | None = None) -> Rejected:
    """Return the refusal of `request`."""
    with pytest.raises(Rejected) as refused:
        gate(*budgets, book=book).check(request)
    return refused.value


@pytest.mark.parametrize(
    ("period", "at", "label", "starts", "ends"),
    [
        ("hour", "2026-11-21T10:30:00", "2026-11-21T10", "2026-11-21T10:00:00", "2026-11-21T11:00:00"),
        ("hour", "2026-12-31T23:59:59", "2026-12-31T23", "2026-12-31T23:00:00", "2027-01-01T00:00:00"),
        ("day", "2026-02-28T00:00:00", "2026-02-28", "2026-02-28T00:00:00", "2026-03-01T00:00:00"),
        ("day", "2028-02-28T23:59:59", "2028-02-28", "2028-02-28T00:00:00", "2028-02-29T00:00:00"),
        ("month", "2026-11-21T10:30:00", "2026-11", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        ("month", "2026-12-31T23:59:59", "2026-12", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_periods_are_those_of_the_calendar_in_utc(period: str, at: str, label: str, starts: str, ends: str) -> None:
    """A period begins and ends with the calendar's; its last moment belongs to it, the next one to the next."""
    moment, begin, end = (datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in (at, starts, ends))
    kind = Period(period)
    assert (kind.label(moment), kind.starts_at(moment), kind.ends_at(moment)) == (label, begin, end)
    assert kind.label(end) != label
    assert kind.label(begin) == label


def test_a_total_never_begins_anew() -> None:
    """It has one name for ever, and no end to wait for."""
    assert (Period.TOTAL.label(NOW), Period.TOTAL.starts_at(NOW), Period.TOTAL.ends_at(NOW)) == ("total", None, None)


@pytest.mark.parametrize("account", ["main", "a/b", "a=b", "a%2Fb", "team:x@y+z"])
def test_a_key_says_what_it_counts(account: str) -> None:
    """Names that hold the signs of a key are told apart all the same."""
    key = counter_key("agents", "2026-11", {"account": account, "tool": "crm.update"})
    assert counter_name(key) == CounterName("agents", "2026-11", account, None, "crm.update")
    assert key.count("/") == 3


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "a/b"},
        {"name": "*"},
        {"limit": -1},
        {"limit": 10**15 + 1},
        {"soft": 0.0},
        {"soft": 1.1},
        {"each": ("tenant",)},
    ],
)
def test_budgets_that_cannot_work_are_refused_at_birth(options: dict[str, Any]) -> None:
    """Names that would break keys, limits below 0 and shares beyond 1 are named as such."""
    with pytest.raises(OptionError):
        Budget(**{"name": "agents", **options})


def test_two_budgets_of_one_name_and_tenant_are_refused() -> None:
    """Nobody could say which of the two holds."""
    with pytest.raises(OptionError, match="two budgets"):
        Budgets([Budget(name="agents"), Budget(name="agents", limit=3)])


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ({}, True),
        ({"tenant": "acme", "account": "main", "connector": "crm", "tool": "crm.update"}, True),
        ({"tool": "crm.*", "connector": "c*"}, True),
        ({"tenant": "globex"}, False),
        ({"account": "other"}, False),
        ({"connector": "mail"}, False),
        ({"tool": "mail.*"}, False),
    ],
)
def test_a_budget_is_drawn_on_by_what_fits_every_pattern(options: dict[str, Any], *, fits: bool) -> None:
    """The connector is the first dependency; the others are no cost of this action."""
    passed = gate(Budget(name="agents", limit=5, **options)).check(UPDATE)
    assert (passed is not NO_CONDITIONS) == fits


def test_a_dispatch_charges_every_budget_and_its_line_of_costs_together() -> None:
    """Used counts within the limit, held without one, and the event says which keys hold how much."""
    budgets = (Budget(name="agents", limit=5), Budget(name="crm", period=Period.DAY, each=("account",)))
    agents, crm = "agents/2026-11", "crm/2026-11-21/account=main"
    assert gate(*budgets).check(UPDATE) == Conditions(
        counts=(
            Count(USED, agents, 2, 5),
            Count(USED, crm, 2, None),
            Count(USED, COST, 2, None),
            Count(HELD, agents, 2),
            Count(HELD, crm, 2),
            Count(HELD, COST, 2),
        ),
        reserved={agents: 2, crm: 2, COST: 2},
    )


@pytest.mark.parametrize(
    "changed", [{"stage": Stage.ADMISSION}, {"reserved": True}, {"cost": 0}, {"tool": "mail.send"}]
)
def test_what_is_not_to_be_charged_passes_without_conditions(changed: dict[str, Any]) -> None:
    """A quote reserves nothing, a repeat is charged nothing again, and what costs nothing or fits nothing is free."""
    found = gate(Budget(name="agents", limit=5, tool="crm.*")).check(structs.replace(UPDATE, **changed))
    assert found is NO_CONDITIONS


@pytest.mark.parametrize("stage", list(Stage))
def test_what_a_budget_cannot_cover_is_refused(stage: Stage) -> None:
    """The refusal names the budget, says what is left, and comes back when the period ends: a limit of the caller."""
    asked, used = structs.replace(UPDATE, stage=stage), known(**{"agents/2026_11": 4})
    full = refusal(asked, Budget(name="agents", limit=5), book=used)
    assert (full.code, full.policy, full.dependency, full.state) == (
        Code.BUDGET_EXCEEDED,
        "budget",
        "agents",
        "exhausted",
    )
    assert full.retry_after == datetime(2026, 12, 1, tzinfo=UTC).timestamp() - NOW
    assert full.decision == "defer"
    assert "1 of 5 units left" in full.message
    assert FACTS[full.code].http_status == 429


def test_exactly_what_is_left_can_be_spent() -> None:
    """A budget is spent at its limit, not before it."""
    gate(Budget(name="agents", limit=6), book=known(**{"agents/2026_11": 4})).check(UPDATE)


def test_waiting_is_not_offered_where_it_does_not_help() -> None:
    """A total never begins anew, and what costs more than the whole limit never fits."""
    for budget in (Budget(name="agents", limit=0, period=Period.TOTAL), Budget(name="agents", limit=1)):
        refused = refusal(UPDATE, budget)
        assert (refused.retry_after, refused.decision) == (None, "reject")


def test_of_several_full_budgets_the_longest_wait_is_named() -> None:
    """Coming back earlier would only meet the other one."""
    book = known(**{"hourly/2026_11_21T10": 9, "monthly/2026_11": 9})
    hourly, monthly = Budget(name="hourly", limit=9, period=Period.HOUR), Budget(name="monthly", limit=9)
    assert refusal(UPDATE, monthly, hourly, book=book).dependency == "monthly"
    total = Budget(name="total", limit=0, period=Period.TOTAL)
    assert refusal(UPDATE, monthly, total, hourly, book=book).dependency == "total"


@pytest.mark.parametrize("purpose", sorted(NEVER_STOPPED))
def test_finding_out_and_undoing_never_want_for_budget(purpose: str) -> None:
    """They are counted without a limit: an action is not left in doubt, or in force, to save units."""
    passed = gate(Budget(name="agents", limit=0)).check(structs.replace(UPDATE, purpose=purpose))
    assert [count.limit for count in passed.counts] == [None] * 4
    assert refusal(structs.replace(UPDATE, purpose="step"), Budget(name="agents", limit=0)).code is Code.BUDGET_EXCEEDED


def test_the_first_budget_of_a_name_that_names_a_tenant_is_that_tenant_s() -> None:
    """One tenant can have a limit of its own."""
    ours = (Budget(name="agents", tenant="acme", limit=100), Budget(name="agents", limit=1))
    assert gate(*ours).check(UPDATE).counts[0].limit == 100
    assert refusal(structs.replace(UPDATE, tenant="globex"), *ours).code is Code.BUDGET_EXCEEDED


def test_what_a_counter_in_the_store_refused_is_remembered_until_it_moves() -> None:
    """Nothing is let go that would only be held again; what is given back makes room."""
    book, budget = known(**{"agents/2026_11": 1}), Budget(name="agents", limit=5)
    book.full("acme", "agents/2026-11", 1)
    assert refusal(UPDATE, budget, book=book).state == "exhausted"
    gate(budget, book=book).check(structs.replace(UPDATE, cost=1))
    book.count("acme", "agents/2026-11", -1, 8)
    gate(budget, book=book).check(UPDATE)


def test_a_tenant_that_nothing_is_known_of_passes_and_is_asked_about() -> None:
    """The book never says no by itself: the counter in the store decides."""
    book = BudgetBook()
    gate(Budget(name="agents", limit=5), book=book).check(UPDATE)
    assert book.take_unheard() == ["acme"]


@pytest.mark.parametrize("told", [False, True])
def test_an_answer_of_the_store_is_not_taken_when_something_was_counted_meanwhile(*, told: bool) -> None:
    """It may hold that or not; after some tries it is taken anyway, since the store decides, and soon read again."""
    book = known()
    book.begin("acme", 9)
    if told:
        assert book.count("acme", "agents/2026-11", 3, 10) == 3
    assert not book.learn("acme", {"agents/2026-11": 4}, 9 if told else 10)
    assert book.used("acme", "agents/2026-11") == (3 if told else 0)
    assert book.learn("acme", {"agents/2026-11": 4}, 10, anyway=True)
    assert book.used("acme", "agents/2026-11") == 4
    assert book.take_unheard() == ["acme"]


def test_what_was_counted_before_a_read_is_in_it() -> None:
    """However late it is heard of: the sequence of its append says so, and it does not spoil a read that is exact."""
    book = known(**{"agents/2026_11": 4})
    assert book.count("acme", "agents/2026-11", 3, 7) is None
    book.begin("acme", 9)
    assert book.count("acme", "agents/2026-11", 3, 9) == 7
    assert book.learn("acme", {"agents/2026-11": 7}, 9)
    assert [book.count("acme", "agents/2026-11", 3, seq) for seq in (8, 9, 10)] == [None, None, 10]
    assert book.take_unheard() == []


def test_the_book_is_bounded() -> None:
    """The tenant known longest makes place, and is asked about again."""
    book = BudgetBook()
    for number in range(TENANTS_MAX + 1):
        book.begin(f"t{number}", 1)
        book.learn(f"t{number}", {"agents/total": 1}, 1)
    assert (book.used("t0", "agents/total"), book.used("t1", "agents/total")) == (0, 1)
    assert book.take_unheard() == ["t0"]


def test_a_new_tenant_has_spent_nothing_once_all_others_are_known() -> None:
    """Its first actions count right away; until its counters are bounded out, nobody is taken for new."""
    book = BudgetBook()
    book.complete()
    assert (book.count("acme", "agents/total", 2, 1), book.used("acme", "agents/total")) == (2, 2)
    assert book.take_unheard() == ["acme"]
    for number in range(TENANTS_MAX):
        book.used(f"t{number}", "agents/total")
    book.take_unheard()
    assert book.count("acme", "agents/total", 2, 2) is None
    assert book.take_unheard() == ["acme"]


def test_periods_that_ended_are_forgotten() -> None:
    """Nothing asks for the past, so nothing of it is kept."""
    book = known(**{"agents/2026_11": 4, "agents/2026_12": 1, "agents/total": 9})
    book.full("acme", "agents/2026-11", 0)
    book.keep(frozenset({"2026-12", "total"}))
    assert [book.used("acme", f"agents/{label}") for label in ("2026-11", "2026-12", "total")] == [0, 1, 9]
    assert book.room_found("acme", "agents/2026-11") is None
