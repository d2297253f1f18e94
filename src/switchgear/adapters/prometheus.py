"""Guards for Prometheus: a collector that reads them when it is scraped. Needs ``prometheus-client``.

What is told, and how the number of series stays bounded, is in `switchgear.adapters.metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from switchgear.adapters.metrics import MEASURES, GuardReader, Measure, Place, Values
from switchgear.guard import Guard

Family = CounterMetricFamily | GaugeMetricFamily


class GuardCollector(Collector):
    """Register it: ``REGISTRY.register(GuardCollector([github, crm]))``.

    guards    the guards, or a `GuardRegistry`, which is asked at each scrape. Give guards different names.
    keys_max  keyed members of a guard that get series of their own, at least 0; the rest is summed as ``other``.

    Labels are `guard` (`circuit` for the counters of the breaker), `key` (empty for the guard itself) and the measure's
    own. Raises `OptionError` for options that cannot work.
    """

    def __init__(self, guards: Iterable[Guard], *, keys_max: int = 0) -> None:
        """Read nothing before the first scrape."""
        self._reader = GuardReader(guards, keys_max)

    def describe(self) -> Iterator[Family]:
        """Name the families without reading a guard."""
        return map(_family, MEASURES)

    def collect(self) -> Iterator[Family]:
        """Read every guard once."""
        places = self._reader.read()
        return (_filled(measure, places) for measure in MEASURES)


def _family(measure: Measure) -> Family:
    labels = [measure.guard_label, "key", *filter(None, [measure.label])]
    maker = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
    return maker(measure.name.replace(".", "_"), measure.help, labels=labels)


def _filled(measure: Measure, places: dict[Place, Values]) -> Family:
    family = _family(measure)
    for (guard, key), values in places.items():
        for (name, label), value in values.items():
            if name == measure.name:
                family.add_metric([guard, key, *filter(None, [label])], value)
    return family
