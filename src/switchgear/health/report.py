"""The body of a health endpoint: ``application/health+json``. A pure function of standings and other components.

Source: draft-inadarei-api-health-check-06. Who serves it, and to whom, is the business of surfaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from switchgear.health.standing import Health, Standing

Status = Literal["pass", "warn", "fail"]

MEDIA_TYPE: Final = "application/health+json"
_STATUS: Mapping[Health, Status] = {
    Health.HEALTHY: "pass",
    Health.DEGRADED: "warn",
    Health.RECOVERING: "warn",
    Health.UNHEALTHY: "fail",
    Health.UNKNOWN: "fail",
}


@dataclass(frozen=True, slots=True)
class Component:
    """Something else that has a state: the disk, the ledger, a queue.

    name, measurement   what was measured of what, such as "disk" and "free"; neither holds a colon.
    status              "pass", "warn" or "fail".
    observed, unit      the value, and what it is counted in; None for neither.
    output              why it does not pass, for people and without secrets; left out when it passes.
    critical            whether its failure is a failure of the whole; default: yes.
    """

    name: str
    measurement: str
    status: Status
    observed: str | float | int | bool | None = None
    unit: str | None = None
    output: str = ""
    critical: bool = True


def health_report(
    standings: Iterable[Standing], components: Iterable[Component] = (), *, at: float, description: str = ""
) -> dict[str, Any]:
    """Return the body, which fits into JSON, as of `at` (seconds since the epoch).

    The whole fails when something critical fails, and warns when anything does not pass. Dependencies stand under
    ``name:health``.
    """
    parts = [*(_of_standing(standing) for standing in standings), *((component, {}) for component in components)]
    time = _time_in_words(at)
    checks: dict[str, list[dict[str, Any]]] = {}
    for component, more in parts:
        checks.setdefault(f"{component.name}:{component.measurement}", []).append(_check(component, time, more))
    body: dict[str, Any] = {"status": overall(component for component, _ in parts), "checks": checks}
    return {**body, "description": description} if description else body


def overall(components: Iterable[Component]) -> Status:
    """Return what the whole is: "fail" when something critical fails, else "warn" when anything does not pass."""
    told = tuple(components)
    if any(component.critical and component.status == "fail" for component in told):
        return "fail"
    return "pass" if all(component.status == "pass" for component in told) else "warn"


def _of_standing(standing: Standing) -> tuple[Component, dict[str, Any]]:
    status = _STATUS[standing.state]
    if status == "pass" and not (standing.vouches and not standing.flapping):
        status = "warn"
    component = Component(
        standing.name, "health", status, str(standing.state), output=standing.reason, critical=standing.critical
    )
    facts = {"age": standing.age, "since": standing.since, "retryAfter": standing.retry_after}
    more: dict[str, Any] = {name: round(value, 3) for name, value in facts.items() if value is not None}
    return component, {**more, "critical": standing.critical, "flapping": standing.flapping}


def _check(component: Component, time: str, more: Mapping[str, Any]) -> dict[str, Any]:
    check: dict[str, Any] = {"status": component.status, "time": time}
    if component.observed is not None:
        check["observedValue"] = component.observed
    if component.unit is not None:
        check["observedUnit"] = component.unit
    if component.output and component.status != "pass":
        check["output"] = component.output
    return {**check, **more}


def _time_in_words(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
