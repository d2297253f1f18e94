"""What is handed in as a saga: what is refused, and with which words."""

from __future__ import annotations

from typing import Any, cast

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Denied, Invalid
from switchgear.execution.contract import Connector, Tool
from switchgear.execution.registry import Registry
from switchgear.execution.sagas.definition import STEPS_MAX, StepDefinition, checked, step_of
from tests.unit.execution.rig import Script

SCHEMA = {"type": "object", "required": ["item"], "properties": {"item": {"type": "string"}}}


@pytest.fixture
def registry() -> Registry:
    """Tools that can be undone, that cannot, and that change nothing."""
    found = Registry()
    for name, effect, compensate, schema in (
        ("crm.reserve", Effect.KEYED, "crm.release", SCHEMA),
        ("crm.release", Effect.KEYED, None, SCHEMA),
        ("crm.read", Effect.READ_ONLY, None, None),
        ("mail.send", Effect.OPAQUE, None, None),
        ("crm.lost", Effect.KEYED, "crm.nowhere", None),
    ):
        tool = Tool(name=name, effect=effect, requires=("crm",), compensate=compensate, arguments_schema=schema)
        found.register(tool, cast("Connector", Script()))
    return found


def reserve(name: str = "reserve", **options: Any) -> StepDefinition:
    """Return a step that can be undone."""
    return StepDefinition(tool="crm.reserve", name=name, arguments={"item": "7"}, **options)


MAIL = StepDefinition(tool="mail.send")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tool": "crm.read", "argument": {}}, "a step has no 'argument'; did you mean 'arguments'?"),
        ({"tool": "crm.read", "when": 1}, "a step has no 'when'; it has tool, arguments, name, undo, pivot"),
    ],
)
def test_a_slip_in_a_step_is_told_with_what_was_meant(given: dict[str, Any], words: str) -> None:
    """A member that there is not is answered with the nearest one, else with all of them."""
    with pytest.raises(Invalid) as refusal:
        step_of(given)
    assert refusal.value.message == words


def test_a_reference_to_no_earlier_step_is_told_with_those_there_are(registry: Registry) -> None:
    """Who misspells the name of a step sees the names; a later step is not offered, since it has no value yet."""
    wrong = StepDefinition(tool="crm.release", name="c", arguments={"item": {"$step": "resreve"}}, pivot=True)
    with pytest.raises(Invalid, match=r"resreve refers to a step that does not come before it; it can refer to a, b$"):
        checked([reserve("b"), reserve("a"), wrong, reserve("d")], registry)


def test_a_saga_that_can_go_back_is_taken(registry: Registry) -> None:
    """Steps with a compensation, a read, and a last one that nothing undoes: that one is the pivot."""
    definition = checked([reserve(), StepDefinition(tool="crm.read"), MAIL], registry)
    assert [(step.name, step.compensate, step.pivot) for step in definition.steps] == [
        ("reserve", "crm.release", False),
        ("crm.read", None, False),
        ("mail.send", None, True),
    ]


@pytest.mark.parametrize("steps", [[MAIL, reserve()], [reserve("a"), MAIL, reserve("b", pivot=True)]])
def test_a_step_that_cannot_be_undone_is_refused_before_the_pivot(
    registry: Registry, steps: list[StepDefinition]
) -> None:
    """What could not go back is not begun, and the words say what to do about it."""
    with pytest.raises(Invalid, match=r"mail\.send cannot be undone.*Give the tool one.*last step.*pivot"):
        checked(steps, registry)


def test_behind_the_pivot_nothing_needs_to_be_undone(registry: Registry) -> None:
    """The saga only goes forward there."""
    pivot = StepDefinition(tool="mail.send", pivot=True)
    definition = checked([reserve(), pivot, StepDefinition(tool="mail.send", name="again"), reserve("b")], registry)
    assert [step.pivot for step in definition.steps] == [False, True, False, False]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "1 to 50 steps"),
        ([reserve(str(n)) for n in range(STEPS_MAX + 1)], "1 to 50 steps, not 51"),
        ([reserve(), reserve()], "two steps are called 'reserve'"),
        ([reserve("a b")], "a step's name must be"),
        ([reserve("a", pivot=True), reserve("b", pivot=True)], "one step can be the pivot"),
        ([StepDefinition(tool="crm.reserve")], "step crm.reserve: the arguments do not fit"),
        ([reserve(undo={"item": 7})], "step reserve, undo: the arguments do not fit crm.release"),
        ([StepDefinition(tool="crm.read", undo={})], "names no tool that does"),
        ([StepDefinition(tool="crm.lost"), reserve()], "undone by 'crm.nowhere', and there is no such tool here"),
        ([StepDefinition(tool="crm.read", arguments={"x": {"$step": "reserve"}}), reserve()], "come before it"),
        ([StepDefinition(tool="crm.read", arguments={"x": {"$step": "crm.read"}})], "come before it"),
        ([StepDefinition(tool="crm.read", arguments={"x": {"$step": 1}})], "a reference is"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(registry: Registry, steps: list[StepDefinition], words: str) -> None:
    """Every refusal names the step and what is wrong with it."""
    with pytest.raises(Invalid, match=words):
        checked(steps, registry)


def test_a_tool_that_is_not_there_is_not_found(registry: Registry) -> None:
    """As for an intent: the code is NOT_FOUND."""
    with pytest.raises(Denied) as refusal:
        checked([StepDefinition(tool="crm.other")], registry)
    assert refusal.value.code is Code.NOT_FOUND


def test_arguments_beyond_the_bound_are_refused(registry: Registry) -> None:
    """All steps together fit the store."""
    half = {"item": "7", "text": "x" * 600_000}
    steps = [StepDefinition(tool="crm.read", name=name, arguments=half) for name in ("a", "b")]
    with pytest.raises(Invalid) as refusal:
        checked(steps, registry)
    assert refusal.value.code is Code.PAYLOAD_TOO_LARGE


def test_undo_may_use_what_the_step_itself_answered(registry: Registry) -> None:
    """Its own value and those of earlier steps; the schema is checked once they are there."""
    undo = {"item": {"$step": "reserve", "path": "id"}}
    assert checked([reserve(undo=undo)], registry).steps[0].undo == undo


def test_the_digest_is_that_of_what_was_handed_in(registry: Registry) -> None:
    """The same steps have the same digest; any other argument, name or pivot another."""
    same = {checked([reserve()], registry).digest, checked([reserve()], registry).digest}
    others = {
        checked([step], registry).digest for step in (reserve("b"), reserve(pivot=True), reserve(undo={"item": "8"}))
    }
    assert len(same) == 1
    assert len(same | others) == 4


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tool": "a", "argument": {}},
        {"tool": 3},
        {"tool": "a", "arguments": []},
        {"tool": "a", "name": 1},
        {"tool": "a", "pivot": 1},
    ],
)
def test_a_step_that_says_something_else_is_refused(given: dict[str, Any]) -> None:
    """A typing error in Python is refused like one over REST."""
    with pytest.raises(Invalid):
        step_of(given)
