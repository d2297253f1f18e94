"""Values of earlier steps inside the arguments of later ones: ``{"$step": "reserve", "path": "id"}``. Pure.

A reference stands anywhere inside arguments, in place of a value. `path` walks through the value of that step, by names
of objects and positions of lists with dots between them; without one the whole value is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from switchgear.core.errors import Invalid

STEP = "$step"
_PATH = "path"


@dataclass(frozen=True, slots=True)
class Reference:
    """A value of another step: of which one, and where inside its value."""

    step: str
    path: str = ""

    def __str__(self) -> str:
        """Show step and path as a person would write them."""
        return f"{self.step}.{self.path}" if self.path else self.step


def references(part: object) -> Iterator[Reference]:
    """Yield the references inside `part`. Raises `Invalid` for one that is malformed."""
    if isinstance(part, Mapping):
        if STEP in part:
            yield _reference(part)
        else:
            for value in part.values():
                yield from references(value)
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from references(item)


def resolved(part: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value comes in and goes out
    """Return `part` with each reference replaced by what it means. `values` are those of the steps, by name.

    Raises `Invalid` when a step has no value, or the path leads nowhere.
    """
    if isinstance(part, Mapping):
        if STEP in part:
            return _found(_reference(part), values)
        return {name: resolved(value, values) for name, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [resolved(item, values) for item in part]
    return part


def _reference(part: Mapping[Any, Any]) -> Reference:
    step, path = part[STEP], part.get(_PATH, "")
    if set(part) - {STEP, _PATH} or not isinstance(step, str) or not isinstance(path, str):
        message = 'a reference is {"$step": "name of an earlier step", "path": "names.with.dots"} and nothing else'
        raise Invalid(message, policy="saga")
    return Reference(step, path)


def _found(reference: Reference, values: Mapping[str, Any]) -> object:
    if reference.step not in values:
        raise Invalid(f"step {reference.step} has no value on record, and {reference} is needed", policy="saga")
    found = values[reference.step]
    for name in reference.path.split(".") if reference.path else ():
        found = _inside(found, name, reference)
    return found


def _inside(value: object, name: str, reference: Reference) -> object:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    raise Invalid(f"the value of step {reference.step} has no {name!r}, which {reference} needs", policy="saga")
