"""The public names of `switchgear.health`, by what one does with them: the second half of the page of health."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import itertools
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from switchgear import health
from switchgear.health.board import DEPENDENCIES_MAX
from switchgear.health.modes import POLLERS_MAX
from switchgear.health.probe import DETAIL_LENGTH_MAX
from switchgear.health.telling import EVENTS_MAX
from tools.reference.entries import heading, members, prose, signature
from tools.reference.markdown import table

_HEAD = """## The library

Everything here is in `switchgear.health`, and needs the standard library only. All times are seconds as float unless a
name says otherwise. `OptionError` and `DestructiveBlocked` are in [the library](library.md), whole programs in
[Delete safely](../how-to/delete-safely.md) and [Watch a dependency](../how-to/watch-a-dependency.md).
"""

_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Where dependencies stand",
        ("HealthWatch", "HealthBoard", "Dependency", "Standing", "Cause", "Health", "Standings", "HealthChanged"),
    ),
    (
        "Where that is known from",
        ("Evidence", "Polarity", "Source", "TrafficWatch", "Probe", "ProbeFailed", "Prober", "FileLease"),
    ),
    (
        "What may be destroyed",
        ("DestructiveGate", "installed_gate", "Permit", "destructive", "Destructive"),
    ),
    ("Reasons", ("Witness", "Finding", "Confirmed", "Inferred", "Inference")),
    (
        "The inventory",
        ("operations", "OperationRecord", "Blocked", "Inventory", "Operation", "OPERATIONS_MAX"),
    ),
    ("Loops that follow", ("Modes", "Poller", "PollerStatistics")),
    ("Reports", ("health_report", "Component")),
)
_HANDED_OUT = frozenset(
    {"Blocked", "Confirmed", "Destructive", "HealthChanged", "Operation", "OperationRecord", "Permit", "Poller"}
)
"""What nobody calls by this name."""
_UNSIGNED = _HANDED_OUT | {"Standings"}
_HOMES = {"Finding": "findings", "OPERATIONS_MAX": "inventory", "Probe": "probe"}
"""Where the names stand that are no classes or functions."""


_BOUNDS: tuple[tuple[str, int, str], ...] = (
    ("DEPENDENCIES_MAX", DEPENDENCIES_MAX, "dependencies of one board"),
    ("EVENTS_MAX", EVENTS_MAX, "events that wait for slow listeners; older ones are dropped and counted"),
    ("OPERATIONS_MAX", health.OPERATIONS_MAX, "destructive operations of one inventory"),
    ("POLLERS_MAX", POLLERS_MAX, "pollers of one `Modes` at once"),
    ("DETAIL_LENGTH_MAX", DETAIL_LENGTH_MAX, "characters of a detail that are kept"),
)


def health_names() -> Iterator[str]:
    """Yield an entry for each public name of `switchgear.health`."""
    yield _HEAD
    yield from table(
        ("Bound", "At most", "Of what"), [(f"`{name}`", f"{most:,}", what) for name, most, what in _BOUNDS]
    )
    known = {name for _, names in _GROUPS for name in names}
    further = tuple(name for name in health.__all__ if name not in known)
    for title, names in (*_GROUPS, ("Further names", further)):
        if names:
            yield f"## {title}\n"
        for name in names:
            yield from _entry(name, getattr(health, name))


def _entry(name: str, thing: Any) -> Iterator[str]:  # noqa: ANN401 - anything can be a public name
    yield heading(name)
    if name in _HOMES:
        yield from _assigned(name)
    elif inspect.isclass(thing) and issubclass(thing, StrEnum):
        yield from _words(thing)
    else:
        if name not in _UNSIGNED:
            yield signature(name, thing)
        yield f"{prose(thing)}\n"
        if name in _HANDED_OUT and dataclasses.is_dataclass(thing):
            yield f"Fields: {', '.join(f'`{field.name}`' for field in dataclasses.fields(thing))}.\n"
        if inspect.isclass(thing):
            yield from members(name, thing)


def _words(kind: type[StrEnum]) -> Iterator[str]:
    """Yield what a word may be, each with what it means."""
    yield f"{prose(kind)}\n"
    (definition,) = (node for node in _module(kind.__module__) if getattr(node, "name", "") == kind.__name__)
    said = dict(_documented(getattr(definition, "body", [])))
    for word in kind:
        yield f"- `{word}`" + (f": {said[word.name]}" if word.name in said else "")
    yield ""


def _assigned(name: str) -> Iterator[str]:
    """Yield an alias or a constant as it is written, and the text below it."""
    body = _module(f"{health.__name__}.{_HOMES[name]}")
    for node in body:
        if _target(node) == name:
            yield f"```text\n{ast.unparse(node)}\n```\n"
    yield f"{dict(_documented(body)).get(name, '')}\n"


def _module(name: str) -> list[ast.stmt]:
    return ast.parse(inspect.getsource(importlib.import_module(name))).body


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield the names that are assigned in `body` with the text that stands below each."""
    for node, below in itertools.pairwise(body):
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and _target(node):
            yield _target(node), inspect.cleandoc(str(below.value.value))


def _target(node: ast.stmt) -> str:
    """Return the one name that a statement assigns, or nothing."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(target, ast.Name) else ""
