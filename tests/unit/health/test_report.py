"""The body of a health endpoint, as the draft has it."""

from __future__ import annotations

import json

import pytest

from switchgear.health.report import Component, Status, health_report
from switchgear.health.standing import Health, Standing

AT = 1_700_000_000.25


def _standing(state: Health, *, critical: bool = False, flapping: bool = False, doubted: bool = False) -> Standing:
    return Standing(
        name="redis",
        state=state,
        critical=critical,
        age=1.23456,
        state_age=5.0,
        reason="probes: no answer",
        retry_after=7.0,
        flapping=flapping,
        doubted=doubted,
    )


@pytest.mark.parametrize(
    ("state", "of_check", "of_all", "of_all_when_critical"),
    [
        (Health.HEALTHY, "pass", "pass", "pass"),
        (Health.DEGRADED, "warn", "warn", "warn"),
        (Health.RECOVERING, "warn", "warn", "warn"),
        (Health.UNHEALTHY, "fail", "warn", "fail"),
        (Health.UNKNOWN, "fail", "warn", "fail"),
    ],
)
def test_every_state_has_its_status(state: Health, of_check: str, of_all: str, of_all_when_critical: str) -> None:
    """What is not critical warns; what is critical and fails, fails the whole."""
    body = health_report([_standing(state)], at=AT)
    assert (body["status"], body["checks"]["redis:health"][0]["status"]) == (of_all, of_check)
    assert health_report([_standing(state, critical=True)], at=AT)["status"] == of_all_when_critical


def test_a_check_says_what_the_person_on_call_needs() -> None:
    """State, why, since when, and when it is looked at again."""
    (check,) = health_report([_standing(Health.UNHEALTHY)], at=AT)["checks"]["redis:health"]
    assert check == {
        "status": "fail",
        "componentType": "component",
        "time": "2023-11-14T22:13:20.250Z",
        "observedValue": "unhealthy",
        "output": "probes: no answer",
        "age": 1.235,
        "stateAge": 5.0,
        "retryAfter": 7.0,
        "critical": False,
        "flapping": False,
    }


@pytest.mark.parametrize("what", ["flapping", "doubted"])
def test_healthy_with_a_reservation_warns(what: str) -> None:
    """A dependency that flaps, or is in doubt, does not pass."""
    standing = _standing(Health.HEALTHY, flapping=what == "flapping", doubted=what == "doubted")
    assert health_report([standing], at=AT)["status"] == "warn"


def test_other_components_join() -> None:
    """Disk, ledger and queues stand beside dependencies, in the same shape, and it all fits into JSON."""
    disk = Component("disk", "free", Status.PASS, 1_000_000, "B", output="not told")
    queue = Component("queue", "age", Status.WARN, 12.5, "s", "the oldest waits too long", critical=False)
    body = health_report([_standing(Health.HEALTHY)], [disk, queue, disk], at=AT, description="gear")
    assert (body["status"], body["description"]) == ("warn", "gear")
    assert sorted(body["checks"]) == ["disk:free", "queue:age", "redis:health"]
    assert len(body["checks"]["disk:free"]) == 2
    assert "output" not in body["checks"]["disk:free"][0]
    assert body["checks"]["queue:age"][0]["output"] == "the oldest waits too long"
    assert json.loads(json.dumps(body)) == body
    assert (
        health_report([], [queue, Component("ledger", "head", Status.FAIL, output="gone")], at=AT)["status"] == "fail"
    )
    assert health_report([], at=AT) == {"status": "pass", "checks": {}}
