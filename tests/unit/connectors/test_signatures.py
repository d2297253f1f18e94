"""Functions are found by path, and their arguments are described by their signatures."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ForwardRef, Literal, Optional

import pytest

from switchgear.connectors.signatures import load, schema_of
from switchgear.core.errors import OptionError
from switchgear.execution.arguments import schema_problems
from switchgear.execution.contract import Call


def _takes(annotation: object) -> Callable[..., None]:
    def function(call: object, value: object) -> None:
        """Do nothing."""

    function.__annotations__["value"] = annotation
    return function


@pytest.mark.parametrize(
    ("annotation", "described"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (list, {"type": "array"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (tuple[str, ...], {"type": "array", "items": {"type": "string"}}),
        (tuple[str, int], {"type": "array"}),
        (list[Any], {"type": "array"}),
        (dict, {"type": "object"}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Mapping[str, Any], {"type": "object"}),
        (Optional[str], {"type": ["string", "null"]}),  # noqa: UP045 - the old spelling is what is tested
        (str | int, {"type": ["string", "integer"]}),
        (list[int] | None, {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}),
        (str | Path, {}),
        (Literal["a", 2], {"enum": ["a", 2]}),
        (Annotated[str, "a note"], {"type": "string"}),
        (Path, {}),
        (Any, {}),
    ],
)
def test_annotations_become_json_schema(annotation: object, described: dict[str, Any]) -> None:
    """What an annotation says plainly is described; what it does not say accepts any value."""
    schema = schema_of(_takes(annotation))
    assert schema["properties"]["value"] == described
    assert schema_problems(schema) == []


def test_defaults_make_arguments_optional_and_nothing_else_is_accepted() -> None:
    """Parameters without a default are required; unknown arguments are not accepted."""

    def function(call: object, contact: str, amount: int = 3, *, where: Path | None = None) -> None:
        """Do nothing."""

    schema = schema_of(function)
    assert schema["required"] == ["contact"]
    assert schema["properties"]["amount"] == {"type": "integer", "default": 3}
    assert schema["additionalProperties"] is False


def test_a_function_that_takes_any_argument_says_so() -> None:
    """A function with ``**`` arguments accepts unknown ones."""

    def function(call: object, **rest: str) -> None:
        """Do nothing."""

    assert schema_of(function)["additionalProperties"] is True


def test_partials_and_callable_objects_are_functions_too() -> None:
    """A signature is read through partials and from ``__call__``."""

    class Tool:
        async def __call__(self, call: object, amount: int) -> None:
            """Do nothing."""

    def function(call: object, amount: int, currency: str) -> None:
        """Do nothing."""

    partial = functools.partial(function, currency="EUR")
    assert schema_of(Tool())["properties"] == {"amount": {"type": "integer"}}
    assert schema_of(partial)["properties"]["amount"] == {"type": "integer"}


@pytest.mark.parametrize(
    ("function", "word"),
    [(lambda: None, "take the call"), (lambda call, *rest: None, "by name"), (lambda call, a, /: None, "by name")],
)
def test_functions_that_cannot_be_tools_are_refused(function: Callable[..., Any], word: str) -> None:
    """A tool's function takes the call first, and its arguments by name."""
    with pytest.raises(OptionError, match=word):
        schema_of(function)


def _takes_no_call(session: str, *, force: bool = False) -> None:
    """Do nothing."""


async def _gives_it_another_name(_call_: object, about: Call, session: str) -> None:
    """Do nothing."""


def test_a_function_without_a_call_is_refused_with_the_line_to_write() -> None:
    """It would be given the call in place of its first argument, and fail at its first attempt, or worse not fail."""
    line = "write def _takes_no_call(call, session: str, force: bool = False)"
    with pytest.raises(OptionError, match=re.escape(line)):
        schema_of(_takes_no_call)


@pytest.mark.parametrize(
    "function",
    [
        lambda call, session: (call, session),
        lambda _call, session: session,
        lambda _, session: session,
        functools.partial(_gives_it_another_name, object()),
    ],
)
def test_the_call_is_known_by_its_name_or_its_annotation(function: Callable[..., Any]) -> None:
    """Underscores say that it is not used; an annotation says as well as a name what it is for."""
    assert schema_of(function)["required"] == ["session"]


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("json", "module:function"),
        ("json:", "module:function"),
        (":dumps", "module:function"),
        ("no_such_module_here:f", "no module"),
        ("json:no_such", "has no 'no_such'"),
        ("json:__doc__", "cannot be called"),
    ],
)
def test_function_paths_that_lead_nowhere_say_which_half_is_wrong(path: str, word: str) -> None:
    """Every way in which a path can be wrong has its own words."""
    with pytest.raises(OptionError, match=word):
        load(path)


def test_a_module_that_fails_on_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside the module is told, not hidden."""
    (tmp_path / "broken_tools_module.py").write_text("raise RuntimeError('boom')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(OptionError, match="RuntimeError: boom"):
        load("broken_tools_module:function")


def test_dots_reach_into_objects() -> None:
    """The second half may name a method."""
    assert load("json:JSONEncoder.encode").__name__ == "encode"


def test_an_annotation_that_is_not_there_still_says_which_parameter_is_the_call() -> None:
    """Python 3.14 hands over what only a type checker imports as a reference to its name."""

    def work(context: object, value: object) -> None:
        """Take the call by another name."""

    work.__annotations__["context"] = ForwardRef("Call")
    assert list(schema_of(work)["properties"]) == ["value"]
    work.__annotations__["context"] = ForwardRef("Ticket")
    with pytest.raises(OptionError, match=r"write def work\(call, context: Ticket, value: object\)"):
        schema_of(work)
