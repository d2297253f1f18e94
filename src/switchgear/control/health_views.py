"""What is shown of how this process stands: the document of `switchgear.health.report`, with types for every surface.

It decides nothing: that module makes the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version

import msgspec

from switchgear.health.report import Component, ComponentKind, Status, health_report


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One measurement. `time` is when it was made, in RFC 3339.

    Of a dependency, in seconds: the `age` of the youngest right answer, `state_age` how long it stands like this, and
    when it is looked at again.
    """

    status: Status
    component_type: ComponentKind
    time: str
    component_id: str | None = None
    observed_value: int | float | str | None = None
    observed_unit: str | None = None
    output: str | None = None
    age: float | None = None
    state_age: float | None = None
    retry_after: float | None = None
    critical: bool | None = None
    flapping: bool | None = None


class HealthReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """How this process stands, by what it was measured by. A dependency that is down is a warning, never a failure."""

    status: Status
    release_id: str
    description: str
    checks: dict[str, Sequence[HealthCheck]]


def health_view(components: Iterable[Component], *, at: float, whole: bool) -> HealthReport:
    """Return the document of `components` as they were `at`, in seconds since the epoch.

    `whole` shows everything; without it each component decides what anybody sees. No component at all passes.
    """
    description, release = "health of this Switchgear process", version("switchgear")
    body = health_report((), components, at=at, whole=whole, description=description, release=release)
    return msgspec.convert(body, HealthReport)
