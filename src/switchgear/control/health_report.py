"""The body of a health check from named components: draft-inadarei-api-health-check-06. Pure.

Whoever knows a component says how it stands; here only the document is made, and what anybody may see of it. It
measures nothing, and it knows no threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import version

import msgspec

MEDIA_TYPE = "application/health+json"


class Status(StrEnum):
    """How something stands. The worst of its parts is that of the whole."""

    PASS = "pass"  # noqa: S105 - the draft's word, no password
    WARN = "warn"
    """It works, and somebody should look."""
    FAIL = "fail"


class Kind(StrEnum):
    """What a component is."""

    COMPONENT = "component"
    DATASTORE = "datastore"
    SYSTEM = "system"


_WORSE = (Status.PASS, Status.WARN, Status.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One measurement of one component. Neither `name` nor `measurement` has a colon in it.

    `id` tells several of one name apart. `value` is what was measured, in `unit`; `output` says why it does not pass:
    a word, and after a colon what only the platform sees. Of what is not `public`, since it counts over tenants or
    names what not everybody should know, others see only how it stands, all ids together.
    """

    name: str
    measurement: str
    status: Status
    public: bool
    kind: Kind = Kind.COMPONENT
    id: str | None = None
    value: int | float | str | None = None
    unit: str | None = None
    output: str | None = None

    @property
    def key(self) -> str:
        """The name of this measurement in the document."""
        return f"{self.name}:{self.measurement}"


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One measurement. `time` is when it was made, in RFC 3339."""

    status: Status
    component_type: Kind
    time: str
    component_id: str | None = None
    observed_value: int | float | str | None = None
    observed_unit: str | None = None
    output: str | None = None


class HealthReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """How this process stands, by what it was measured by. `status` is the worst of all."""

    status: Status
    release_id: str
    description: str
    checks: dict[str, Sequence[HealthCheck]]


def health_report(components: Iterable[Component], *, at: float, whole: bool) -> HealthReport:
    """Return the document of `components` as they were `at`, in seconds since the epoch.

    `whole` shows everything; without it each component decides what anybody sees. No component at all passes.
    """
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    checks: dict[str, list[Component]] = {}
    for component in components:
        checks.setdefault(component.key, []).append(component)
    return HealthReport(
        status=worst(component.status for found in checks.values() for component in found),
        release_id=version("switchgear"),
        description="health of this Switchgear process",
        checks={key: [_check(one, time) for one in _seen(found, whole=whole)] for key, found in checks.items()},
    )


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of `statuses`, PASS when there is none."""
    return max(statuses, key=_WORSE.index, default=Status.PASS)


def _seen(found: Sequence[Component], *, whole: bool) -> Sequence[Component]:
    """Return what is seen of the components of one key: them, or one that says no more than how they stand."""
    if whole:
        return found
    if all(one.public for one in found):
        return [replace(one, output=one.output and one.output.partition(":")[0]) for one in found]
    first, status = found[0], worst(one.status for one in found)
    return [Component(name=first.name, measurement=first.measurement, status=status, public=True, kind=first.kind)]


def _check(one: Component, time: str) -> HealthCheck:
    return HealthCheck(
        status=one.status,
        component_type=one.kind,
        time=time,
        component_id=one.id,
        observed_value=one.value,
        observed_unit=one.unit,
        output=one.output if one.status is not Status.PASS else None,
    )
