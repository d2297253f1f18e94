"""The page of the library: every public name with its signature and docstring."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import switchgear
from switchgear.assembly import Acting, IntentHandle, Switchgear
from switchgear.core.outcome import Outcome
from switchgear.guard import Event, Permit, Statistics
from switchgear.testing import VirtualClock
from tools.reference.markdown import GENERATED, page

_HEAD = f"""# The library

{GENERATED}
`pip install switchgear` brings everything under *Guard*, with no third-party dependency. *Gear* needs
`pip install 'switchgear[gear]'`. All times are seconds as float unless a name says otherwise.

What each policy is for, and in which order they stand: [Policies](../policies/index.md).
"""
_SECTIONS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("What a guard returns, in `switchgear.guard`", (Permit, Statistics, Event)),
    ("Gear", (Switchgear, Acting, IntentHandle, Outcome)),
    ("Tests, in `switchgear.testing`", (VirtualClock,)),
)
_MADE_BY_US = (Permit, Switchgear, Acting, IntentHandle)
_LITERAL = (bool, int, float, str, tuple, frozenset, type(None))
_STARS = {int(inspect.Parameter.VAR_POSITIONAL): "*", int(inspect.Parameter.VAR_KEYWORD): "**"}
_NOT_LISTED = frozenset({"Switchgear"})
_PLUMBING = frozenset({"facts"})
_POLICIES = "switchgear.policies"
_POLICY_PAGES = {
    "Breaker": "breaker",
    "Bulkhead": "bulkhead",
    "Fallback": "fallback",
    "Fault": "faults",
    "Faults": "faults",
    "Hedge": "hedge",
    "RateLimit": "rate-limit",
    "Retry": "retry",
    "RetryBudget": "retry-budget",
    "Shedding": "shedding",
    "Timeout": "timeout",
    "deadline": "deadline",
}
_LINE_MAX = 100
_TERM = re.compile(r"(?P<term>[a-z_][\w, ]*?) {2,}(?P<text>\S.*)\Z")


def library_page() -> str:
    """Return docs/reference/library.md."""
    lines = [_HEAD, "## Guard\n"]
    for name in switchgear.__all__:
        if name not in _NOT_LISTED:
            lines += _entry(name, getattr(switchgear, name))
    for title, parts in _SECTIONS:
        lines.append(f"## {title}\n")
        for part in parts:
            lines += _entry(part.__name__, part)
    return page(lines)


def _entry(name: str, thing: Any) -> Iterator[str]:  # noqa: ANN401 - anything can be a public name
    yield f"### {name}\n"
    if inspect.isfunction(thing) or _is_made_by_callers(thing):
        yield _code(_call(name, thing))
    yield f"{_prose(thing)}\n"
    if name in _POLICY_PAGES:
        yield f"More: [{_POLICY_PAGES[name]}](../policies/{_POLICY_PAGES[name]}.md).\n"
    if inspect.isclass(thing) and not _is_options(thing):
        yield from _members(name, thing)


def _is_made_by_callers(thing: object) -> bool:
    """Return whether a signature helps: not for errors, which we raise, nor for enumerations and results."""
    if not inspect.isclass(thing) or issubclass(thing, (BaseException, str)) or thing in _MADE_BY_US:
        return False
    return _is_options(thing) or not dataclasses.is_dataclass(thing)


def _is_options(thing: type) -> bool:
    return dataclasses.is_dataclass(thing) and thing.__module__.startswith(_POLICIES)


def _members(name: str, owner: type) -> Iterator[str]:
    for member, raw in _own(owner):
        thing = inspect.unwrap(raw.__func__) if isinstance(raw, (staticmethod, classmethod)) else raw
        if member.startswith("_") or member in _PLUMBING:
            continue
        if inspect.isfunction(thing):
            prefix = "async " if inspect.iscoroutinefunction(thing) else ""
            yield f"#### {name}.{member}\n"
            yield _code(prefix + _call(member, thing))
            yield f"{_prose(thing)}\n"
        elif isinstance(thing, property):
            yield f"#### {name}.{member}\n\n{_prose(thing)}\n"


def _own(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield what a class has: of its private bases first, which nobody else reads of, then of itself."""
    for base in reversed(owner.__mro__):
        if base is owner or (base.__name__.startswith("_") and base.__module__ == owner.__module__):
            yield from vars(base).items()


def _call(name: str, thing: Any) -> str:  # noqa: ANN401 - as above
    """Return a name with its signature, on one line if it fits, else a parameter a line."""
    signature = inspect.signature(thing)
    kept = [parameter for parameter in signature.parameters.values() if parameter.name not in ("self", "cls")]
    parameters = list(_with_marker(kept))
    returned = signature.return_annotation
    arrow = "" if inspect.isclass(thing) or returned is inspect.Signature.empty else f" -> {_annotation(returned)}"
    line = f"{name}({', '.join(parameters)}){arrow}"
    if len(line) <= _LINE_MAX:
        return line
    return f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){arrow}"


def _with_marker(parameters: list[inspect.Parameter]) -> Iterator[str]:
    """Yield the parameters as text, with the lone star before the first keyword-only one."""
    starred = False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            starred = True
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        yield _parameter(parameter)


def _parameter(parameter: inspect.Parameter) -> str:
    text = f"{_STARS.get(int(parameter.kind), '')}{parameter.name}"
    if parameter.annotation is not inspect.Parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is not inspect.Parameter.empty:
        text += f" = {_default(parameter.default)}"
    return text


def _annotation(annotation: Any) -> str:  # noqa: ANN401 - as above
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: object) -> str:
    """Return a default as it would be written; what is no literal is an ellipsis."""
    if isinstance(value, type):
        return value.__name__
    return repr(value) if isinstance(value, _LITERAL) else "..."


def _prose(thing: object) -> str:
    """Return the docstring, with its lists of terms as lists of Markdown."""
    return "\n\n".join(map(_paragraph, (inspect.getdoc(thing) or "").split("\n\n")))


def _paragraph(text: str) -> str:
    if _TERM.match(text.split("\n", 1)[0]) is None:
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        term = _TERM.match(line)
        lines.append(f"- `{term['term']}`: {term['text']}" if term else f"  {line.strip()}")
    return "\n".join(lines)


def _code(text: str) -> str:
    return f"```text\n{text}\n```\n"
