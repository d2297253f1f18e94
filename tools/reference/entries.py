"""How a public name stands on a reference page: its heading, signature, docstring and members."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

_LITERAL = (bool, int, float, str, tuple, frozenset, type(None))
_STARS = {int(inspect.Parameter.VAR_POSITIONAL): "*", int(inspect.Parameter.VAR_KEYWORD): "**"}
_PLUMBING = frozenset({"facts"})
_LINE_MAX = 100
_TERM = re.compile(r"(?P<term>[a-z_][\w, ]*?) {2,}(?P<text>\S.*)\Z")


def heading(name: str) -> str:
    """Return the heading of a public name."""
    return f"### {name}\n"


def signature(name: str, thing: Any) -> str:  # noqa: ANN401 - anything can be a public name
    """Return how `thing` is called, as a block."""
    return _code(_call(name, thing))


def members(name: str, owner: type) -> Iterator[str]:
    """Yield the public methods and properties of a class."""
    for member, raw in _own(owner):
        thing = inspect.unwrap(raw.__func__) if isinstance(raw, (staticmethod, classmethod)) else raw
        if member.startswith("_") or member in _PLUMBING:
            continue
        if inspect.isfunction(thing):
            prefix = "async " if inspect.iscoroutinefunction(thing) else ""
            yield f"#### {name}.{member}\n"
            yield _code(prefix + _call(member, thing))
            yield f"{prose(thing)}\n"
        elif isinstance(thing, property):
            yield f"#### {name}.{member}\n\n{prose(thing)}\n"


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
    if isinstance(value, StrEnum):
        return repr(str(value))
    return repr(value) if isinstance(value, _LITERAL) else "..."


def prose(thing: object) -> str:
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
