"""Says in the words of JSON where a value does not fit its JSON Schema: which place, what was expected, what came.

One place for arguments of tools and bodies of requests alike, so that nobody reads the words of a library or of Python.
Whether a value fits is not decided here: a validator has found the problems. Nothing is raised, whatever the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from jsonschema.exceptions import SchemaError, ValidationError

Problem = ValidationError | SchemaError

VALUE_CHARACTERS_MAX = 60
"""The most that is shown of a value, in characters."""
_NAMED_MAX = 10
_LOOKED_AT_MAX = 100
_NO_FORMS: Mapping[str, str] = {}
_TYPES = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_DECIDING = ("type", "const", "enum")
"""Keywords that say of which kind a value is: who fits them was meant, of several alternatives."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit. `pointer` is a JSON pointer (RFC 6901), empty for the whole."""

    pointer: str
    words: str


def misfits(problems: Iterable[Problem], most: int, forms: Mapping[str, str] = _NO_FORMS) -> list[Misfit]:
    """Return what `problems` say, each once, at most so many.

    `forms` has words for patterns, such as "64 hex digits". An empty text that may not be empty is named once.
    """
    leaves = (leaf for problem in problems for leaf in _leaves(problem) if not _is_told_already(leaf))
    found = (Misfit(_pointer(leaf), _words(leaf, forms)) for leaf in islice(leaves, _LOOKED_AT_MAX))
    return list(islice(dict.fromkeys(found), most))


def _pointer(problem: Problem) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in problem.absolute_path)


def _leaves(problem: Problem) -> Iterator[Problem]:
    """Return what is wrong with the one alternative that was meant, where a problem has several and that is clear."""
    meant = _meant(problem) if problem.validator in ("anyOf", "oneOf") else None
    if meant is None:
        yield problem
        return
    for inner in meant:
        yield from _leaves(inner)


def _is_told_already(leaf: Problem) -> bool:
    return leaf.validator == "pattern" and leaf.instance == "" and bool(_part(leaf, "minLength"))


def _meant(problem: Problem) -> Sequence[Problem] | None:
    apt = [found for found in _branches(problem) if not any(_decides(inner) for inner in found)]
    return apt[0] if len(apt) == 1 else None


def _branches(problem: Problem) -> list[list[Problem]]:
    """Return what is wrong with each alternative, except those that nothing fits, the schemas `false`."""
    found: dict[object, list[Problem]] = {}
    for inner in (inner for inner in problem.context or () if inner.relative_schema_path):
        found.setdefault(inner.relative_schema_path[0], []).append(inner)
    return list(found.values())


def _decides(inner: Problem) -> bool:
    return inner.validator in _DECIDING and not inner.relative_path


def _words(problem: Problem, forms: Mapping[str, str]) -> str:
    limit, value = problem.validator_value, problem.instance
    form = forms.get(str(limit)) if problem.validator == "pattern" else None
    if form is not None:
        return f"must be {form}, not {_came(value)}"
    make = _WORDS.get(str(problem.validator))
    if make is not None:
        return make(limit, value, problem)
    return f"does not fit `{problem.validator}` of the schema" if problem.validator else "is not allowed here"


def _came(value: object) -> str:
    """Return what came, with the value where it is short."""
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return f"the string {_shown(value)}"
        case int() | float():
            return f"the number {_shown(value)}"
    return "an object" if isinstance(value, Mapping) else "an array"


def _shown(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[: VALUE_CHARACTERS_MAX - 1]}…"


def _named(names: Sequence[object]) -> str:
    shown = [_shown(name) for name in names[:_NAMED_MAX]]
    return ", ".join([*shown, "…"] if len(names) > _NAMED_MAX else shown)


def _kinds(limit: str | Sequence[str]) -> str:
    names = [limit] if isinstance(limit, str) else limit
    return " or ".join(_TYPES.get(name, name) for name in names)


def _type(limit: str | Sequence[str], value: object, _: Problem) -> str:
    return f"must be {_kinds(limit)}, not {_came(value)}"


def _choice(limit: Sequence[object], value: object, _: Problem) -> str:
    return f"must be {'one of ' if len(limit) > 1 else ''}{_named(limit)}, not {_came(value)}"


def _const(limit: object, value: object, _: Problem) -> str:
    return f"must be {_shown(limit)}, not {_came(value)}"


def _bound(how: str) -> Callable[[Any, Any, Problem], str]:
    return lambda limit, value, _: f"must be {how} {_shown(limit)}, not {_shown(value)}"


def _size(how: str, of: str) -> Callable[[Any, Any, Problem], str]:
    def worded(limit: float, value: Any, _: Problem) -> str:  # noqa: ANN401 - whatever has a length
        if limit == 1 and not value:
            return "must not be empty"
        return f"must have at {how} {_shown(limit)} {of}{'' if limit == 1 else 's'}, not {len(value)}"

    return worded


def _dependent(limit: Mapping[str, Sequence[str]], value: Mapping[str, object], _: Problem) -> str:
    lacking = {name for given, wanted in limit.items() if given in value for name in wanted} - set(value)
    return f"lacks {_named(sorted(lacking))}, which goes with what it has"


def _required(limit: Sequence[str], value: Mapping[str, object], _: Problem) -> str:
    lacking = [name for name in limit if name not in value]
    if len(lacking) == 1:
        return f"the member {_shown(lacking[0])} is missing"
    return f"the members {_named(lacking)} are missing"


def _unknown(_: object, value: Mapping[str, object], problem: Problem) -> str:
    """Name the members that are not known, and those that are: the nearest of them where one looks like a slip."""
    known = list(_part(problem, "properties", {}))
    patterns = _part(problem, "patternProperties", {})
    extra = [name for name in value if name not in known and not any(re.search(one, name) for one in patterns)]
    words = f"the member{'s' if len(extra) > 1 else ''} {_named(extra)} {'are' if len(extra) > 1 else 'is'} not known"
    near = get_close_matches(extra[0], known, n=1) if len(extra) == 1 else []
    if near:
        return f"{words}; did you mean {_shown(near[0])}?"
    return f"{words}; known are {_named(known)}" if known else words


def _part(problem: Problem, name: str, default: Any = None) -> Any:  # noqa: ANN401 - whatever a schema holds
    """Return what stands beside the keyword that does not fit."""
    return problem.schema.get(name, default) if isinstance(problem.schema, Mapping) else default


def _alternatives(limit: Sequence[object], value: object, problem: Problem) -> str:
    if not problem.context:
        return f"fits several of {len(limit)} alternatives, of which only one may fit"
    wanted = [_wanted(found) for found in _branches(problem)]
    if wanted and all(wanted):
        return f"must be {' or '.join(dict.fromkeys(wanted))}, not {_came(value)}"
    return f"fits none of the {len(limit)} alternatives that the schema has"


def _wanted(found: Sequence[Problem]) -> str:
    """Return what one alternative wants a value to be; empty where that is more than one word."""
    deciding = next((inner for inner in found if _decides(inner)), None)
    if deciding is None:
        return ""
    limit: Any = deciding.validator_value
    if deciding.validator == "type":
        return _kinds(limit)
    return _named(limit if deciding.validator == "enum" else [limit])


_WORDS: Mapping[str, Callable[[Any, Any, Problem], str]] = {
    "type": _type,
    "enum": _choice,
    "const": _const,
    "minimum": _bound("at least"),
    "maximum": _bound("at most"),
    "exclusiveMinimum": _bound("above"),
    "exclusiveMaximum": _bound("below"),
    "multipleOf": _bound("a multiple of"),
    "minLength": _size("least", "character"),
    "maxLength": _size("most", "character"),
    "minItems": _size("least", "item"),
    "maxItems": _size("most", "item"),
    "minProperties": _size("least", "member"),
    "maxProperties": _size("most", "member"),
    "pattern": lambda limit, value, _: f"must match the pattern {limit}, not {_came(value)}",
    "format": lambda limit, value, _: f"must be written as {_shown(limit)}, not {_came(value)}",
    "uniqueItems": lambda _limit, _value, _: "must not hold the same item twice",
    "required": _required,
    "dependentRequired": _dependent,
    "additionalProperties": _unknown,
    "anyOf": _alternatives,
    "oneOf": _alternatives,
    "not": lambda _limit, value, _: f"must be something else, not {_came(value)}",
}
