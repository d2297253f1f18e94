"""References: what stands in arguments for a value of an earlier step."""

from __future__ import annotations

from typing import Any

import pytest

from switchgear.core.errors import Invalid
from switchgear.execution.sagas.references import Reference, references, resolved

VALUES = {"reserve": {"id": 7, "rooms": [{"name": "A"}, {"name": "B"}]}, "empty": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [("", VALUES["reserve"]), ("id", 7), ("rooms.1.name", "B"), ("rooms", [{"name": "A"}, {"name": "B"}])],
)
def test_a_path_walks_through_objects_and_lists(path: str, found: object) -> None:
    """Names of objects and positions of lists lead to the value; no path is the whole of it."""
    assert resolved({"booking": {"$step": "reserve", "path": path}}, VALUES) == {"booking": found}


def test_references_stand_anywhere_and_the_rest_stays() -> None:
    """Inside lists and objects, as often as needed; everything else is left as it is."""
    part = {"ids": [1, {"$step": "reserve", "path": "id"}], "none": {"$step": "empty"}, "text": "$step"}
    assert resolved(part, VALUES) == {"ids": [1, 7], "none": None, "text": "$step"}
    assert list(references(part)) == [Reference("reserve", "id"), Reference("empty")]


@pytest.mark.parametrize("path", ["name", "rooms.2", "rooms.x", "rooms.-1", "id.deeper", "rooms.٣"])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    """The step fails with words that name the step and what is missing; nothing is guessed."""
    with pytest.raises(Invalid, match="the value of step reserve has no"):
        resolved({"$step": "reserve", "path": path}, VALUES)


def test_a_step_without_a_value_is_refused() -> None:
    """A step that was done by hand, or whose data was erased, has nothing to give."""
    with pytest.raises(Invalid, match="step other has no value on record"):
        resolved({"$step": "other"}, VALUES)


@pytest.mark.parametrize(
    "part", [{"$step": 3}, {"$step": "a", "path": 1}, {"$step": "a", "paht": "id"}, {"$step": "a", "path": None}]
)
def test_a_malformed_reference_is_refused(part: dict[str, Any]) -> None:
    """A reference says exactly two things; a typing error is not passed on as a value."""
    with pytest.raises(Invalid, match="a reference is"):
        list(references({"x": [part]}))
