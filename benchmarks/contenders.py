"""What is compared: a row, its goals, and the contenders that stand in it. Nothing here measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Build = Callable[[], Callable[..., Any]]
"""Returns what is measured. Called inside a running event loop, once, before the first round."""

Mode = Literal["async", "sync"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to do what a row asks for. `thread_safe` is whether threads may share it; None: nothing to share."""

    library: str
    variant: str
    thread_safe: bool | None
    build: Build


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question. `goals` are upper bounds for ours in `unit`, the nearest first; `bare` is the call unguarded."""

    key: str
    title: str
    mode: Mode
    bare: Callable[[], Any]
    goals: tuple[float, ...] = ()


Contenders = Mapping[str, tuple[Contender, ...]]
"""Row key -> contenders of one library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one contender stood in one row. `value` is in the unit of the row; `ratio` is to the bare call."""

    library: str
    variant: str
    thread_safe: bool | None
    value: float
    ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A row as measured: all standings, best first. `at_least` turns the goals into lower bounds."""

    key: str
    title: str
    unit: str
    goals: tuple[float, ...]
    standings: tuple[Standing, ...]
    bare: float | None = None
    at_least: bool = False


OURS = "switchgear"
CALLED = "through Guard.call"
"""Ends the variant of ours that is no decorated function; peers are measured decorated."""


def of_ours(result: Result) -> float:
    """Return our figure in a row: that of the slowest form, those through `Guard.call` apart."""
    ours = [
        standing.value
        for standing in result.standings
        if standing.library == OURS and not standing.variant.endswith(CALLED)
    ]
    return min(ours) if result.at_least else max(ours)


def meets(result: Result, goal: float) -> bool:
    """Return whether every form of ours reaches `goal`."""
    return of_ours(result) >= goal if result.at_least else of_ours(result) <= goal
