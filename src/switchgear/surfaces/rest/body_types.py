"""What the type of a body says beyond what its decoder does: JSON has one type of number.

A whole number may be written as ``10.0`` (RFC 8259, section 6; JSON Schema calls it an integer). The decoder of bodies
is strict and tells the two apart, so they are made one first, and only where the type wants an integer.
"""

from __future__ import annotations

from functools import cache

from msgspec import inspect


def with_whole_numbers(value: object, kind: object) -> object:
    """Return the JSON `value` with an integer for each whole number that `kind` wants as an integer."""
    return _whole(value, _type_of(kind))


@cache
def _type_of(kind: object) -> inspect.Type:
    return inspect.type_info(kind)


def _plain(wanted: inspect.Type) -> inspect.Type:
    """Return a type without what is noted beside it."""
    return wanted.type if isinstance(wanted, inspect.Metadata) else wanted


def _options(wanted: inspect.Type) -> tuple[inspect.Type, ...]:
    plain = _plain(wanted)
    return tuple(_plain(option) for option in plain.types) if isinstance(plain, inspect.UnionType) else (plain,)


def _whole(value: object, wanted: inspect.Type) -> object:
    for option in _options(wanted):
        match option:
            case inspect.IntType() if isinstance(value, float) and value.is_integer():
                return int(value)
            case inspect.StructType() if isinstance(value, dict):
                members = {field.encode_name: field.type for field in option.fields}
                return {name: _whole(one, members.get(name, inspect.AnyType())) for name, one in value.items()}
            case inspect.ListType() if isinstance(value, list):
                return [_whole(one, option.item_type) for one in value]
    return value
