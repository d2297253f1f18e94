"""The document of a health check, and the thresholds of what goes into it: tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from switchgear.control.breakers import BreakerView
from switchgear.control.health_parts import (
    HealthLimits,
    Machine,
    breaker_parts,
    dependency_parts,
    doubt_parts,
    machine_parts,
    proof_part,
    queue_parts,
    readiness_parts,
)
from switchgear.control.health_views import health_view
from switchgear.core.errors import OptionError
from switchgear.execution.doubt_book import DoubtReport, TenantDoubts
from switchgear.health.report import Component, ComponentKind, Status
from switchgear.health.standing import Health, Standing

LIMITS = HealthLimits()
DISK = Component(
    name="disk", measurement="free", status=Status.PASS, public=True, kind=ComponentKind.SYSTEM, value=7, unit="bytes"
)
CRM = Component(name="breakers", measurement="state", status=Status.PASS, public=False, id="crm", value="closed")
MAIL = replace(CRM, status=Status.WARN, id="mail", value="open", output="tried again in 3.0 s")


def document(*components: Component, whole: bool) -> dict[str, Any]:
    """Return the document as it is sent."""
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(health_view(components, at=1_700_000_000.5, whole=whole))
    )
    return found


def test_the_document_is_the_drafts() -> None:
    """draft-inadarei-api-health-check-06: keys of name and measurement, each with a list; camel case; RFC 3339."""
    found = document(DISK, CRM, MAIL, whole=True)
    assert found["status"] == "warn"
    assert set(found) == {"status", "releaseId", "description", "checks"}
    assert found["checks"]["disk:free"] == [
        {
            "status": "pass",
            "componentType": "system",
            "time": "2023-11-14T22:13:20.500Z",
            "observedValue": 7,
            "observedUnit": "bytes",
        }
    ]
    crm, mail = found["checks"]["breakers:state"]
    assert (crm["componentId"], crm["observedValue"], "output" in crm) == ("crm", "closed", False)
    assert (mail["componentId"], mail["output"]) == ("mail", "tried again in 3.0 s")


def test_law_9_anybody_sees_how_it_stands_and_nothing_that_names_or_counts() -> None:
    """Without the platform's permission a part that is not public says no more than its worst status."""
    found = document(DISK, CRM, MAIL, whole=False)
    (one,) = found["checks"]["breakers:state"]
    assert set(one) == {"status", "componentType", "time"}
    assert one["status"] == found["status"] == "warn"
    assert found["checks"]["disk:free"][0]["observedValue"] == 7


def test_details_of_what_is_public_are_the_platforms() -> None:
    """What stands after the colon may name a file."""
    broken = Component(
        name="ledger", measurement="state", status=Status.FAIL, public=True, output="LEDGER_UNAVAILABLE: /srv/gear.db"
    )
    assert document(broken, whole=False)["checks"]["ledger:state"][0]["output"] == "LEDGER_UNAVAILABLE"
    assert "/srv/gear.db" in document(broken, whole=True)["checks"]["ledger:state"][0]["output"]


def test_nothing_to_say_passes() -> None:
    """A document without a component is a good one."""
    assert document(whole=False)["status"] == "pass"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((Status.PASS,), "pass"),
        ((Status.PASS, Status.WARN), "warn"),
        ((Status.FAIL, Status.WARN, Status.PASS), "fail"),
        ((Status.PASS, Status.FAIL), "fail"),
    ],
)
def test_the_whole_is_as_bad_as_its_worst_part(statuses: tuple[Status, ...], expected: str) -> None:
    """One failure fails the whole, also where nobody is shown which part it is."""
    components = [replace(CRM, id=str(number), status=status) for number, status in enumerate(statuses)]
    assert document(*components, whole=False)["status"] == expected


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (LIMITS.disk_warn_bytes, Status.PASS),
        (LIMITS.disk_warn_bytes - 1, Status.WARN),
        (LIMITS.disk_fail_bytes, Status.WARN),
        (LIMITS.disk_fail_bytes - 1, Status.FAIL),
        (0, Status.FAIL),
    ],
)
def test_disk_by_what_is_free(free: int, expected: Status) -> None:
    """The limits belong to the better side."""
    (disk,) = machine_parts(Machine(disk_bytes=free), LIMITS)
    assert (disk.key, disk.status, disk.value, disk.unit) == ("disk:free", expected, free, "bytes")


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (LIMITS.memory_warn_bytes, Status.PASS),
        (LIMITS.memory_warn_bytes - 1, Status.WARN),
        (LIMITS.memory_fail_bytes, Status.WARN),
        (LIMITS.memory_fail_bytes - 1, Status.FAIL),
    ],
)
def test_memory_by_what_is_left(left: int, expected: Status) -> None:
    """The limits belong to the better side."""
    (memory,) = machine_parts(Machine(memory_bytes=left), LIMITS)
    assert (memory.key, memory.status, memory.value) == ("memory:available", expected, left)


def test_a_machine_that_does_not_answer_is_a_warning() -> None:
    """Silence says nothing about the disk, and it is not passed over in silence."""
    (disk,) = machine_parts(Machine(answered=False), LIMITS)
    assert (disk.key, disk.status, disk.value, disk.output) == ("disk:free", Status.WARN, None, "NOT_MEASURED")
    assert list(machine_parts(Machine(), LIMITS)) == []


@pytest.mark.parametrize(("taken", "expected"), [(80, Status.PASS), (81, Status.WARN), (100, Status.FAIL)])
def test_a_queue_by_its_places(taken: int, expected: Status) -> None:
    """Four fifths are fine; a full queue refuses, so it fails."""
    places, *_ = queue_parts(taken, 100, {}, LIMITS)
    assert (places.status, places.public) == (expected, False)


def test_a_queue_by_the_age_of_what_waits_first() -> None:
    """One line a dependency; an empty queue has an age of 0."""
    _, empty = queue_parts(0, 100, {}, LIMITS)
    assert (empty.key, empty.value, empty.status) == ("queue:age", 0.0, Status.PASS)
    _, crm, mail = queue_parts(2, 100, {"mail": 60.5, "crm": 60.0}, LIMITS)
    assert [(one.id, one.status) for one in (crm, mail)] == [("crm", Status.PASS), ("mail", Status.WARN)]


@pytest.mark.parametrize("state", ["closed", "open", "half_open", "forced_open"])
def test_law_12_a_breaker_that_is_open_never_fails_us(state: str) -> None:
    """An outage of a dependency is a warning: nobody may take this process out of service for it."""
    (found,) = breaker_parts([BreakerView(dependency="crm", state=state, retry_after=3.0)])
    assert found.status is (Status.PASS if state == "closed" else Status.WARN)
    assert (found.id, found.value, found.public) == ("crm", state, False)


@pytest.mark.parametrize("critical", [False, True])
@pytest.mark.parametrize("state", Health)
def test_law_12_a_dependency_that_is_down_never_fails_us(state: Health, critical: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Its own check says how it stands, the whole warns at most, and its name is the platform's."""
    standing = Standing(name="redis", state=state, critical=critical, age=1.0, state_age=5.0, retry_after=7.0)
    found = document(*dependency_parts([standing]), whole=True)
    (check,) = found["checks"]["dependencies:health"]
    assert found["status"] == ("pass" if state is Health.HEALTHY else "warn")
    assert (check["componentId"], check["observedValue"], check["critical"]) == ("redis", state, critical)
    assert (check["age"], check["stateAge"], check["retryAfter"]) == (1.0, 5.0, 7.0)
    assert "redis" not in str(document(*dependency_parts([standing]), whole=False))


@pytest.mark.parametrize(
    ("tenants", "count", "age"),
    [
        ((), Status.PASS, Status.PASS),
        ((TenantDoubts(tenant="acme", in_doubt=1, oldest_since=100.0),), Status.PASS, Status.PASS),
        ((TenantDoubts(tenant="acme", in_doubt=1, oldest_since=99.0),), Status.PASS, Status.WARN),
        ((TenantDoubts(tenant="acme", needs_operator=1, oldest_since=1_000.0),), Status.WARN, Status.PASS),
    ],
)
def test_doubts_by_who_has_to_look(tenants: tuple[TenantDoubts, ...], count: Status, age: Status) -> None:
    """What waits for a person, or is older than `escalate_after`, is a warning."""
    counted, aged = doubt_parts(DoubtReport(1_000.0, tenants, complete=True), 900.0)
    assert (counted.status, aged.status) == (count, age)


@pytest.mark.parametrize(("ago", "expected"), [(None, Status.WARN), (300.0, Status.PASS), (300.5, Status.WARN)])
def test_kill_switches_by_when_they_were_proven(ago: float | None, expected: Status) -> None:
    """Never, or long ago, is a warning."""
    assert proof_part(ago, LIMITS).status is expected


def test_what_is_not_ready_fails() -> None:
    """Health and readiness do not contradict each other."""
    ledger, queue = readiness_parts({"ledger": "LEDGER_UNAVAILABLE: disk", "queue": "ok"})
    assert (ledger.status, ledger.value, ledger.kind) == (Status.FAIL, "LEDGER_UNAVAILABLE", ComponentKind.DATASTORE)
    assert (queue.status, queue.value, queue.kind) == (Status.PASS, "ok", ComponentKind.COMPONENT)


@pytest.mark.parametrize(
    "options",
    [
        {"disk_warn_bytes": 0},
        {"queue_warn_age": float("inf")},
        {"queue_warn_share": 1.1},
        {"memory_warn_bytes": float("nan")},
        {"disk_fail_bytes": 2 << 30},
        {"memory_fail_bytes": 1 << 30},
        {"proven_warn_age": True},
    ],
)
def test_limits_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """Options are checked at birth."""
    with pytest.raises(OptionError):
        HealthLimits(**options)
