"""Holds an intent's arguments against the JSON Schema of its tool, before anything is recorded.

Validators are made once per contract and kept, at most `VALIDATORS_MAX` pairs: a compiled one that says quickly
whether arguments fit, and one that finds the words when they do not, and has the last word. Where the two read a
keyword differently there is only the second, so never does one accept what the other refuses. Nothing is ever
fetched: a schema refers to itself only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from switchgear.core.canonical import canonical_json
from switchgear.core.errors import Invalid
from switchgear.execution.contract import Tool
from switchgear.execution.schema_words import misfits

PROBLEMS_MAX = 5
"""The most problems that one refusal names."""
VALIDATORS_MAX = 1_024
_READ_DIFFERENTLY = frozenset({"pattern", "patternProperties", "multipleOf"})
"""Keywords by which the two validators differ: in what an expression matches, and in parts of a fraction."""
_Pair = tuple[jsonschema_rs.Draft202012Validator | None, Validator]
_validators: dict[str, _Pair] = {}


def validate(tool: Tool, arguments: Mapping[str, Any]) -> None:
    """Return when `arguments` fit the tool's schema; a tool without one accepts any object.

    Raises `Invalid` with the JSON pointer (RFC 6901) and the words of the first few problems.
    """
    if tool.arguments_schema is None:
        return
    fits, wording = _validators_of(tool.contract, tool.arguments_schema)
    if fits is not None and fits.is_valid(arguments if arguments.__class__ is dict else dict(arguments)):
        return
    found = wording.iter_errors(dict(arguments))
    try:
        problems = _worded(found)
    except RecursionError:
        problems = ["the schema refers to itself without end, or the arguments are nested too deep"]
    if problems:
        raise Invalid(f"the arguments do not fit {tool.name}: {'; '.join(problems)}", policy="arguments")


def schema_problems(schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a JSON Schema for arguments, in words; an empty list when it can be used."""
    try:
        canonical_json(schema)
        Draft202012Validator.check_schema(dict(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)
    except Invalid as error:
        return [error.message]
    except SchemaError as error:
        return _worded([error])
    return [f"the reference {reference!r} leads nowhere" for reference in _dangling(schema)]


def _validators_of(contract: str, schema: Mapping[str, Any]) -> _Pair:
    known = _validators.get(contract)
    if known is None:
        if len(_validators) >= VALIDATORS_MAX:
            _validators.pop(next(iter(_validators)), None)
        known = _validators[contract] = _compiled(schema)
    return known


def _compiled(schema: Mapping[str, Any]) -> _Pair:
    wording = Draft202012Validator(dict(schema), registry=Registry())  # an empty registry fetches nothing
    if not _READ_DIFFERENTLY.isdisjoint(_names(schema)):
        return None, wording
    try:
        return jsonschema_rs.Draft202012Validator(dict(schema), offline=True), wording
    except (ValueError, jsonschema_rs.ReferencingError):
        return None, wording


def _dangling(schema: Mapping[str, Any]) -> list[str]:
    """Return the references that cannot be followed inside the schema itself."""
    empty: Registry[Any] = Registry()
    resolver = empty.with_resource("", DRAFT202012.create_resource(dict(schema))).resolver()
    dangling = []
    for reference in sorted(set(_references(schema))):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            dangling.append(reference)
    return dangling


def _references(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from _references(item)


def _names(part: object) -> Iterator[str]:
    """Return every name in a schema, keywords and others: an argument of such a name only costs speed."""
    if isinstance(part, Mapping):
        yield from part
        for value in part.values():
            yield from _names(value)
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from _names(item)


def _worded(problems: Iterable[ValidationError | SchemaError]) -> list[str]:
    return [f"{found.pointer or 'the object'}: {found.words}" for found in misfits(problems, PROBLEMS_MAX)]
