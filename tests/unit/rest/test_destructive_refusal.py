"""The same refusal everywhere: whichever surface tells of a blocked destructive action, the facts are the same."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from rich.console import Console

from switchgear.control.intent_views import intent_view
from switchgear.control.obstacles import obstacle_view
from switchgear.core.codes import ExitCode
from switchgear.core.effects import Effect
from switchgear.core.errors import DestructiveBlocked
from switchgear.core.scope import Principal
from switchgear.execution.gating import dispatch_request
from switchgear.execution.intent import Intent
from switchgear.health import Health
from switchgear.ledger.events import read
from switchgear.surfaces.cli.failures import failure_of_error, failure_of_problem
from switchgear.surfaces.cli.intents import draw_intent
from switchgear.surfaces.rest.exchange import json_response
from switchgear.surfaces.rest.problems import problem_response
from tests.unit.execution.rig import Board, Rig, running

TENANT = Principal("acme", "service:orders", frozenset({"main"}), frozenset({"intents:read"}))


@dataclass(frozen=True, slots=True)
class Blocked:
    """One refusal, in its two forms: an error for whoever asked now, and an intent that is held for it."""

    error: DestructiveBlocked
    intent: Intent
    events: list[Any]
    rig: Rig

    @property
    def view(self) -> dict[str, Any]:
        """The intent as REST answers with it."""
        obstacle = obstacle_view(self.rig.engine, TENANT, self.intent)
        answer = json_response(intent_view(self.intent, self.rig.engine.lane_paused_for, obstacle=obstacle))
        return dict(json.loads(bytes(answer.body)))

    @property
    def problem(self) -> dict[str, Any]:
        """The error as REST answers with it."""
        return dict(json.loads(bytes(problem_response(self.error, "t").body)))


Facts = tuple[object, object, object, object]


def _named(found: Any, code: object) -> Facts:  # noqa: ANN401 - a mapping or a record
    get = found.get if isinstance(found, dict) else lambda name: getattr(found, name)
    return (str(code), get("dependency"), str(get("state")), get("retry_after"))


def _drawn(blocked: Blocked) -> Facts:
    text = io.StringIO()
    draw_intent(Console(file=text, width=400, color_system=None), blocked.view)
    line = next(line for line in text.getvalue().splitlines() if "waits for" in line)
    code, where = line.split()[2], line[line.index("(") + 1 : line.index(")")].split()
    seconds = 7.5 if "looked at again in 8 s" in line else line
    return (code, where[0], where[1], seconds)


def _recorded(blocked: Blocked) -> Facts:
    facts = next(event.facts for event in blocked.events if event.type == "intent.held")
    return _named(dict(facts), facts["code"])


def _listed(blocked: Blocked) -> Facts:
    assert blocked.rig.engine.destruction is not None
    last = blocked.rig.engine.destruction.inventory.records()[0].last_blocked
    assert last is not None
    return _named(last, last.code)


def _failed(failure: Any) -> Facts:  # noqa: ANN401 - a failure of a command
    assert failure.exit_code == ExitCode.TRY_LATER
    return _named(failure.document(), failure.document()["code"])


SURFACES: dict[str, Callable[[Blocked], Facts]] = {
    "Python error": lambda blocked: _named(blocked.error, blocked.error.code),
    "its JSON": lambda blocked: _named(blocked.error.to_dict(), blocked.error.to_dict()["code"]),
    "REST problem": lambda blocked: _named(blocked.problem, blocked.problem["code"]),
    "REST intent": lambda blocked: _named(blocked.view["hindrance"], blocked.view["waiting_for"]),
    "REST intent now": lambda blocked: _named(blocked.view["obstacle"], blocked.view["obstacle"]["code"]),
    "CLI failure here": lambda blocked: _failed(failure_of_error(blocked.error)),
    "CLI failure of a server": lambda blocked: _failed(failure_of_problem(blocked.problem, 503, where="POST /")),
    "CLI intent": _drawn,
    "ledger event": _recorded,
    "inventory": _listed,
}


@pytest.mark.parametrize("surface", SURFACES)
async def test_every_surface_names_dependency_state_and_when_to_come_back(surface: str) -> None:
    """Law 8: one refusal, the same facts in the Python error, REST, the command line, the ledger and the inventory."""
    async with running(standings=Board({"redis": Health.UNHEALTHY})) as rig:
        tool = rig.tool("sessions.delete", Effect.OPAQUE, requires=("api_socket", "redis"), destructive=True)
        intent = await rig.submit("sessions.delete")
        await rig.clock.elapse(3.0)
        held = await rig.engine.intent("acme", intent.id)
        ready = msgspec.structs.replace(held, state="ready")
        with pytest.raises(DestructiveBlocked) as caught:
            rig.engine.kernel.ask(dispatch_request(ready, tool, rig.clock.time()))
        events = [read(entry) for entry in await rig.store.stream("acme", intent.id)]
        blocked = Blocked(caught.value, held, events, rig)
        assert SURFACES[surface](blocked) == ("DESTRUCTIVE_BLOCKED", "redis", "unhealthy", 7.5)
        assert blocked.view["message"] == caught.value.message == blocked.problem["detail"]


async def test_the_problem_says_when_to_come_back_in_a_header() -> None:
    """HTTP clients read `Retry-After`: whole seconds, never too early."""
    error = DestructiveBlocked("x", dependency="redis", state="unhealthy", retry_after=7.5)
    response = problem_response(error, "t")
    assert (response.status_code, response.headers["retry-after"]) == (503, "8")
