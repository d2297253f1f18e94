"""The pages of the policies say what the code says: options, defaults, events, statistics, errors and codes.

What they say in words is not looked at here; their snippets are run by `test_snippets`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, get_args

import pytest

import switchgear
from switchgear import (
    Breaker,
    Bulkhead,
    Code,
    Fallback,
    Fault,
    Faults,
    Guard,
    Hedge,
    OptionError,
    RateLimit,
    Retry,
    RetryBudget,
    Shedding,
    Timeout,
    deadline,
)
from switchgear.guard import Statistics
from switchgear.guard.meter import EventKind
from tests.docs.snippets import ROOT

FOLDER = ROOT / "docs" / "policies"
SECTIONS = ["About", "Defaults", "What it emits", "When it goes well", "When it does not", "Anti-patterns", "Sources"]
OPTIONS: dict[str, tuple[Callable[..., Any], ...]] = {
    "breaker": (Breaker,),
    "bulkhead": (Bulkhead,),
    "deadline": (deadline,),
    "fallback": (Fallback,),
    "faults": (Fault, Faults),
    "hedge": (Hedge,),
    "index": (Guard,),
    "rate-limit": (RateLimit,),
    "retry": (Retry,),
    "retry-budget": (RetryBudget,),
    "shedding": (Shedding,),
    "timeout": (Timeout,),
}
"""The pages, and whose options each of them lists."""

NEEDED: dict[Callable[..., Any], dict[str, Any]] = {
    Bulkhead: {"limit": 8},
    Fallback: {"value": None},
    Fault: {"kind": "latency", "rate": 0.5, "seconds": 1.0},
    Guard: {"name": "api"},
    Hedge: {"after": 1.0},
    RateLimit: {"limit": 10},
    Retry: {"on": OSError},
    Timeout: {"seconds": 1.0},
    deadline: {"seconds": 1.0},
}
"""What else has to be said, so that one option can be tried."""

NEEDED_BESIDE: dict[tuple[Callable[..., Any], str], dict[str, Any]] = {
    (Breaker, "minimum_calls"): {"failure_rate": 0.5},
    (Breaker, "slow_after"): {"slow_rate": 0.5},
    (Breaker, "slow_rate"): {"slow_after": 1.0},
    (Hedge, "maximum"): {"after": None, "percentile": 0.95},
    (Hedge, "minimum"): {"after": None, "percentile": 0.95},
    (Hedge, "percentile"): {"after": None},
    (Shedding, "queue_age"): {"queue": 8},
}
"""The same for one option alone."""

_OF_VALUES = {(Guard, "name"), (RetryBudget, "costs"), (Shedding, "shares"), (Shedding, "weights")}
"""Options whose range is not that of the option itself, but of its length or its values."""

_STEP = 0.001
POLICIES = sorted(OPTIONS.keys() - {"index"})
_HEADING = re.compile(r"^## (?P<text>.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| (?P<first>[^|]+) \| (?P<rest>.+) \|$", re.MULTILINE)
_BOUND = re.compile(r"\b(?P<word>above|at least|at most|below) (?P<bound>\d+)\b")
_FROM_TO = re.compile(r"(?P<least>\d+) to (?P<most>\d+)")
_QUOTED = re.compile(r"`(?P<name>[^`]+)`")
_STATISTICS = {*(field.name for field in fields(Statistics)), "rejected"}
_KNOWN = {
    "event": set(get_args(EventKind)),
    "statistic": _STATISTICS,
    "error": {*switchgear.__all__, *Code},
    "log": {"ERROR", "INFO", "WARNING"},
}


def _page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def _section(name: str, heading: str) -> str:
    return re.split(r"^## ", _page(name).partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def _rows(name: str, heading: str) -> list[tuple[str, list[str]]]:
    """Return the first cell of each row of the tables of a section, and the other cells."""
    found = [(row["first"].strip(), row["rest"].split(" | ")) for row in _ROW.finditer(_section(name, heading))]
    return [(first, rest) for first, rest in found if first.startswith("`") or first in _KNOWN]


def _named(heading: str, kind: str) -> Iterator[str]:
    for name in OPTIONS:
        for first, rest in _rows(name, heading):
            if first == kind:
                yield from (found["name"] for found in _QUOTED.finditer(rest[0]))


def _options(kind: Callable[..., Any]) -> list[tuple[str, str]]:
    """Return the options of a policy as a page has to show them: name, and the start of the cell of the default."""
    made = {field.name: field.default_factory for field in fields(kind)} if is_dataclass(kind) else {}
    parameters = inspect.signature(kind).parameters.values()
    return [
        (parameter.name, _shown(parameter.default, made.get(parameter.name, MISSING)))
        for parameter in parameters
        if parameter.name != "self"
    ]


def _shown(default: object, factory: object) -> str:
    if default is inspect.Parameter.empty:
        return "required"
    if isinstance(factory, type):
        return f"`{factory.__name__}()`"
    if isinstance(default, Enum) and not isinstance(default, str):
        return "not given"
    if isinstance(default, type):
        return f"`{default.__name__}`"
    return f"`{default!r}`" if isinstance(default, (int, float, str, tuple, type(None))) else "the system's"


def _bounds(stated: str) -> list[tuple[str, str]]:
    """Return the bounds that a range states, each as a word and a number."""
    return _BOUND.findall(_FROM_TO.sub(r"at least \g<least>, at most \g<most>", stated))


def _good_and_bad(stated: str) -> tuple[list[float], list[float]]:
    """Return values at the bounds that a range states: those in it, and those just outside."""
    step = 1 if stated.startswith("whole") else _STEP
    good: list[float] = []
    bad: list[float] = []
    for word, text in _bounds(stated):
        bound = int(text)
        inside, outside = {
            "above": (bound + step, bound),
            "at least": (bound, bound - step),
            "at most": (bound, bound + step),
            "below": (bound - step, bound),
        }[word]
        good.append(inside)
        bad.append(outside)
    return good, bad + [value + 0.5 for value in good if stated.startswith("whole")]


def _ranges() -> Iterator[Any]:
    """Yield policy, option and stated range of each option whose range is one of numbers."""
    for name, kinds in OPTIONS.items():
        stated = {first.strip("`"): rest[0] for first, rest in _rows(name, "Defaults")}
        for kind in kinds:
            for option, _ in _options(kind):
                if _bounds(stated.get(option, "")) and (kind, option) not in _OF_VALUES:
                    yield pytest.param(kind, option, stated[option], id=f"{name}-{option}")


@pytest.mark.parametrize(("kind", "option", "stated"), [*_ranges()])
def test_the_ranges_are_those_of_the_code(kind: Callable[..., Any], option: str, stated: str) -> None:
    """What is at a bound of a stated range works, and what is just outside is refused at birth."""
    others = {**NEEDED.get(kind, {}), **NEEDED_BESIDE.get((kind, option), {})}
    rules = [Fault("latency", rate=0.5, seconds=1.0)] if kind is Faults else []
    good, bad = _good_and_bad(stated)
    for value in good:
        assert kind(*rules, **{**others, option: value}) is not None
    for value in bad:
        with pytest.raises(OptionError):
            kind(*rules, **{**others, option: value})


def test_every_policy_has_a_page() -> None:
    """A page without options, or options without a page, would drift."""
    assert {path.stem for path in FOLDER.glob("*.md")} == set(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_defaults_are_those_of_the_code(name: str) -> None:
    """A page lists every option in the order of the code, with its default, range and unit."""
    rows = _rows(name, "Defaults")
    expected = [option for kind in OPTIONS[name] for option in _options(kind)]
    assert [first.strip("`") for first, _ in rows] == [option for option, _ in expected]
    for (first, rest), (_, default) in zip(rows, expected, strict=True):
        assert len(rest) == len(["range", "default", "unit", "meaning"]), first
        assert rest[1].startswith(default), f"{first}: {rest[1]} does not begin with {default}"


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_page_has_the_one_skeleton(name: str) -> None:
    """A reader who knows one page finds the way on all of them."""
    assert [found["text"] for found in _HEADING.finditer(_page(name))] == SECTIONS


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_page_mends_its_anti_patterns(name: str) -> None:
    """What is wrong is shown beside what is right, both as code."""
    section = _section(name, "Anti-patterns")
    assert section.count("**Wrong.**") == section.count("**Better.**") >= 2


@pytest.mark.parametrize("kind", _KNOWN)
def test_what_a_page_says_is_emitted_exists(kind: str) -> None:
    """No page names an event, a statistic, an error or a code that there is not."""
    assert set(_named("What it emits", kind)) <= _KNOWN[kind]


@pytest.mark.parametrize("kind", ["event", "statistic"])
def test_everything_that_is_emitted_is_on_a_page(kind: str) -> None:
    """An event or a statistic that no page explains helps nobody."""
    assert _KNOWN[kind] - set(_named("What it emits", kind)) == set()


def test_the_index_leads_to_every_policy() -> None:
    """The page of the order is where a reader begins."""
    index = _page("index")
    assert [name for name in POLICIES if f"]({name}.md)" not in index] == []
