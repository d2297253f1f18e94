"""Options of a dependency: what cannot work is refused at birth, with a line to write."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.health.dependency import Dependency, Kind


def test_defaults_are_those_of_the_page() -> None:
    """A dependency needs a name and a kind, and the rest has a default."""
    redis = Dependency("redis", kind="redis")
    assert (redis.kind, redis.critical, redis.down_after, redis.up_after) == (Kind.REDIS, False, 3, 2)
    assert (redis.freshness, redis.probe_every, redis.probe_timeout, redis.backoff_max) == (30.0, 10.0, 2.0, 60.0)
    assert (redis.degraded_after, redis.degraded_rate, redis.degrading) == (None, 0.3, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "mainframe"),
        ("critical", 1),
        ("down_after", 0),
        ("down_after", 101),
        ("up_after", 1),
        ("up_after", 2.0),
        ("freshness", 0.0),
        ("freshness", math.inf),
        ("freshness", 13.0),
        ("probe_every", -1.0),
        ("probe_timeout", math.nan),
        ("backoff_max", 0),
        ("jitter", 1.0),
        ("jitter", -0.1),
        ("degraded_after", 0.0),
        ("degraded_rate", 0.0),
        ("degraded_rate", 1.1),
        ("flap_changes", 0),
        ("flap_window", 0.0),
    ],
)
def test_an_option_that_cannot_work_is_refused(name: str, value: object) -> None:
    """The error names the option and shows a line to write."""
    options: dict[str, Any] = {"kind": "redis", name: value}
    with pytest.raises(OptionError, match=rf"Dependency\({name}\).*write for example Dependency\("):
        Dependency("redis", **options)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb"])
def test_a_name_is_printable_text(name: str) -> None:
    """A name goes into logs and problem documents."""
    with pytest.raises(OptionError, match="name"):
        Dependency(name, kind="tcp")


def test_the_advice_for_a_short_freshness_works() -> None:
    """The line that the error shows can be written."""
    with pytest.raises(OptionError, match=r"freshness=5.0, probe_every=1.25, probe_timeout=1.25"):
        Dependency("redis", kind="redis", freshness=5.0)
    assert Dependency("redis", kind="redis", freshness=5.0, probe_every=1.25, probe_timeout=1.25).freshness == 5.0


def test_a_dependency_never_changes() -> None:
    """Options are frozen."""
    with pytest.raises(FrozenInstanceError):
        Dependency("redis", kind="redis").critical = True  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("probe_every", [0.5, 2.0, 10.0, 300.0])
@pytest.mark.parametrize("up_after", [2, 5, 100])
def test_rechecks_are_through_within_one_probe_interval(probe_every: float, up_after: int) -> None:
    """From the first right answer to healthy it takes no longer than a probe interval."""
    options = Dependency("d", kind="tcp", up_after=up_after, probe_every=probe_every, freshness=1_000.0)
    assert 0 < options.recheck_every * (up_after - 1) < probe_every
