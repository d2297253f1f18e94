"""`Dependency`: what a process relies on, and how much must be seen before it is believed. Options only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

from switchgear.core.errors import OptionError
from switchgear.policies.checks import (
    refused,
    require_count,
    require_number,
    require_seconds,
    require_share,
    require_word,
)

NAME_CHARACTERS_MAX = 200
RECENT = 10
"""So many of the latest observations of a source are looked at for `degraded_rate`."""
_STREAK_MAX = 100
_RECHECK_SECONDS_MAX = 1.0
_DEGRADING_LEAST = 2
_WRITE = 'Dependency("redis", kind="redis", {})'


class Kind(StrEnum):
    """What a dependency is, for people and for choosing a probe. It changes no rule."""

    HTTP = "http"
    TCP = "tcp"
    UNIX_SOCKET = "unix_socket"
    REDIS = "redis"
    NATS = "nats"
    SQL = "sql"
    FUNCTION = "function"
    DISK = "disk"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something that a process relies on.

    name            1 to 200 characters; what errors, events and logs call it.
    kind            a `Kind` or its word: "http", "tcp", "unix_socket", "redis", "nats", "sql", "function", "disk",
                    "memory".
    critical        whether people must be told at once when it fails; default: no.
    down_after      observations in a row without a right answer that make it unhealthy, 1 to 100; default 3.
    up_after        right answers in a row that make it healthy, 2 to 100; default 2. One lucky answer is not enough.
    freshness       seconds after which a right answer says nothing any more, above 0; default 30. Longer than a probe
                    may come late: probe_every × (1 + jitter) + probe_timeout.
    probe_every     seconds between probes, above 0; default 10.
    probe_timeout   seconds that a probe may take, above 0; default 2.
    backoff_max     seconds between probes at most while it is unhealthy, above 0; default 60.
    jitter          share by which the time between probes varies up and down, 0 to below 1; default 0.1.
    degraded_after  seconds; a right answer that took strictly longer counts as slow. None: slowness does not count.
    degraded_rate   share of slow or missing answers among the latest ten that makes it degraded, and of failed calls
                    in one look at the traffic; above 0 to 1; default 0.3. Two at least.
    flap_changes    changes of state within `flap_window` above which it is called flapping, 1 to 100; default 6.
    flap_window     seconds, above 0; default 300.

    Raises `OptionError` for options that cannot work.
    """

    name: str
    kind: Kind | str = field(kw_only=True)
    critical: bool = field(default=False, kw_only=True)
    down_after: int = field(default=3, kw_only=True)
    up_after: int = field(default=2, kw_only=True)
    freshness: float = field(default=30.0, kw_only=True)
    probe_every: float = field(default=10.0, kw_only=True)
    probe_timeout: float = field(default=2.0, kw_only=True)
    backoff_max: float = field(default=60.0, kw_only=True)
    jitter: float = field(default=0.1, kw_only=True)
    degraded_after: float | None = field(default=None, kw_only=True)
    degraded_rate: float = field(default=0.3, kw_only=True)
    flap_changes: int = field(default=6, kw_only=True)
    flap_window: float = field(default=300.0, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options."""
        _check_name(self.name)
        require_word("Dependency(kind)", self.kind, tuple(Kind), write='Dependency("redis", kind="redis")')
        object.__setattr__(self, "kind", Kind(self.kind))
        _check_flag(self.critical)
        _check_streaks(self)
        _check_seconds(self)
        _check_late_probe(self)

    @property
    def recheck_every(self) -> float:
        """Seconds between probes while it recovers or is in doubt: so short that it is decided within `probe_every`."""
        return min(_RECHECK_SECONDS_MAX, self.probe_every / (2 * self.up_after))

    @property
    def degrading(self) -> int:
        """How many of the latest ten observations must be slow or missing to make it degraded."""
        return max(_DEGRADING_LEAST, ceil(self.degraded_rate * RECENT))


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
        wants = f"needs a printable text of 1 to {NAME_CHARACTERS_MAX} characters"
        raise refused("Dependency(name)", wants, name, _WRITE.format("critical=True"))


def _check_flag(critical: object) -> None:
    if not isinstance(critical, bool):
        raise refused("Dependency(critical)", "is True or False", critical, _WRITE.format("critical=True"))


def _check_streaks(options: Dependency) -> None:
    for name, least, example in (("down_after", 1, 3), ("up_after", 2, 2), ("flap_changes", 1, 6)):
        write = _WRITE.format(f"{name}={example}")
        require_count(f"Dependency({name})", getattr(options, name), least=least, most=_STREAK_MAX, write=write)
    require_share("Dependency(degraded_rate)", options.degraded_rate, write=_WRITE.format("degraded_rate=0.3"))


def _check_seconds(options: Dependency) -> None:
    for name, example in _SECONDS.items():
        value = getattr(options, name)
        if value is not None or name != "degraded_after":
            require_seconds(f"Dependency({name})", value, write=_WRITE.format(f"{name}={example}"))
    require_number("Dependency(jitter)", options.jitter, least=0.0, write=_WRITE.format("jitter=0.1"))
    if options.jitter >= 1:
        raise refused("Dependency(jitter)", "needs a share below 1", options.jitter, _WRITE.format("jitter=0.1"))


_SECONDS = {
    "freshness": 30.0,
    "probe_every": 10.0,
    "probe_timeout": 2.0,
    "backoff_max": 60.0,
    "degraded_after": 0.5,
    "flap_window": 300.0,
}


def _check_late_probe(options: Dependency) -> None:
    """Refuse a freshness that a healthy dependency could not keep: between two probes it would go stale each time."""
    latest = options.probe_every * (1 + options.jitter) + options.probe_timeout
    if options.freshness <= latest:
        write = _WRITE.format(
            f"freshness={options.freshness!r}, probe_every={options.freshness / 4!r}, "
            f"probe_timeout={options.freshness / 4!r}"
        )
        raise OptionError(
            f"Dependency(freshness) needs more than the {latest:g} s that a probe may come late, "
            f"not {options.freshness!r}; write for example {write}"
        )
