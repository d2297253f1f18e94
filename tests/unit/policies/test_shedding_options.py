"""The options of shedding: what is refused at birth, what the defaults resolve to, and how long a class may wait."""

from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.policies.shedding import Shedding


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"minimum": 0}, r"Shedding\(minimum=4\)"),
        ({"maximum": 0}, r"Shedding\(maximum=200\)"),
        ({"maximum": 1.5}, r"Shedding\(maximum=200\)"),
        ({"minimum": 9, "maximum": 8}, r"Shedding\(minimum=9, maximum=9\) for a fixed limit"),
        ({"initial": 0}, r"Shedding\(initial=20\)"),
        ({"initial": 201}, "leave initial out"),
        ({"initial": 3, "minimum": 4}, "leave initial out"),
        ({"smoothing": 0}, r"Shedding\(smoothing=0.2\)"),
        ({"smoothing": 1.1}, r"Shedding\(smoothing=0.2\)"),
        ({"tolerance": 0.9}, r"Shedding\(tolerance=1.5\)"),
        ({"tolerance": float("nan")}, r"Shedding\(tolerance=1.5\)"),
        ({"headroom": 0}, r"Shedding\(headroom=4.0\)"),
        ({"window": 0}, r"Shedding\(window=1.0\)"),
        ({"long_window": -1}, r"Shedding\(long_window=60.0\)"),
        ({"window": 2.0, "long_window": 1.0}, r"Shedding\(window=2.0, long_window=120.0\)"),
        ({"throttle": 0.5}, r"Shedding\(throttle=2.0\)"),
        ({"throttle_window": 0}, r"Shedding\(throttle_window=120.0\)"),
        ({"queue": -1}, r"Shedding\(queue=64\)"),
        ({"queue": 1, "max_wait": 0}, r"Shedding\(max_wait=5.0\)"),
        ({"queue": 1, "queue_age": 0}, r"Shedding\(queue=64, queue_age=1.0\)"),
        ({"queue_age": 1.0}, r"Shedding\(queue=64, queue_age=1.0\)"),
        ({"weights": {"acme": 2}}, r'Shedding\(queue=64, weights={"acme": 2.0}\)'),
        ({"queue": 1, "max_wait": 4.0, "queue_age": 4.0}, r"Shedding\(queue=1, max_wait=4.0, queue_age=2.0\)"),
        ({"queue": 1, "weights": {"acme": 0.5}}, "for tenant 'acme' needs a number of at least 1"),
        ({"shares": {"urgent": 1.0}}, "critical_plus, critical, sheddable_plus, sheddable, not {'urgent': 1.0}"),
        ({"shares": {"sheddable": 0}}, "for sheddable needs a share"),
        ({"shares": {"sheddable_plus": 0.3}}, r'Shedding\(shares={"sheddable_plus": 0.6}\)'),
    ],
)
def test_options_that_cannot_work_are_refused_at_birth(options: dict[str, Any], says: str) -> None:
    """Options are validated at birth, and the message says what to write instead."""
    with pytest.raises(OptionError, match=says):
        Shedding(**options)


@pytest.mark.parametrize(
    ("options", "start"),
    [({}, 20), ({"maximum": 8}, 8), ({"minimum": 50}, 50), ({"initial": 3}, 3), ({"minimum": 5, "maximum": 5}, 5)],
)
def test_the_limit_starts_within_its_bounds(options: dict[str, Any], start: int) -> None:
    """A default never makes an option that was given impossible."""
    assert Shedding(**options).start == start


@pytest.mark.parametrize(
    "options",
    [
        {"smoothing": 1},
        {"tolerance": 1},
        {"window": 2.0, "long_window": 2.0},
        {"throttle": 1},
        {"initial": 200},
        {"initial": 1},
        {"queue": 1, "weights": {"acme": 1}},
        {"shares": {"sheddable": 1.0, "sheddable_plus": 1.0, "critical": 1.0}},
    ],
)
def test_the_bounds_of_options_are_allowed(options: dict[str, Any]) -> None:
    """The range that the documentation names includes its ends."""
    Shedding(**options)


def test_shares_that_are_not_given_keep_their_default() -> None:
    """Changing the share of one class says nothing about the others, and the highest class stands first."""
    assert list(Shedding(shares={"sheddable": 0.1}).shares.items()) == [
        ("critical_plus", 1.0),
        ("critical", 0.95),
        ("sheddable_plus", 0.8),
        ("sheddable", 0.1),
    ]


def test_options_are_frozen_for_good() -> None:
    """What was checked cannot change afterwards, neither by the options nor by the mapping they were made of."""
    weights = {"acme": 2.0}
    options = Shedding(queue=1, weights=weights)
    weights["acme"] = 0.0
    assert options.weights == {"acme": 2.0}
    with pytest.raises(TypeError):
        options.weights["acme"] = 0.0  # type: ignore[index]  # that is the point
    assert hash(options) == hash(Shedding(queue=1, weights={"acme": 2.0}))


def test_a_sheddable_call_waits_no_longer_than_the_queue_may_age() -> None:
    """Who would be given up at its turn need not wait for it."""
    aged = Shedding(queue=1, queue_age=2.0, max_wait=5.0)
    assert [aged.patience(priority) for priority in aged.shares] == [5.0, 5.0, 2.0, 2.0]
    assert Shedding(queue=1, max_wait=5.0).patience("sheddable") == 5.0
