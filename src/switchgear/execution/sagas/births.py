"""Makes the intents of a saga: finds the values that their arguments refer to, checks them, describes the birth.

What begins when is decided in `decide`; nothing is recorded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchgear.core.canonical import canonical_json
from switchgear.core.codes import Code
from switchgear.core.errors import Invalid
from switchgear.execution.admission import ARGUMENTS_BYTES_MAX
from switchgear.execution.arguments import validate
from switchgear.execution.contract import Tool
from switchgear.execution.family import COMPENSATE, STEP, serving
from switchgear.execution.parts import Parts
from switchgear.execution.recorder import Birth
from switchgear.execution.sagas.decide import Begin
from switchgear.execution.sagas.references import references, resolved
from switchgear.execution.sagas.saga import Saga, Step
from switchgear.execution.transitions import State
from switchgear.ledger.erasure import is_erased


class Births:
    """Makes births by the records of one engine."""

    def __init__(self, parts: Parts) -> None:
        """Look values up in the recorder of an engine."""
        self._parts = parts

    async def of(self, saga: Saga, begin: Begin, tool: Tool) -> Birth:
        """Return the birth of a step's intent, or of that which undoes it. Raises `Invalid` when it cannot be."""
        step = saga.steps[begin.position]
        if begin.undo:
            return await self._compensation(saga, step, tool)
        arguments = await self._resolved(saga, step.arguments)
        _check(tool, arguments)
        born = serving(self._parts, saga, tool, arguments, purpose=STEP, actor=saga.actor)
        return Birth({**born.facts, "contract": step.contract}, born.payload)

    async def _compensation(self, saga: Saga, step: Step, tool: Tool) -> Birth:
        """Return the birth of what undoes a step: with arguments of its own, or those that the step had."""
        done = await self._parts.recorder.latest(saga.tenant, step.intent or "")
        if done is None:
            raise Invalid(f"step {step.name} has no intent on record", policy="saga")
        arguments = done.arguments if step.undo is None else await self._resolved(saga, step.undo)
        if is_erased(arguments):
            raise Invalid(f"the arguments of step {step.name} were erased", policy="saga")
        _check(tool, arguments)
        return serving(self._parts, saga, tool, arguments, purpose=COMPENSATE, about=done.downstream_key)

    async def _resolved(self, saga: Saga, template: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = resolved(template, await self._values(saga, template))
        return found

    async def _values(self, saga: Saga, template: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values on record of the steps that arguments refer to, by name."""
        wanted = {reference.step for reference in references(template)}
        values: dict[str, Any] = {}
        for step in saga.steps:
            if step.name in wanted and step.intent is not None:
                intent = await self._parts.recorder.latest(saga.tenant, step.intent)
                if intent is not None and intent.state is State.SUCCEEDED and not is_erased(intent.arguments):
                    values[step.name] = intent.value
        return values


def _check(tool: Tool, arguments: dict[str, Any]) -> None:
    size = len(canonical_json(arguments))
    if size > ARGUMENTS_BYTES_MAX:
        message = f"the arguments take {size} bytes as JSON, and {ARGUMENTS_BYTES_MAX} is the most"
        raise Invalid(message, code=Code.PAYLOAD_TOO_LARGE, policy="saga")
    validate(tool, arguments)
