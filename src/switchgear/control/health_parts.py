"""What is measured of this process, as components of its health: one function a subject, with its thresholds. Pure.

Nothing is read here; `health` gathers the facts. A dependency that is down is a warning, never a failure of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace

from switchgear.control.breakers import BreakerView
from switchgear.core.errors import OptionError
from switchgear.execution.doubt_book import DoubtReport
from switchgear.health.report import Component, ComponentKind, Status, dependency_component
from switchgear.health.standing import Standing

_NOT_MEASURED = "NOT_MEASURED"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLimits:
    """From where on something is a warning or a failure.

    Bytes are whole, shares lie between 0 and 1, ages are seconds; all above 0. Raises `OptionError` for others.
    """

    disk_warn_bytes: int = 1 << 30
    """Less free than this on the disk of the store is a warning."""
    disk_fail_bytes: int = 64 << 20
    """Less free than this is a failure: the ledger is about to refuse."""
    memory_warn_bytes: int = 256 << 20
    """Less memory left than this is a warning."""
    memory_fail_bytes: int = 32 << 20
    """Less left than this is a failure: the process is about to be killed."""
    queue_warn_share: float = 0.8
    """A larger share of the queue taken is a warning; a full one is a failure."""
    queue_warn_age: float = 60.0
    """What waits first in a line for longer than this is a warning."""
    proven_warn_age: float = 300.0
    """Kill switches that were not proven to stop something for longer than this are a warning."""

    def __post_init__(self) -> None:
        """Check every limit."""
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise OptionError(f"{option.name} must be a number above 0, not {value!r}")
            if option.name.endswith("_share") and value > 1:
                raise OptionError(f"{option.name} is a share of the whole: at most 1, not {value!r}")
        if self.disk_fail_bytes > self.disk_warn_bytes or self.memory_fail_bytes > self.memory_warn_bytes:
            raise OptionError("what fails is below what warns: disk_fail_bytes and memory_fail_bytes are the smaller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is left on the disk of the store, and of memory. None where there is nothing to measure or nobody tells.

    `answered` is False when the machine did not answer in time: a disk that hangs.
    """

    disk_bytes: int | None = None
    memory_bytes: int | None = None
    answered: bool = True


def readiness_parts(parts: Mapping[str, str]) -> Iterator[Component]:
    """Return the parts of readiness. One that is not ok fails; of its details anybody sees the code alone."""
    for name, state in parts.items():
        status = Status.PASS if state == "ok" else Status.FAIL
        kind = ComponentKind.DATASTORE if name == "ledger" else ComponentKind.COMPONENT
        code = state.partition(":")[0]
        yield Component(name=name, measurement="state", status=status, public=True, kind=kind, value=code, output=state)


def machine_parts(machine: Machine, limits: HealthLimits) -> Iterator[Component]:
    """Return disk and memory. A machine that did not answer is a warning: what it would have said is not known."""
    if not machine.answered:
        yield _system("disk", "free", Status.WARN, None, output=_NOT_MEASURED)
        return
    if (free := machine.disk_bytes) is not None:
        yield _system("disk", "free", _below(free, limits.disk_warn_bytes, limits.disk_fail_bytes), free)
    if (left := machine.memory_bytes) is not None:
        yield _system("memory", "available", _below(left, limits.memory_warn_bytes, limits.memory_fail_bytes), left)


def uptime_part(seconds: float) -> Component:
    """Return how long the gear has been open."""
    return _system("process", "uptime", Status.PASS, round(seconds, 3), unit="s")


def queue_parts(taken: int, places: int, ages: Mapping[str, float], limits: HealthLimits) -> Iterator[Component]:
    """Return how full the queue is, and by dependency how long the first of each line has waited at most."""
    status = Status.FAIL if taken >= places else _above(taken, places * limits.queue_warn_share)
    yield Component(name="queue", measurement="taken", status=status, public=False, value=taken, unit="intents")
    if not ages:
        yield Component(name="queue", measurement="age", status=Status.PASS, public=False, value=0.0, unit="s")
    for lane, age in sorted(ages.items()):
        status = _above(age, limits.queue_warn_age)
        shown = round(age, 3)
        yield Component(name="queue", measurement="age", status=status, public=False, id=lane, value=shown, unit="s")


def breaker_parts(breakers: Iterable[BreakerView]) -> Iterator[Component]:
    """Return the breaker of each dependency. One that is not closed is a warning: it is not we who are ill."""
    for found in breakers:
        status = Status.PASS if found.state == "closed" else Status.WARN
        yield Component(
            name="breakers",
            measurement="state",
            status=status,
            public=False,
            id=found.dependency,
            value=found.state,
            output="" if found.retry_after is None else f"tried again in {found.retry_after:.1f} s",
        )


def dependency_parts(standings: Iterable[Standing]) -> Iterator[Component]:
    """Return where each dependency stands. It fails nobody but itself: an outage of others is no failure of ours."""
    for standing in standings:
        found = dependency_component(standing)
        yield replace(found, name="dependencies", id=standing.name, critical=False)


def doubt_parts(report: DoubtReport, escalate_after: float) -> Iterator[Component]:
    """Return how much is in doubt, and for how long. What waits for a person, or is overdue, is a warning."""
    people = sum(one.needs_operator for one in report.tenants)
    counted = Status.WARN if people else Status.PASS
    aged = _above(report.oldest_age, escalate_after)
    yield Component(
        name="doubts",
        measurement="count",
        status=counted,
        public=False,
        value=report.count,
        unit="intents",
        output=f"{people} wait for a person",
    )
    age = round(report.oldest_age, 3)
    yield Component(name="doubts", measurement="age", status=aged, public=False, value=age, unit="s")


def proof_part(proven_ago: float | None, limits: HealthLimits) -> Component:
    """Return how many seconds ago kill switches were last seen to stop something. Never is a warning."""
    status = Status.WARN if proven_ago is None else _above(proven_ago, limits.proven_warn_age)
    value = None if proven_ago is None else round(proven_ago, 3)
    return Component(
        name="kill_switches",
        measurement="last_proven",
        status=status,
        public=True,
        value=value,
        unit="s",
        output="NOT_PROVEN",
    )


def _system(
    name: str, measurement: str, status: Status, value: float | None, *, unit: str = "bytes", output: str = ""
) -> Component:
    return Component(
        name=name,
        measurement=measurement,
        status=status,
        public=True,
        kind=ComponentKind.SYSTEM,
        value=value,
        unit=unit,
        output=output,
    )


def _below(value: float, warn: float, fail: float) -> Status:
    if value < fail:
        return Status.FAIL
    return Status.WARN if value < warn else Status.PASS


def _above(value: float, warn: float) -> Status:
    return Status.WARN if value > warn else Status.PASS
