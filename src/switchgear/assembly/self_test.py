"""What Python has to refuse before a gear is ready, and the tool that every surface tries: one that is always frozen.

The tool is on no list, needs no dependency of anybody's, and would do nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from switchgear.assembly.acting import Acting
from switchgear.assembly.kill_switches import KillSwitching
from switchgear.control.self_test import Trial
from switchgear.control.use_cases import Control
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import SwitchgearError
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.contract import Call, Succeeded, Tool
from switchgear.execution.engine import Engine
from switchgear.gates.gate import Stage
from switchgear.gates.kill_switches.switches import SELF_PROBE

_ACCOUNT = "platform"
_TOOL = Tool(
    name=SELF_PROBE,
    requires=(SELF_PROBE,),
    effect=Effect.READ_ONLY,
    description="Does nothing. It is always frozen, which proves that kill switches work.",
)


def join_self_test(control: Control, engine: Engine, switching: KillSwitching) -> None:
    """Register the tool that is always frozen with `engine`, and add the trials of Python and of both gates."""
    engine.registry.register(_TOOL, _Nothing(), listed=False)
    control.readiness.self_test.add(
        [
            *(Trial("gates", str(stage), Code.KILL_SWITCH_ACTIVE, _at(switching, stage)) for stage in Stage),
            Trial("python", "kill_switch", Code.KILL_SWITCH_ACTIVE, _submitting(control, "intents:submit")),
            Trial("python", "permission", Code.PERMISSION_DENIED, _submitting(control)),
        ]
    )


class _Nothing:
    """The connector of the tool: it reaches nothing."""

    async def execute(self, _call: Call) -> Succeeded:
        """Do nothing."""
        return Succeeded()

    async def close(self) -> None:
        """Release nothing."""


def _at(switching: KillSwitching, stage: Stage) -> Callable[[], Awaitable[Code | None]]:
    async def drive() -> Code | None:
        return switching.refusal_at(stage)

    return drive


def _submitting(control: Control, *permissions: str) -> Callable[[], Awaitable[Code | None]]:
    principal = Principal(PLATFORM_TENANT, "switchgear", frozenset({_ACCOUNT}), frozenset(permissions))
    acting = Acting(control, principal, _ACCOUNT)

    async def drive() -> Code | None:
        try:
            await acting.submit(SELF_PROBE)
        except SwitchgearError as error:
            return error.code
        return None

    return drive
