"""Copies of arguments that share nothing with what was given, so that what is recorded, sent and shown stays the same.

A caller goes on using what it handed in, and a tool's function what it was called with. Neither may change what the
next attempt sends: it has the same key, so it has the same bytes. Pure; what fits into JSON is decided in
`switchgear.core.canonical`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ATOMS = frozenset({str, int, float, bool, type(None)})


def owned(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an object of JSON, whose arrays are lists and whose objects are dictionaries all through."""
    copy = dict(arguments)
    for name, value in copy.items():
        if type(value) not in _ATOMS:
            copy[name] = _owned(value)
    return copy


def _owned(value: object) -> object:
    if isinstance(value, Mapping):
        return owned(value)
    if isinstance(value, (list, tuple)):
        return [item if type(item) in _ATOMS else _owned(item) for item in value]
    return value
