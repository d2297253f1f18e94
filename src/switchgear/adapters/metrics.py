"""What guards tell a metrics system: names, kinds and labels, and one reading of many guards.

Guards are read when somebody asks; nothing here is on the path of a call. The client libraries are elsewhere:
`switchgear.adapters.prometheus` and `switchgear.adapters.opentelemetry` translate the same table.

The number of series is bounded. Keyed members are shown one by one only when asked for, up to a maximum; the rest is
summed under the key `other`. That sum never falls: what forgotten members had counted stays in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args
from weakref import WeakKeyDictionary, WeakSet

from switchgear.core.errors import OptionError
from switchgear.core.mutexes import Mutex
from switchgear.guard import Guard, Statistics
from switchgear.policies.breaker import BreakerState
from switchgear.policies.checks import require_count

OTHER = "other"
"""The key under which the members that are not shown one by one are summed."""

Kind = Literal["counter", "gauge"]
Sample = tuple[str, str]
"""A measure's name and the value of its own label, empty without one."""
Values = dict[Sample, float]
Place = tuple[str, str]
"""A guard's name and a key, empty for the guard itself."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is told of every guard.

    name    with dots, as OpenTelemetry has it; Prometheus has underscores.
    unit    in UCUM, as OpenTelemetry asks for it.
    read    the numbers in a record, by the value of `label`; by the empty text when there is none.
    guard_label  carries the guard's name.
    reach   "each" member has it and it can be summed; "alone": each has it, but no sum means anything; "whole": only
            the guard itself has it.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    read: Callable[[Statistics], Mapping[str, float]]
    label: str = ""
    guard_label: str = "guard"
    reach: Literal["each", "alone", "whole"] = "each"


class GuardRegistry:
    """Guards to be read, held weakly: one that nobody else holds is forgotten, and its series end."""

    __slots__ = ("_guards", "_lock")

    def __init__(self, *guards: Guard) -> None:
        """Start with these guards. Raises `OptionError` for what is none."""
        self._lock = Mutex()
        self._guards: WeakSet[Guard] = WeakSet(map(_checked, guards))

    def add(self, guard: Guard) -> Guard:
        """Add a guard and return it. Add the guard itself, not what `using` or `key` return: those soon go.

        Raises `OptionError` for what is no guard.
        """
        with self._lock:
            self._guards.add(_checked(guard))
        return guard

    def __iter__(self) -> Iterator[Guard]:
        """Go through the guards that are there now."""
        with self._lock:
            return iter(list(self._guards))


class GuardReader:
    """Reads guards into values by guard and key. Guards of the same name are added up.

    guards    the guards, or a `GuardRegistry`, which is asked at each reading.
    keys_max  keyed members of a guard that are shown one by one, at least 0; those seen first, while they live.
    """

    __slots__ = ("_guards", "_keys_max", "_lock", "_members")

    def __init__(self, guards: Iterable[Guard], keys_max: int = 0) -> None:
        """Read nothing yet. Raises `OptionError` for a `keys_max` that cannot be, and for what is no guard."""
        require_count("keys_max", keys_max, least=0, example=100)
        self._guards = guards if isinstance(guards, GuardRegistry) else _all_checked(guards)
        self._keys_max = keys_max
        self._lock = Mutex()
        self._members: WeakKeyDictionary[Guard, MemberSums] = WeakKeyDictionary()

    def read(self) -> dict[Place, Values]:
        """Return how every guard stands."""
        places: dict[Place, Values] = {}
        with self._lock:
            for guard in self._guards:
                own = guard.statistics()
                _add(places, (own.name, ""), values_of(own))
                for key, values in self._sums_of(guard).read(guard.members()).items():
                    _add(places, (own.name, key), values)
        return places

    def _sums_of(self, guard: Guard) -> MemberSums:
        sums = self._members.get(guard)
        if sums is None:
            sums = self._members[guard] = MemberSums(self._keys_max)
        return sums


class MemberSums:
    """The keyed members of one guard, over several readings.

    A member is shown from its first reading to its end, or never: what moved between the two would make the sum of
    the rest fall, which a counter must not.
    """

    __slots__ = ("_gone", "_keys_max", "_rest", "_shown")

    def __init__(self, keys_max: int) -> None:
        """Show up to `keys_max` members."""
        self._keys_max = keys_max
        self._shown: set[str] = set()
        self._rest: dict[str, Values] = {}
        self._gone: Counter[Sample] = Counter()

    def read(self, members: Sequence[Statistics]) -> dict[str, Values]:
        """Return the values of the shown members by key, and of the rest under `OTHER`."""
        present = {member.key or "": values_of(member) for member in members}
        self._forget(present)
        shown = {key: values for key, values in present.items() if self._is_shown(key)}
        for key in present.keys() - shown.keys():
            self._keep(key, present[key])
        return {**shown, **({OTHER: self._sum()} if self._rest or self._gone else {})}

    def _is_shown(self, key: str) -> bool:
        """Whether a member is shown; one that is new gets a free place, unless its key would look like the sum."""
        if key not in self._shown and key not in self._rest and len(self._shown) < self._keys_max and key != OTHER:
            self._shown.add(key)
        return key in self._shown

    def _keep(self, key: str, values: Values) -> None:
        """Take the new values of a member of the rest. When one fell, the member was made anew in between."""
        before = self._rest.get(key, {})
        if any(values.get(sample, 0.0) < count for sample, count in _counts(before).items()):
            self._gone.update(_counts(before))
        self._rest[key] = values

    def _forget(self, present: Mapping[str, Values]) -> None:
        """Let go of members that are no more; what those of the rest had counted stays."""
        self._shown &= present.keys()
        for key in self._rest.keys() - present.keys():
            self._gone.update(_counts(self._rest.pop(key)))

    def _sum(self) -> Values:
        total = Counter(self._gone)
        for values in self._rest.values():
            total.update({sample: value for sample, value in values.items() if _BY_NAME[sample[0]].reach == "each"})
        return dict(total)


def values_of(statistics: Statistics) -> Values:
    """Return every number of a record, those that belong to the whole guard only for the guard itself."""
    return {
        (measure.name, label): value
        for measure in MEASURES
        if statistics.key is None or measure.reach != "whole"
        for label, value in measure.read(statistics).items()
    }


def _all_checked(guards: object) -> tuple[Guard, ...]:
    """Return the guards, each once. Raises `OptionError` for anything else."""
    if isinstance(guards, str) or not isinstance(guards, Iterable):
        raise OptionError(f"guards= takes several guards, not {guards!r}; write for example [github, crm]")
    found = tuple(map(_checked, guards))
    if len(set(found)) < len(found):
        raise OptionError("guards= has the same guard twice, which would be counted twice; give each once")
    return found


def _checked(guard: object) -> Guard:
    if not isinstance(guard, Guard):
        raise OptionError(f'metrics are read from a Guard, not from {guard!r}; write for example Guard("github")')
    return guard


def _add(places: dict[Place, Values], place: Place, values: Values) -> None:
    known = places.setdefault(place, {})
    for sample, value in values.items():
        known[sample] = known.get(sample, 0.0) + value


def _counts(values: Values) -> Values:
    return {sample: value for sample, value in values.items() if _BY_NAME[sample[0]].kind == "counter"}


def _field(name: str) -> Callable[[Statistics], Mapping[str, float]]:
    """Return a reader of one number, which may be missing."""

    def read(statistics: Statistics) -> Mapping[str, float]:
        value = getattr(statistics, name)
        return {} if value is None else {"": value}

    return read


def _verdicts(statistics: Statistics) -> Mapping[str, float]:
    return {"success": statistics.successes, "failure": statistics.failures, "ignored": statistics.ignored}


def _state(statistics: Statistics) -> Mapping[str, float]:
    return {state: float(state == statistics.state) for state in get_args(BreakerState)}


def _codes(name: str) -> Callable[[Statistics], Mapping[str, float]]:
    """Return a reader of counts by code."""

    def read(statistics: Statistics) -> Mapping[str, float]:
        counts: Mapping[str, float] = getattr(statistics, name)
        return {str(code): count for code, count in counts.items()}

    return read


def _counter(name: str, unit: str, text: str, field: str) -> Measure:
    return Measure(f"switchgear.guard.{name}", "counter", unit, text, _field(field))


def _gauge(name: str, unit: str, text: str, field: str) -> Measure:
    return Measure(f"switchgear.guard.{name}", "gauge", unit, text, _field(field))


def _circuit(event: str, text: str) -> Measure:
    name = f"circuit_breaker_{event}"
    return Measure(name, "counter", "{event}", text, _field(name), guard_label="circuit")


def _whole(measure: Measure) -> Measure:
    return replace(measure, reach="whole")


def _alone(measure: Measure) -> Measure:
    return replace(measure, reach="alone")


def _ratio(name: str, text: str, field: str) -> Measure:
    return _alone(_gauge(name, "1", text, field))


MEASURES: tuple[Measure, ...] = (
    Measure(
        "switchgear.guard.attempts", "counter", "{attempt}", "Ended attempts, by verdict.", _verdicts, label="verdict"
    ),
    Measure(
        "switchgear.guard.refused", "counter", "{call}", "Calls not let in, by code.", _codes("refused"), label="code"
    ),
    Measure(
        "switchgear.guard.would_refuse",
        "counter",
        "{call}",
        "Refusals that a dry run did not carry out, by code.",
        _codes("would_refuse"),
        label="code",
    ),
    _counter("retries", "{attempt}", "Attempts after the first of a call.", "retries"),
    _counter("hedges", "{attempt}", "Further copies of a call that were sent.", "hedges"),
    _counter("fallbacks", "{call}", "Calls that ended with the fallback's value.", "fallbacks"),
    _counter("slow", "{attempt}", "Ended attempts that were slow, timeouts included.", "slow"),
    _counter("timeouts", "{attempt}", "Attempts that ran into the timeout.", "timeouts"),
    _counter("abandoned", "{call}", "Blocking calls that were left behind.", "abandoned_total"),
    _counter("events_dropped", "{event}", "Events that no listener got.", "events_dropped"),
    _gauge("in_flight", "{attempt}", "Attempts that run now.", "in_flight"),
    _gauge("waiting", "{call}", "Calls in the queue for a place.", "waiting"),
    _gauge("abandoned_running", "{call}", "Blocking calls left behind that still run.", "abandoned"),
    _ratio("failure_ratio", "Share of failures in the breaker's window.", "failure_rate"),
    _ratio("slow_ratio", "Share of slow calls in the breaker's window.", "slow_rate"),
    _alone(_gauge("concurrency_limit", "{call}", "Calls that may run at once now.", "concurrency_limit")),
    _alone(_gauge("retry_budget", "{attempt}", "Repeats that the retry budget would let through now.", "retry_budget")),
    Measure(
        "switchgear.guard.breaker_state",
        "gauge",
        "{breaker}",
        "Breakers in this state: 1 or 0, the number of keys for the sum of the others.",
        _state,
        label="state",
    ),
    _circuit("opened", "Transitions of the breaker to open."),
    _circuit("closed", "Transitions of the breaker to closed."),
    _circuit("blocked", "Calls that the breaker refused."),
    _whole(_counter("listener_errors", "{error}", "Exceptions that listeners raised.", "listener_errors")),
    _whole(_gauge("keys", "{key}", "Keyed members held.", "keys")),
    _whole(_counter("keys_evicted", "{key}", "Keyed members that made room.", "keys_evicted")),
    _whole(_counter("keys_overflowed", "{call}", "Calls for a key that had to share a member.", "keys_overflowed")),
)
"""Everything that is told, in the order of the reference."""

_BY_NAME = {measure.name: measure for measure in MEASURES}
