"""The gate of destructive actions: what vouches, what a force covers, and what it says. Pure tables."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import DestructiveBlocked
from switchgear.gates.destructive.force import CLOCK_SLACK, Force, Overridden
from switchgear.gates.destructive.gate import DestructiveActions
from switchgear.gates.gate import NO_CONDITIONS, GateRequest, Stage
from switchgear.health.standing import Health, Standing
from tests.unit.execution.rig import Board

REDIS = Overridden("redis", "unhealthy")
FORCE = Force("person:ben", 100.0, 160.0, "c", (REDIS,))


def request(**fields: Any) -> GateRequest:
    """Return a destructive action that is about to leave, changed by `fields`."""
    plain = GateRequest(
        stage=Stage.DISPATCH,
        intent_id="int_1",
        tenant="acme",
        account="main",
        actor="service:janitor",
        tool="sessions.delete",
        contract="c",
        requires=("redis", "api_socket"),
        effect=Effect.OPAQUE,
        destructive=True,
        cost=1,
        payload="d",
        at=120.0,
        deadline_at=1e9,
    )
    return msgspec.structs.replace(plain, **fields)


@pytest.mark.parametrize("bad", ["redis", "api_socket"])
@pytest.mark.parametrize("state", [*Health, RuntimeError("away")], ids=str)
def test_only_what_every_dependency_vouches_for_passes(bad: str, state: Health | Exception) -> None:
    """Law 5: each dependency that is named has to be healthy; whatever else it is, or when it cannot be read: no."""
    gate = DestructiveActions(Board({bad: state}))
    if state is Health.HEALTHY:
        assert gate.check(request()) is NO_CONDITIONS
        return
    with pytest.raises(DestructiveBlocked) as caught:
        gate.check(request())
    error = caught.value
    assert (error.code, error.policy, error.dependency) == (Code.DESTRUCTIVE_BLOCKED, "destructive", bad)
    assert error.state == ("unknown" if isinstance(state, Exception) else str(state))
    assert error.retry_after == (None if isinstance(state, Exception) else 7.5)
    assert (error.operation, error.done, error.decision) == ("sessions.delete", 0, "defer")


def test_a_doubt_about_a_healthy_dependency_is_enough() -> None:
    """Healthy and doubted does not vouch."""

    class Doubted:
        def standing(self, name: str, /) -> Standing:
            return Standing(name=name, state=Health.HEALTHY, critical=True, age=1.0, state_age=1.0, doubted=True)

    with pytest.raises(DestructiveBlocked):
        DestructiveActions(Doubted()).check(request())


def test_why_a_dependency_stands_there_is_not_told_to_tenants() -> None:
    """The reason of a standing may quote calls of others: a refusal names dependency, state and times alone."""
    with pytest.raises(DestructiveBlocked) as caught:
        DestructiveActions(Board({"redis": Health.UNHEALTHY})).check(request())
    assert "a secret" not in str(caught.value)
    assert "redis does not vouch for it, being unhealthy for 4 s" in caught.value.message


@pytest.mark.parametrize("fields", [{"destructive": False}, {"stage": Stage.ADMISSION}], ids=str)
def test_what_does_not_destroy_now_is_not_asked_about(fields: dict[str, Any]) -> None:
    """Other tools run during an outage, and at admission the answer would be a guess."""
    board = Board({"redis": Health.UNHEALTHY})
    assert DestructiveActions(board).check(request(**fields)) is NO_CONDITIONS
    assert board.asked == 0


COVERED: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "as given": ({}, {}, True),
    "at its last moment": ({}, {"at": 159.999}, True),
    "expired": ({}, {"at": 160.0}, False),
    "before it was given, within the slack": ({}, {"at": 100.0 - CLOCK_SLACK}, True),
    "the clock went back": ({}, {"at": 99.9 - CLOCK_SLACK}, False),
    "another contract": ({}, {"contract": "other"}, False),
    "another dependency": ({"overrode": (Overridden("api_socket", "unhealthy"),)}, {}, False),
    "nothing overridden": ({"overrode": ()}, {}, False),
}


@pytest.mark.parametrize("case", COVERED)
def test_a_force_is_good_for_what_it_names_and_nothing_else(case: str) -> None:
    """These dependencies, this contract, this long: whatever changes, it is void."""
    changed, fields, passes = COVERED[case]
    gate = DestructiveActions(Board({"redis": Health.UNKNOWN}))
    asked = request(force=msgspec.structs.replace(FORCE, **changed), **fields)
    if not passes:
        with pytest.raises(DestructiveBlocked):
            gate.check(asked)
        return
    overrode = [{"dependency": "redis", "state": "unknown"}]
    assert gate.check(asked).facts == {"forced": {"by": "person:ben", "overrode": overrode}}


def test_a_force_does_not_cover_a_second_dependency_that_fails() -> None:
    """What nobody saw when it was forced stands in the way."""
    board = Board({"redis": Health.UNHEALTHY, "api_socket": Health.DEGRADED})
    with pytest.raises(DestructiveBlocked) as caught:
        DestructiveActions(board).check(request(force=FORCE))
    assert (caught.value.dependency, caught.value.state) == ("api_socket", "degraded")


def test_a_force_that_is_not_needed_goes_on_no_record() -> None:
    """Where everything vouches by now, nothing is overridden."""
    assert DestructiveActions(Board()).check(request(force=FORCE)) is NO_CONDITIONS


def test_every_obstacle_is_named() -> None:
    """Who forces sees all that would be overridden, not the first alone."""
    board = Board({"redis": Health.UNHEALTHY, "api_socket": ValueError("x")})
    found = DestructiveActions(board).obstacles(("redis", "catalogue", "api_socket"))
    assert [(one.dependency, one.state) for one in found] == [("redis", "unhealthy"), ("api_socket", "unknown")]
