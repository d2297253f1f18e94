"""What is handed in as a saga, checked against the tools before anything is recorded. Pure.

A saga must be able to go back: whatever changes something needs a tool that undoes it, but for the step that ends the
saga, or one that is marked as its pivot and whatever comes behind that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from switchgear.core.canonical import canonical_json, digest
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid
from switchgear.core.scope import checked_name
from switchgear.execution.admission import ARGUMENTS_BYTES_MAX
from switchgear.execution.arguments import validate
from switchgear.execution.contract import Tool
from switchgear.execution.owning import owned
from switchgear.execution.registry import Registry
from switchgear.execution.sagas.references import references
from switchgear.execution.sagas.saga import Step

STEPS_MAX = 50
"""The most steps of one saga."""
_MEMBERS = ("tool", "arguments", "name", "undo", "pivot")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDefinition:
    """One step as it is handed in.

    `name` is what other steps refer to, by default that of the tool. `undo` are the arguments of the tool that undoes
    it, by default those of the step. Behind a `pivot` that has happened, the saga only goes forward.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    undo: Mapping[str, Any] | None = None
    pivot: bool = False

    @property
    def label(self) -> str:
        """What other steps refer to it by."""
        return self.tool if self.name is None else self.name


@dataclass(frozen=True, slots=True)
class Definition:
    """A saga that can be recorded: its steps, the digest of what was handed in, and how long its key is bound."""

    steps: tuple[Step, ...]
    digest: str
    key_retention: float


def step_of(given: Mapping[str, Any]) -> StepDefinition:
    """Return the step that an object describes. Raises `Invalid` when it says anything else."""
    if unknown := sorted(set(given) - set(_MEMBERS)):
        raise _invalid(f"a step has no {str(unknown[0])[:100]!r}; {_meant(str(unknown[0]))}")
    if "tool" not in given:
        raise _invalid("a step names its tool")
    step = StepDefinition(**given)
    objects = (step.arguments, {} if step.undo is None else step.undo)
    texts = (step.tool, step.label)
    if not all(isinstance(one, Mapping) for one in objects) or not all(isinstance(one, str) for one in texts):
        raise _invalid("a step has a tool and a name that are texts, and arguments and undo that are objects")
    if not isinstance(step.pivot, bool):
        raise _invalid("pivot is true or false")
    return step


def checked(given: Sequence[StepDefinition], registry: Registry) -> Definition:
    """Return what can be recorded of `given`.

    Raises `Denied` (NOT_FOUND) for a tool that is not registered, `Invalid` for everything else that cannot be.
    """
    if not 1 <= len(given) <= STEPS_MAX:
        raise _invalid(f"a saga has 1 to {STEPS_MAX} steps, not {len(given)}")
    _check_names(given)
    steps: list[Step] = []
    tools: list[Tool] = []
    for position, one in enumerate(given):
        tools.append(_tool(registry, one))
        steps.append(_step(given, position, tools[-1], registry))
    _check_size(given)
    _check_way_back(steps, tools)
    return Definition(_with_last_as_pivot(steps, tools), _digest(given), max(tool.key_retention for tool in tools))


def _check_names(given: Sequence[StepDefinition]) -> None:
    seen: set[str] = set()
    for step in given:
        checked_name("a step's name", step.label)
        if step.label in seen:
            raise _invalid(f"two steps are called {step.label!r}: give each a name of its own")
        seen.add(step.label)
    pivots = [step.label for step in given if step.pivot]
    if len(pivots) > 1:
        raise _invalid(f"one step can be the pivot, and {' and '.join(pivots)} are marked")


def _tool(registry: Registry, step: StepDefinition) -> Tool:
    known = registry.get(step.tool)
    if known is None:
        raise Denied(f"step {step.label}: there is no tool {step.tool[:100]!r}", code=Code.NOT_FOUND, policy="registry")
    return known.tool


def _step(given: Sequence[StepDefinition], position: int, tool: Tool, registry: Registry) -> Step:
    one = given[position]
    before = {step.label for step in given[:position]}
    _check_arguments(one.label, tool, one.arguments, before)
    if tool.compensate is None:
        if one.undo is not None:
            raise _invalid(f"step {one.label} has arguments to undo it, but {tool.name} names no tool that does")
    else:
        undo = one.arguments if one.undo is None else one.undo
        _check_arguments(f"{one.label}, undo", _compensation(tool, registry), undo, before | {one.label})
    return Step(
        name=one.label,
        tool=tool.name,
        contract=tool.contract,
        arguments=owned(one.arguments),
        compensate=tool.compensate,
        undo=None if one.undo is None else owned(one.undo),
        pivot=one.pivot,
    )


def _compensation(tool: Tool, registry: Registry) -> Tool:
    known = registry.get(tool.compensate or "")
    if known is None:
        raise _invalid(f"{tool.name} is undone by {tool.compensate!r}, and there is no such tool here")
    return known.tool


def _check_arguments(name: str, tool: Tool, arguments: Mapping[str, Any], known: set[str]) -> None:
    """Check references, and against the schema what has none: the rest is checked once its values are there."""
    try:
        found = list(references(arguments))
        for reference in found:
            if reference.step not in known:
                possible = f"; it can refer to {', '.join(sorted(known))}" if known else ""
                raise _invalid(f"{reference} refers to a step that does not come before it{possible}")
        if not found:
            validate(tool, arguments)
            tool.resource_of(arguments)
    except Invalid as error:
        raise Invalid(f"step {name}: {error.message}", code=error.code, policy=error.policy) from None


def _check_way_back(steps: Sequence[Step], tools: Sequence[Tool]) -> None:
    for position, (step, tool) in enumerate(zip(steps, tools, strict=True)):
        if step.pivot:
            return
        if tool.effect.writes and step.compensate is None and position < len(steps) - 1:
            raise _invalid(
                f"step {step.name} cannot be undone: {tool.name} names no tool that compensates it. Give the tool one, "
                f"make it the last step, or mark the step as the pivot, behind which the saga only goes forward"
            )


def _with_last_as_pivot(steps: Sequence[Step], tools: Sequence[Tool]) -> tuple[Step, ...]:
    """Return the steps, the last being the pivot when nothing undoes it and no other is."""
    last, tool = steps[-1], tools[-1]
    if last.compensate is not None or not tool.effect.writes or any(step.pivot for step in steps):
        return tuple(steps)
    pivot = Step(name=last.name, tool=last.tool, contract=last.contract, arguments=last.arguments, pivot=True)
    return (*steps[:-1], pivot)


def _check_size(given: Sequence[StepDefinition]) -> None:
    size = len(canonical_json([[step.arguments, step.undo] for step in given]))
    if size > ARGUMENTS_BYTES_MAX:
        message = f"the arguments of all steps take {size} bytes as JSON, and {ARGUMENTS_BYTES_MAX} is the most"
        raise Invalid(message, code=Code.PAYLOAD_TOO_LARGE, policy="saga")


def _digest(given: Sequence[StepDefinition]) -> str:
    return digest([[step.label, step.tool, step.arguments, step.undo, step.pivot] for step in given])


def _meant(word: str) -> str:
    """Return which member of a step was probably meant by `word`, or all that there are."""
    near = get_close_matches(word[:100], _MEMBERS, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(_MEMBERS)}"


def _invalid(message: str) -> Invalid:
    return Invalid(message, policy="saga")
