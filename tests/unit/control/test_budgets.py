"""Budgets as every surface offers them, on a gear in memory: what is left, what was spent on what, and for whom."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from switchgear.assembly import Switchgear
from switchgear.control.budgets import PERIOD_PATTERN
from switchgear.control.use_cases import TENANT_PERMISSIONS
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid, Rejected
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.contract import Call
from switchgear.ledger.events import read

BUDGETS = """
[store]
url = "memory://"

[[budgets]]
name = "agents"
limit = 10
soft = 0.5

[[budgets]]
name = "mail"
limit = 3
period = "day"
connector = "mail"
each = ["account"]

[[budgets]]
name = "ever"
period = "total"
"""


@asynccontextmanager
async def gated(folder: Path, text: str = BUDGETS) -> AsyncIterator[Switchgear]:
    """Run a gear with budgets, on a clock that stands still in November 2023."""
    file = folder / "switchgear.toml"
    file.write_text(text, encoding="utf-8")
    clock = VirtualClock()
    async with Switchgear.open(file, start=False, clock=clock) as gear:

        @gear.tool("crm.update", effect="keyed", cost=2)
        async def update(call: Call) -> int:
            return call.attempt

        @gear.tool("mail.send", effect="opaque", cost=3)
        async def send(_call: Call, *, lost: bool = False) -> None:
            if lost:
                raise ConnectionResetError("the line broke")

        yield gear


async def spend(gear: Switchgear, tool: str, key: str, tenant: str = "acme", **options: Any) -> str:
    """Carry one action out and return its state."""
    account = options.pop("account", "main")
    acting = gear.acting_as(tenant=tenant, account=account, actor="service:orders")
    intent = await acting.submit(tool, options, key=key)
    await gear.run_until_idle()
    return (await intent.refresh()).state


async def spent(gear: Switchgear) -> None:
    """Spend a little of everything."""
    assert await spend(gear, "crm.update", "k1") == "succeeded"
    assert await spend(gear, "mail.send", "k2") == "succeeded"
    assert await spend(gear, "mail.send", "k3", account="billing", lost=True) == "in_doubt"
    assert await spend(gear, "crm.update", "k4", tenant="globex") == "succeeded"


def acting(gear: Switchgear) -> Any:  # noqa: ANN401 - the budgets of a principal
    """Return the budgets as acme sees them."""
    return gear.acting_as(tenant="acme", account="main", actor="person:kim").budgets


async def test_each_budget_is_shown_as_it_stands(tmp_path: Path) -> None:
    """What is held counts as used; a budget that tells accounts apart has a row for each that spent something.

    Before anybody has, each configured limit is shown with nothing used: an empty list would say that there is none.
    """
    async with gated(tmp_path) as gear:
        assert [(view.budget, view.used, view.left, view.each) for view in await acting(gear).list()] == [
            ("agents", 0, 10, ()),
            ("mail", 0, 3, ("account",)),
            ("ever", 0, None, ()),
        ]
        await spent(gear)
        shown = [
            (view.budget, view.period, view.account, view.used, view.held, view.limit, view.left, view.state)
            for view in await acting(gear).list()
        ]
        assert shown == [
            ("agents", "2023-11", None, 8, 3, 10, 2, "soft_limit"),
            ("mail", "2023-11-14", "billing", 3, 3, 3, 0, "exhausted"),
            ("mail", "2023-11-14", "main", 3, 0, 3, 0, "exhausted"),
            ("ever", "total", None, 8, 3, None, None, "open"),
        ]
        agents = (await acting(gear).list())[0]
        assert (agents.starts_at, agents.ends_at, agents.tenant) == (1_698_796_800.0, 1_701_388_800.0, "acme")


@pytest.mark.parametrize(
    ("by", "lines"),
    [
        (("tool",), [(None, None, "crm.update", 2, 0, 2), (None, None, "mail.send", 6, 3, 3)]),
        (("connector",), [(None, "crm", None, 2, 0, 2), (None, "mail", None, 6, 3, 3)]),
        (("account",), [("billing", None, None, 3, 3, 0), ("main", None, None, 5, 0, 5)]),
        (
            ("account", "connector", "tool", "day"),
            [
                ("billing", "mail", "mail.send", 3, 3, 0),
                ("main", "crm", "crm.update", 2, 0, 2),
                ("main", "mail", "mail.send", 3, 0, 3),
            ],
        ),
    ],
)
@pytest.mark.parametrize("period", ["2023-11-14", "2023-11", "2023", "total", None])
async def test_costs_are_added_up_by_what_is_asked_for(
    tmp_path: Path, by: tuple[str, ...], lines: list[object], period: str | None
) -> None:
    """Used is settled plus held in each line, in any period that holds the day."""
    async with gated(tmp_path) as gear:
        await spent(gear)
        report = await acting(gear).report(by=by, period=period)
        found = [(line.account, line.connector, line.tool, line.used, line.held, line.settled) for line in report.items]
        assert found == lines
        day, whole = "2023-11-14", period or "2023-11"
        assert {line.period for line in report.items} == {day if "day" in by else whole}


async def test_a_report_by_budget_has_limits_and_past_periods(tmp_path: Path) -> None:
    """Each period of each budget has a line; one without an end is in every report."""
    async with gated(tmp_path) as gear:
        await spent(gear)
        gear.clock.advance(86_400.0)  # type: ignore[attr-defined] # the clock of this gear is virtual
        assert await spend(gear, "crm.update", "k9") == "succeeded"
        report = await acting(gear).report(period="2023-11")
        lines = [(line.budget, line.period, line.account, line.used, line.limit, line.left) for line in report.items]
        assert lines == [
            ("agents", "2023-11", None, 10, 10, 0),
            ("mail", "2023-11-14", "billing", 3, 3, 0),
            ("mail", "2023-11-14", "main", 3, 3, 0),
            ("ever", "total", None, 10, None, None),
        ]
        nothing = await acting(gear).report(period="2022")
        assert [line.budget for line in nothing.items] == ["ever"]


async def test_csv_says_the_same(tmp_path: Path) -> None:
    """Every member is a column, what is not told apart is empty, and lines end as RFC 4180 wants."""
    async with gated(tmp_path) as gear:
        await spent(gear)
        text = await acting(gear).csv(by=("tool",))
        report = await acting(gear).report(by=("tool",))
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(row["tool"], int(row["used"]), row["limit"]) for row in rows] == [
            (line.tool, line.used, "") for line in report.items
        ]
        assert text.startswith("tenant,period,budget,account,connector,tool,used,held,settled,limit,left\r\n")


@pytest.mark.parametrize(
    "asked",
    [
        {"period": "2023-1"},
        {"period": "last month"},
        {"period": ""},
        {"by": ()},
        {"by": ("colour",)},
        {"by": ("budget", "tool")},
        {"period": "2023-11-14T22"},
    ],
)
async def test_a_report_that_cannot_be_is_refused(tmp_path: Path, asked: dict[str, Any]) -> None:
    """What is wrong with it is said; nothing is guessed."""
    async with gated(tmp_path) as gear:
        with pytest.raises(Invalid):
            await acting(gear).report(**asked)


async def test_only_the_platform_sees_every_tenant_and_that_is_on_record(tmp_path: Path) -> None:
    """Law 9: a tenant sees its own spending; each reading across tenants is an entry in the platform's chain."""
    async with gated(tmp_path) as gear:
        await spent(gear)
        assert {line.tenant for line in (await acting(gear).report(by=("tool",))).items} == {"acme"}
        narrow = Principal("acme", "person:kim", frozenset({"main"}), frozenset(TENANT_PERMISSIONS))
        with pytest.raises(Denied) as refused:
            await gear.control.budgets.report(narrow, by=("tool",), every_tenant=True)
        assert refused.value.code is Code.PERMISSION_DENIED
        platform = gear.acting_as_platform(actor="person:root").budgets
        found = await platform.report(by=("connector",), every_tenant=True)
        assert [(line.tenant, line.connector, line.used) for line in found.items] == [
            ("acme", "crm", 2),
            ("acme", "mail", 6),
            ("globex", "crm", 2),
        ]
        reading = read((await gear.store.entries(PLATFORM_TENANT))[-1])
        assert (reading.type, reading.actor, reading.facts["by"]) == (
            "platform.budgets_read",
            "person:root",
            ["connector"],
        )


async def test_the_door_refuses_what_no_budget_covers(tmp_path: Path) -> None:
    """BUDGET_EXCEEDED with the time until the next period, before anything is recorded of it."""
    async with gated(tmp_path) as gear:
        await spend(gear, "mail.send", "k1")
        with pytest.raises(Rejected) as refused:
            await spend(gear, "mail.send", "k2")
        assert (refused.value.code, refused.value.dependency) == (Code.BUDGET_EXCEEDED, "mail")
        assert 0 < (refused.value.retry_after or 0.0) <= 6_400.0


async def test_verifying_the_ledger_counts_budgets_again(tmp_path: Path) -> None:
    """The counters are a cache of the ledger as well."""
    async with gated(tmp_path) as gear:
        await spent(gear)
        who = Principal("acme", "person:kim", frozenset({"main"}), frozenset(TENANT_PERMISSIONS))
        verified = await gear.control.ledger.verify(who)
        assert (verified.ok, verified.budgets_match) == (True, True)


async def test_without_budgets_nothing_is_counted(tmp_path: Path) -> None:
    """A gear that has none writes no counters, and reports nothing."""
    async with gated(tmp_path, '[store]\nurl = "memory://"\n') as gear:
        await spend(gear, "crm.update", "k1")
        assert await acting(gear).list() == []
        assert (await acting(gear).report(by=("tool",))).items == []


def test_period_is_one_that_can_be() -> None:
    """Every year, month and day of the calendar, and no other: of no time, nothing could have been spent."""
    first = date(1999, 1, 1)
    real = {(first + timedelta(days=number)).isoformat() for number in range(2_000)}
    written = {f"{y}-{m:02}-{d:02}" for y in range(1999, 2004) for m in range(14) for d in range(33)}
    assert {text for text in written if re.fullmatch(PERIOD_PATTERN, text)} == real & written
    centuries = ("1900-02-29", "2000-02-29", "2100-02-29")
    assert [text for text in centuries if re.fullmatch(PERIOD_PATTERN, text)] == ["2000-02-29"]
    for text in ("2026", "2026-01", "2026-12", "total"):
        assert re.fullmatch(PERIOD_PATTERN, text)
    for text in ("0000", "2026-00", "2026-13", "2026-1", "26", "Total", "2026-11-"):
        assert not re.fullmatch(PERIOD_PATTERN, text)
