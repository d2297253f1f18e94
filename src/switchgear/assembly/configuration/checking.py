"""Holds a table of the file against its model and translates what pydantic finds into problems."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from switchgear.assembly.configuration.problems import Part, Problems, nearest, shown, suggestion
from switchgear.assembly.configuration.sections import Section

_S = TypeVar("_S", bound=Section)

_QUOTED = re.compile("'([^']*)'")
_KINDS = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "finite_number": "a finite number",
}
_THE_NAME_ITSELF = "[key]"
"""What pydantic calls the key of a mapping, beside its value."""
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def checked(model: type[_S], table: object, key: Sequence[Part], problems: Problems) -> _S | None:
    """Return `table` as `model`, or None after adding what is wrong with it."""
    if not isinstance(table, Mapping):
        problems.add(key, f"must be a table, not {shown(table)}", f"write [{'.'.join(map(str, key))}]")
        return None
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        details = error.errors(include_url=False)
        told = _misspelt(details)
        for detail in details:
            _tell(model, detail, key, problems, told)
        return None


def right_part(model: type[_S], table: object) -> _S | None:
    """Return `table` without what is wrong in it, so that more can be looked for; None when too little is left.

    Adds no problem: `checked` does. Nothing may be made of it, since what was wrong has its default here.
    """
    if not isinstance(table, Mapping):
        return None
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors(include_url=False) if detail["loc"]}
    try:
        return model.model_validate({name: value for name, value in table.items() if name not in wrong})
    except ValidationError:
        return None


def _misspelt(details: Sequence[ErrorDetails]) -> set[tuple[Part, ...]]:
    """Return the places that are missing because of a slip of the pen in their key, which is told instead."""
    missing = {detail["loc"] for detail in details if detail["type"] == "missing"}
    unknown = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
    return {
        (*place[:-1], near)
        for place in unknown
        for near in nearest(str(place[-1]), [str(one[-1]) for one in missing if one[:-1] == place[:-1]])
    }


def _tell(
    model: type[Section], detail: ErrorDetails, key: Sequence[Part], problems: Problems, told: set[tuple[Part, ...]]
) -> None:
    owner, field, place = _placed(model, detail["loc"])
    if place in told:  # one field, several alternatives: pydantic reports each
        return
    told.add(place)
    full = (*key, *place)
    if detail["type"] == "extra_forbidden":
        problems.unknown(full, owner.model_fields)
    else:
        problems.add(full, _wrong(detail, field), _meant(detail, field) or _write(field, place))


def _placed(
    model: type[Section], location: tuple[Part, ...]
) -> tuple[type[Section], FieldInfo | None, tuple[Part, ...]]:
    """Return the model and field that a location leads to, and its place without pydantic's names of alternatives."""
    name = str(location[0])
    field = model.model_fields.get(name)
    inner = field.annotation if field is not None else None
    if len(location) > 1 and isinstance(inner, type) and issubclass(inner, Section):
        owner, found, rest = _placed(inner, location[1:])
        return owner, found, (name, *rest)
    if len(location) > 1 and (named := _named_section(inner)) is not None:
        return _placed_in_named(model, field, named, location)
    return model, field, (name,)


def _placed_in_named(
    model: type[Section], field: FieldInfo | None, named: type[Section], location: tuple[Part, ...]
) -> tuple[type[Section], FieldInfo | None, tuple[Part, ...]]:
    """Do as `_placed` for what stands in one of several tables that have names of their own."""
    place, inside = location[:2], location[2:]
    if not inside or inside[0] == _THE_NAME_ITSELF:
        return model, field, place
    owner, found, rest = _placed(named, inside)
    return owner, found, (*place, *rest)


def _named_section(annotation: object) -> type[Section] | None:
    """Return what tables by name are, where an annotation says ``dict[…, Section]``."""
    kinds = get_args(annotation) if get_origin(annotation) is dict else ()
    return kinds[1] if kinds and isinstance(kinds[1], type) and issubclass(kinds[1], Section) else None


def _wrong(detail: ErrorDetails, field: FieldInfo | None) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == "missing":
        return "is missing"
    if kind in _KINDS and not _has_alternatives(field):
        return f"must be {_KINDS[kind]}, not {shown(value)}"
    if kind in _BOUNDS:
        word, limit = _BOUNDS[kind]
        return f"must be {word} {detail['ctx'][limit]}, not {shown(value)}"
    if kind == "literal_error" and not _has_alternatives(field):
        return f"must be {detail['ctx']['expected'].replace(chr(39), chr(34))}, not {shown(value)}"
    return f"cannot be {shown(value)}"


def _has_alternatives(field: FieldInfo | None) -> bool:
    return field is not None and isinstance(field.json_schema_extra, dict)


def _meant(detail: ErrorDetails, field: FieldInfo | None) -> str:
    """Return which of the words was meant that may stand there, or all of them where they are not told already."""
    if detail["type"] != "literal_error" or not isinstance(detail["input"], str):
        return ""
    words = _QUOTED.findall(detail["ctx"]["expected"])
    return suggestion(detail["input"], words) if nearest(detail["input"], words) or _has_alternatives(field) else ""


def _write(field: FieldInfo | None, place: tuple[Part, ...]) -> str:
    if field is None:
        return ""
    extra: Any = field.json_schema_extra
    if isinstance(extra, dict) and "write" in extra:
        return f"write {extra['write']}"
    if field.is_required() or field.default is None:
        return ""
    return f"write for example {place[-1]} = {shown(field.default)}"
