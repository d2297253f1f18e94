"""Reads a tool's function: finds it by ``module:function`` and derives the JSON Schema of its arguments.

The first parameter of a tool's function is the call: it is called so, or annotated as a `Call`. All others are
arguments, given by name.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union

from switchgear.connectors.values import as_json, brief_error
from switchgear.core.errors import OptionError
from switchgear.policies.signatures import signature_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CALL_NAMES = ("call", "")
"""What the parameter of the call is called, but for underscores around it, where no annotation says what it is."""
_CALL_TYPE = "Call"
_SIMPLE: tuple[tuple[object, str], ...] = (
    (str, "string"),
    (int, "integer"),
    (float, "number"),
    (bool, "boolean"),
    (list, "array"),
    (tuple, "array"),
    (Sequence, "array"),
    (dict, "object"),
    (Mapping, "object"),
    (None, "null"),
    (type(None), "null"),
)


def load(path: str) -> Callable[..., Any]:
    """Import and return the function that ``module:function`` names (dots in the second half reach into objects).

    Raises `OptionError` that says which half is wrong. Importing runs the module.
    """
    module_name, separator, attribute = path.partition(":")
    if not (separator and module_name and attribute):
        raise OptionError(f'{path!r} is no function path; write "module:function"')
    found: Any = _imported(module_name)
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise OptionError(f"module {module_name!r} was imported but has no {attribute!r}")
        found = getattr(found, name)
    if not callable(found):
        raise OptionError(f"{path!r} is a {type(found).__name__}, which cannot be called")
    return typing.cast("Callable[..., Any]", found)


def _imported(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise OptionError(
            f"there is no module {error.name!r} to import {name!r}; is its folder on the path?"
        ) from error
    except (Exception, SystemExit) as error:  # importing runs the module, which may do and raise anything
        raise OptionError(f"importing {name!r} failed: {brief_error(error)}") from error


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters after the call.

    Raises `OptionError` when the function takes no call, or takes arguments that cannot be given by name.
    """
    try:
        parameters = list(signature_of(function).parameters.values())
    except (TypeError, ValueError):
        raise OptionError(f"{name_of(function)} has no readable signature; wrap it in a function") from None
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise OptionError(f"{name_of(function)} must take the call first: {_with_call(function, parameters)}")
    if not _takes_call(parameters[0]):
        raise OptionError(
            f"{name_of(function)} must take the call first, and its first parameter is {parameters[0].name!r}; "
            f"{_with_call(function, parameters)}"
        )
    for parameter in parameters[1:]:
        if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL):
            raise OptionError(f"{name_of(function)}: arguments are given by name, which {parameter.name!r} is not")
    return parameters[1:]


def _takes_call(first: inspect.Parameter) -> bool:
    """Return whether a first parameter is meant for the call: by its name, or by its annotation."""
    annotated = _unread(first.annotation) or getattr(first.annotation, "__name__", "")
    return first.name.strip("_") in _CALL_NAMES or annotated.rpartition(".")[2] == _CALL_TYPE


def _unread(annotation: object) -> str:
    """Return the text of an annotation that is kept as one, or names what is not there; empty for any other."""
    return annotation if isinstance(annotation, str) else str(getattr(annotation, "__forward_arg__", ""))


def _with_call(function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> str:
    """Return the line to write in place of the first line of a function that takes no call."""
    begins = "async def" if inspect.iscoroutinefunction(function) else "def"
    named = [_declared(parameter) for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL]
    return f"write {begins} {name_of(function)}({', '.join(['call', *named])})"


def _declared(parameter: inspect.Parameter) -> str:
    """Return a parameter as its function declares it, also where annotations are kept as text."""
    text, kept = str(parameter), _unread(parameter.annotation)
    return text.replace(f": {parameter.annotation!r}", f": {kept}", 1) if kept else text


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the JSON Schema 2020-12 of the arguments of `function`.

    str, int, float, bool, None, list, dict, tuple, Literal, unions and their nestings are described; any other
    annotation, or none, accepts any value. Parameters without a default are required. Nothing beyond them is
    accepted unless the function takes ``**`` arguments.

    Raises `OptionError` when the function cannot be a tool.
    """
    parameters = parameters_of(function)
    hints = _hints_of(function)
    named = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {p.name: _property(hints.get(p.name, Any), p.default) for p in named},
        "required": [p.name for p in named if p.default is inspect.Parameter.empty],
        "additionalProperties": len(named) < len(parameters),
    }


def name_of(function: Callable[..., Any]) -> str:
    """Return a name for messages."""
    return getattr(function, "__name__", type(function).__name__)


def _hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    target = inspect.unwrap(function)
    while hasattr(target, "func"):  # partials
        target = target.func
    if not inspect.isroutine(target):
        target = type(target).__call__
    try:
        return typing.get_type_hints(target)
    except (NameError, TypeError):  # a name that only a type checker sees: described as any value
        return {}


def _property(hint: object, default: object) -> dict[str, Any]:
    described = _describe(hint)
    if default is inspect.Parameter.empty:
        return described
    try:
        return {**described, "default": as_json(default)}
    except ValueError:
        return described


def _describe(hint: object) -> dict[str, Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is typing.Annotated:
        return _describe(inner[0])
    if origin in (Union, types.UnionType):
        return _union([_describe(member) for member in inner])
    kind = next((name for known, name in _SIMPLE if (origin or hint) is known), None)
    return {} if kind is None else {"type": kind, **_inside(kind, inner)}


def _union(members: list[dict[str, Any]]) -> dict[str, Any]:
    if {} in members:
        return {}
    if all(set(member) == {"type"} for member in members):
        return {"type": [member["type"] for member in members]}
    return {"anyOf": members}


def _inside(kind: str, inner: tuple[Any, ...]) -> dict[str, Any]:
    """Describe what a list, or a dictionary with text keys, holds."""
    match kind, inner:
        case "array", (item,) | (item, types.EllipsisType()):
            described = _describe(item)
            return {"items": described} if described else {}
        case "object", (_, value):
            described = _describe(value)
            return {"additionalProperties": described} if described else {}
        case _:
            return {}
