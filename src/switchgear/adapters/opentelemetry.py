"""Guards for OpenTelemetry: observable instruments that read them when metrics are collected.

Needs ``opentelemetry-api``. What is told, and how the number of series stays bounded, is in
`switchgear.adapters.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from switchgear.adapters.metrics import MEASURES, GuardReader, Measure, Place, Values
from switchgear.core.errors import OptionError
from switchgear.core.mutexes import Mutex
from switchgear.guard import Guard


def observe(meter: Meter, guards: Iterable[Guard], *, keys_max: int = 0) -> None:
    """Have `meter` tell how `guards` stand, each time it is collected.

    meter     made by ``opentelemetry.metrics.get_meter``; call this once for it.
    guards    the guards, or a `GuardRegistry`, which is asked at each collection. Give guards different names.
    keys_max  keyed members of a guard that get series of their own, at least 0; the rest is summed as ``other``.

    Attributes are `guard` (`circuit` for the counters of the breaker), `key` unless it is the guard itself, and the
    measure's own. Raises `OptionError` for options that cannot work.
    """
    if not isinstance(meter, Meter):
        raise OptionError(f'observe(meter) takes a Meter, not {meter!r}; write for example get_meter("switchgear")')
    readings = _Readings(GuardReader(guards, keys_max))
    for measure in MEASURES:
        make = meter.create_observable_counter if measure.kind == "counter" else meter.create_observable_gauge
        make(measure.name, callbacks=[_callback(measure, readings)], unit=measure.unit, description=measure.help)


class _Readings:
    """One reading for all instruments of a collection: it is made anew when an instrument asks a second time."""

    __slots__ = ("_asked", "_lock", "_places", "_reader")

    def __init__(self, reader: GuardReader) -> None:
        self._reader = reader
        self._lock = Mutex()
        self._places: dict[Place, Values] = {}
        self._asked: set[str] | None = None

    def for_instrument(self, name: str) -> dict[Place, Values]:
        """Return the reading of this collection."""
        with self._lock:
            if self._asked is None or name in self._asked:
                self._places, self._asked = self._reader.read(), set()
            self._asked.add(name)
            return self._places


def _callback(measure: Measure, readings: _Readings) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def told(_options: CallbackOptions) -> Iterator[Observation]:
        for (guard, key), values in readings.for_instrument(measure.name).items():
            for (name, label), value in values.items():
                if name == measure.name:
                    yield Observation(value, _attributes(measure, guard, key, label))

    return told


def _attributes(measure: Measure, guard: str, key: str, label: str) -> dict[str, str]:
    told = {measure.guard_label: guard, "key": key, measure.label: label}
    return {name: value for name, value in told.items() if name and value}
