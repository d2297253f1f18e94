"""What is wrong with a request, told as it was typed: options in the place of what a server names.

A server was sent a body, a query and headers, and says which member of them is wrong. Who typed a command has seen none
of that. Here each becomes the option that it came from; a parameter of a command has the name of its member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Problem = dict[str, Any]

_KEY_HEADER = "header:Idempotency-Key"


def options_of(command: Any) -> Mapping[str, str]:  # noqa: ANN401 - the framework keeps its types to itself
    """Return how each parameter of a command is typed, by its name: ``--reason``, or ``FILE`` for an argument."""
    return {parameter.name: _spelling_of(parameter) for parameter in command.params}


def as_typed(problem: Problem, options: Mapping[str, str]) -> Problem:
    """Return a problem document with what was typed in detail and errors; what is nobody's option stays as it is."""
    errors = problem.get("errors")
    named = [one for one in errors if _is_error(one)] if isinstance(errors, list) else []
    if not named:
        return problem
    detail = str(problem.get("detail"))
    for one in named:
        detail = detail.replace(_text(one), _text(_typed(one, options)), 1)
    return {**problem, "detail": detail, "errors": [_typed(one, options) for one in named]}


def _spelling_of(parameter: Any) -> str:  # noqa: ANN401 - as above
    if parameter.param_type_name == "option":
        return str(parameter.opts[0])
    return str(parameter.metavar or parameter.name.upper())


def _typed(error: Problem, options: Mapping[str, str]) -> Problem:
    where = str(error["where"])
    name, slash, deeper = _member_of(where).partition("/")
    option = options.get(name)
    return {**error, "where": f"{option}{slash}{deeper}"} if option else error


def _member_of(where: str) -> str:
    """Return a place without what says where it is: ``steps/0`` of ``/steps/0``, ``limit`` of ``query:limit``."""
    return "key" if where == _KEY_HEADER else where.removeprefix("query:").removeprefix("/")


def _text(error: Problem) -> str:
    return f"{error['where']}: {error['message']}"


def _is_error(one: object) -> bool:
    return isinstance(one, dict) and {"where", "message"} <= one.keys()
