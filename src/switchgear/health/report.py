"""The body of a health endpoint: ``application/health+json``. A pure function of standings and other components.

Whoever knows a component says how it stands; here only the document is made, and what anybody may see of it. It
measures nothing, and knows no threshold. Source: draft-inadarei-api-health-check-06.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from switchgear.core.moments import moment_text
from switchgear.health.standing import Health, Standing


class Status(StrEnum):
    """How something stands."""

    PASS = "pass"  # noqa: S105 - the draft's word, no password
    WARN = "warn"
    """It works, and somebody should look."""
    FAIL = "fail"


class ComponentKind(StrEnum):
    """What a component is."""

    COMPONENT = "component"
    DATASTORE = "datastore"
    SYSTEM = "system"


MEDIA_TYPE: Final = "application/health+json"
_WORSE = (Status.PASS, Status.WARN, Status.FAIL)
_STATUS: Mapping[Health, Status] = {
    Health.HEALTHY: Status.PASS,
    Health.DEGRADED: Status.WARN,
    Health.RECOVERING: Status.WARN,
    Health.UNHEALTHY: Status.FAIL,
    Health.UNKNOWN: Status.FAIL,
}


@dataclass(frozen=True, slots=True)
class Component:
    """One measurement of one component: the disk, the ledger, a queue, a dependency.

    name, measurement   what was measured of what, such as "disk" and "free"; neither holds a colon.
    value, unit         what was measured, and what it is counted in; None for neither.
    output              why it does not pass: a word, and after a colon what not everybody sees; no secrets. Left out
                        when it passes.
    critical            whether its failure is a failure of the whole; default: yes.
    public              whether anybody may see more of it than how it stands; default: no, since it may count over
                        tenants or name what not everybody should know.
    id                  tells several of one name apart.
    facts               further members, by name.
    """

    name: str
    measurement: str
    status: Status
    value: str | float | None = None
    unit: str | None = None
    output: str = ""
    critical: bool = field(default=True, kw_only=True)
    public: bool = field(default=False, kw_only=True)
    kind: ComponentKind = field(default=ComponentKind.COMPONENT, kw_only=True)
    id: str | None = field(default=None, kw_only=True)
    facts: Mapping[str, str | float | bool] = field(default_factory=dict, kw_only=True)

    @property
    def key(self) -> str:
        """The name of this measurement in the document."""
        return f"{self.name}:{self.measurement}"


def health_report(
    standings: Iterable[Standing] = (),
    components: Iterable[Component] = (),
    *,
    at: float,
    whole: bool = True,
    description: str = "",
    release: str = "",
) -> dict[str, Any]:
    """Return the body, which fits into JSON, as of `at` (seconds since the epoch).

    The whole fails when something critical fails, and warns when anything does not pass. Dependencies stand under
    ``name:health``. Without `whole`, each component decides what anybody sees.
    """
    time = moment_text(at)
    parts = [*(dependency_component(standing) for standing in standings), *components]
    checks: dict[str, list[Component]] = {}
    for part in parts:
        checks.setdefault(part.key, []).append(part)
    told = {"releaseId": release, "description": description}
    return {
        "status": str(overall(parts)),
        **{name: text for name, text in told.items() if text},
        "checks": {key: [_check(one, time) for one in _seen(found, whole=whole)] for key, found in checks.items()},
    }


def overall(components: Iterable[Component]) -> Status:
    """Return what the whole is: FAIL when something critical fails, else WARN when anything does not pass."""
    told = tuple(components)
    if any(component.critical and component.status is Status.FAIL for component in told):
        return Status.FAIL
    return Status.PASS if all(component.status is Status.PASS for component in told) else Status.WARN


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of `statuses`, PASS when there is none."""
    return max(statuses, key=_WORSE.index, default=Status.PASS)


def dependency_component(standing: Standing) -> Component:
    """Return a dependency as a component. It passes only when it vouches, and is not flapping."""
    status = _STATUS[standing.state]
    if status is Status.PASS and not (standing.vouches and not standing.flapping):
        status = Status.WARN
    seconds = {"age": standing.age, "stateAge": standing.state_age, "retryAfter": standing.retry_after}
    facts: dict[str, str | float | bool] = {
        name: round(value, 3) for name, value in seconds.items() if value is not None
    }
    return Component(
        standing.name,
        "health",
        status,
        str(standing.state),
        output=standing.reason,
        critical=standing.critical,
        facts={**facts, "critical": standing.critical, "flapping": standing.flapping},
    )


def _seen(found: Sequence[Component], *, whole: bool) -> Sequence[Component]:
    """Return what is seen of the components of one key: them, or one that says no more than how they stand."""
    if whole:
        return found
    if all(one.public for one in found):
        return [replace(one, output=one.output.partition(":")[0]) for one in found]
    first, status = found[0], worst(one.status for one in found)
    return [Component(first.name, first.measurement, status, kind=first.kind)]


def _check(component: Component, time: str) -> dict[str, Any]:
    hidden = component.status is Status.PASS or not component.output
    told = {
        "status": str(component.status),
        "componentType": str(component.kind),
        "time": time,
        "componentId": component.id,
        "observedValue": component.value,
        "observedUnit": component.unit,
        "output": None if hidden else component.output,
    }
    return {**{name: value for name, value in told.items() if value is not None}, **component.facts}
