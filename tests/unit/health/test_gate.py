"""The destructive gate: what lets pass and what holds back, block by block and item by item."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Any

import pytest

from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.codes import Code
from switchgear.core.errors import DestructiveBlocked, OptionError, Rejected
from switchgear.health import Confirmed, DestructiveGate, Health, Inference, Inferred, Standing, Witness
from switchgear.health.obstacles import TABLE, Kind
from tests.unit.health.gate_rig import NOT_VOUCHING, REQUIRES, AllHealthy, Board, Rig

BROKEN_SWITCH = OSError("no such file")
SWITCHES: dict[str, object] = {
    "off": False,
    "on": True,
    "raises": BROKEN_SWITCH,
    "nothing": None,
    "zero": 0,
    "word": "off",
}
REASONS = ("confirmed", "too old", "from the future", "another clock", "inferred", "none", "true", "forged")


def reason_of(rig: Rig, kind: str) -> Any:  # noqa: ANN401 - whatever somebody passes for a reason
    """Return a reason of that kind, for now."""
    if kind == "another clock":
        return Rig().confirmed()
    if kind in ("confirmed", "too old", "from the future"):
        reason = rig.confirmed()
        rig.clock.advance({"confirmed": 30.0, "too old": 30.001}.get(kind, 0.0))
        if kind == "from the future":
            rig.clock.put(rig.clock.monotonic() - 1.0)
        return reason
    others = {"inferred": Inferred(Inference.TIMEOUT, "api_socket", "TimeoutError"), "none": None, "true": True}
    return others[kind] if kind in others else object.__new__(Confirmed)


def destroyed(rig: Rig, reason: Any) -> bool:  # noqa: ANN401 - see above
    """Try to destroy. Return whether it was done."""
    try:
        with rig.gate.destructive("sessions.delete", requires=REQUIRES, because=reason):
            rig.destroyed.append("session-7")
    except DestructiveBlocked:
        assert rig.destroyed == []
        return False
    return True


@pytest.mark.parametrize("kind", REASONS)
@pytest.mark.parametrize("switch", SWITCHES)
def test_only_one_cell_of_the_table_lets_pass(switch: str, kind: str) -> None:
    """Both dependencies healthy, the switch off, and a fresh confirmed reason: everything else holds back."""
    for redis, api_socket in product(Health, Health):
        rig = Rig(redis=redis, api_socket=api_socket)
        rig.switch = SWITCHES[switch]
        reason = reason_of(rig, kind)
        in_order = (switch, kind, redis, api_socket) == ("off", "confirmed", Health.HEALTHY, Health.HEALTHY)
        assert destroyed(rig, reason) is in_order


@pytest.mark.parametrize("state", NOT_VOUCHING)
def test_a_dependency_that_does_not_vouch_is_named(state: Health) -> None:
    """The refusal carries dependency, state, since when, and when it is looked at again."""
    rig = Rig(api_socket=state)
    with pytest.raises(DestructiveBlocked) as caught:
        rig.destroy(rig.confirmed())
    assert caught.value.to_dict() == {
        "code": "DESTRUCTIVE_BLOCKED",
        "message": (
            f"DESTRUCTIVE_BLOCKED [api_socket: {state}]: sessions.delete was not begun: api_socket does not vouch for "
            f"it, being {state} for 12 s (it is {state}). Retry after 4 s."
        ),
        "policy": "destructive",
        "dependency": "api_socket",
        "state": state,
        "retry_after": 4.0,
        "decision": "defer",
        "operation": "sessions.delete",
        "done": 0,
    }


def test_the_first_dependency_that_fails_is_named() -> None:
    """Of several, the one that stands first in `requires`; flapping is said."""

    class Flapping(Board):
        def standing(self, name: str, /) -> Standing:
            return Standing(
                name=name,
                state=Health.RECOVERING,
                critical=True,
                age=None,
                state_age=1.0,
                flapping=True,
                retry_after=None,
            )

    rig = Rig()
    gate = DestructiveGate(Flapping(), inventory=rig.inventory, clock=rig.clock)
    with pytest.raises(DestructiveBlocked) as caught, gate.destructive("x", requires=REQUIRES, because=rig.confirmed()):
        pass
    assert (caught.value.dependency, caught.value.retry_after) == ("redis", None)
    assert str(caught.value).endswith("being recovering for 1 s and flapping.")


WORDS: list[tuple[object, str, Code, str, str, str, str]] = [
    (True, "confirmed", Code.KILL_SWITCH_ACTIVE, "on", "reject", "kill_switch", "the kill switch is on."),
    (
        BROKEN_SWITCH,
        "confirmed",
        Code.KILL_SWITCH_UNREADABLE,
        "unreadable",
        "defer",
        "kill_switch",
        "the kill switch cannot be read (OSError), so nothing is started.",
    ),
    (
        None,
        "confirmed",
        Code.KILL_SWITCH_UNREADABLE,
        "unreadable",
        "defer",
        "kill_switch",
        "the kill switch cannot be read (it says NoneType), so nothing is started.",
    ),
    (
        "on",
        "confirmed",
        Code.KILL_SWITCH_UNREADABLE,
        "unreadable",
        "defer",
        "kill_switch",
        "the kill switch cannot be read (it says str), so nothing is started.",
    ),
    (
        False,
        "too old",
        Code.DESTRUCTIVE_BLOCKED,
        "stale",
        "reject",
        "destructive",
        "its reason from api_socket is stale: confirmed 30 s ago, and 30 s is the most; ask again.",
    ),
    (
        False,
        "another clock",
        Code.DESTRUCTIVE_BLOCKED,
        "unknown",
        "reject",
        "destructive",
        "its reason from api_socket was confirmed on another clock than that of the gate, so its age is not known.",
    ),
    (
        False,
        "inferred",
        Code.DESTRUCTIVE_BLOCKED,
        "timeout",
        "reject",
        "destructive",
        (
            "its reason is only inferred from what api_socket did not say (timeout: TimeoutError), and absence is not "
            "evidence."
        ),
    ),
    (
        False,
        "none",
        Code.DESTRUCTIVE_BLOCKED,
        "missing",
        "reject",
        "destructive",
        "its reason is a NoneType, not a reply that a witness has confirmed.",
    ),
    (
        False,
        "forged",
        Code.DESTRUCTIVE_BLOCKED,
        "missing",
        "reject",
        "destructive",
        "its reason is an empty Confirmed, not a reply that a witness has confirmed.",
    ),
]


@pytest.mark.parametrize(
    ("switch", "kind", "code", "state", "decision", "policy", "words"), WORDS, ids=lambda value: str(value)[:20]
)
def test_each_obstacle_has_one_wording(
    switch: object, kind: str, code: Code, state: str, decision: str, policy: str, words: str
) -> None:
    """Code, policy, state, decision and words are those of one table."""
    rig = Rig()
    rig.switch = switch
    reason = reason_of(rig, kind)
    with (
        pytest.raises(DestructiveBlocked) as caught,
        rig.gate.destructive("sessions.delete", requires=REQUIRES, because=reason),
    ):
        pass
    error = caught.value
    assert (error.code, error.state, error.decision, error.policy) == (code, state, decision, policy)
    assert error.message == f"sessions.delete was not begun: {words}"


def test_the_table_has_a_row_for_each_obstacle() -> None:
    """No obstacle without words, a code of the gate's, and no policy but its two."""
    assert set(TABLE) == set(Kind)
    codes = {Code.DESTRUCTIVE_BLOCKED, Code.KILL_SWITCH_ACTIVE, Code.KILL_SWITCH_UNREADABLE}
    assert {row.code for row in TABLE.values()} == codes
    assert {row.policy for row in TABLE.values()} == {"destructive", "kill_switch"}


@pytest.mark.parametrize("broken", [KeyError("redis"), OSError("gone")])
def test_a_board_that_raises_vouches_for_nothing(broken: Exception) -> None:
    """Unreadable is not healthy: the refusal is the same for everybody, and its cause is kept."""

    class Broken(Board):
        def standing(self, name: str, /) -> Standing:
            raise broken

    rig = Rig()
    gate = DestructiveGate(Broken(), inventory=rig.inventory, clock=rig.clock)
    with pytest.raises(DestructiveBlocked) as caught, gate.destructive("x", requires=REQUIRES, because=rig.confirmed()):
        pass
    assert (caught.value.dependency, caught.value.state) == ("redis", "unknown")
    assert caught.value.__cause__ is broken
    assert caught.value.message == f"x was not begun: where redis stands cannot be read: {type(broken).__name__}."


def test_what_only_looks_like_vouching_does_not_count() -> None:
    """`vouches` has to be True itself: a stand-in that says yes to everything is no evidence."""

    class Yes:
        vouches, state, flapping, reason, retry_after, since = "yes", "healthy", False, "", None, 0.0

    class Nodding(Board):
        def standing(self, name: str, /) -> Any:  # noqa: ANN401 - it is not what it should be
            return Yes()

    rig = Rig()
    gate = DestructiveGate(Nodding(), inventory=rig.inventory, clock=rig.clock)
    with pytest.raises(DestructiveBlocked), gate.destructive("x", requires=REQUIRES, because=rig.confirmed()):
        pass


def test_interrupts_pass() -> None:
    """Ctrl-C inside a kill switch is no answer of it."""
    rig = Rig()

    def interrupted() -> bool:
        raise KeyboardInterrupt

    gate = DestructiveGate(rig.board, kill_switch=interrupted, inventory=rig.inventory, clock=rig.clock)
    with pytest.raises(KeyboardInterrupt), gate.destructive("x", requires=REQUIRES, because=rig.confirmed()):
        pass


def test_every_required_dependency_is_looked_at_on_every_check() -> None:
    """Nothing is remembered from the check before."""
    rig = Rig()
    with rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed()) as permit:
        permit.check()
    assert rig.board.asked == [*REQUIRES, *REQUIRES]


def test_no_kill_switch_is_no_obstacle() -> None:
    """The switch is optional; its absence is not its silence."""
    rig = Rig()
    gate = DestructiveGate(rig.board, inventory=rig.inventory, clock=rig.clock)
    with gate.destructive("x", requires=REQUIRES, because=rig.confirmed()):
        rig.destroyed.append("x")
    assert rig.destroyed == ["x"]


def test_the_same_clock_is_the_default_on_both_sides() -> None:
    """Who injects nothing has a gate and a witness that agree."""
    finding = Witness("api_socket", AllHealthy()).ask(lambda: 1, says=lambda reply: reply == 1)
    assert isinstance(finding, Confirmed)
    assert finding.clock is SYSTEM_CLOCK
    with DestructiveGate(AllHealthy(), inventory=Rig().inventory).destructive("x", requires=("a",), because=finding):
        pass


def test_an_age_that_is_no_number_is_too_old() -> None:
    """A clock that says nonsense makes nothing young."""
    rig = Rig()
    reason = rig.confirmed()
    rig.clock.put(float("nan"))
    assert not destroyed(rig, reason)


def test_a_permit_is_asked_again_after_a_wait() -> None:
    """What turned red during a wait stops what comes after it; nothing is done twice."""
    rig = Rig()

    def destroy_twice() -> None:
        with rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed()) as permit:
            rig.clock.advance(5.0)
            permit.check()
            rig.destroyed.append("before")
            rig.board.states["redis"] = Health.UNKNOWN
            permit.check()
            rig.destroyed.append("after")

    with pytest.raises(DestructiveBlocked):
        destroy_twice()
    assert rig.destroyed == ["before"]


def test_a_reason_ages_while_a_block_runs() -> None:
    """The age counts at each check, not at the first."""
    rig = Rig()
    with rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed()) as permit:
        rig.clock.advance(30.0)
        permit.check()
        rig.clock.advance(0.1)
        with pytest.raises(DestructiveBlocked, match="stale"):
            permit.check()


def test_a_permit_is_good_in_its_block_only() -> None:
    """Before it, after it, and a second time it is refused as the mistake that it is."""
    rig = Rig()
    permit = rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed())
    with pytest.raises(RuntimeError, match="inside its with block"):
        permit.check()
    with permit:
        permit.check()
    with pytest.raises(RuntimeError, match="inside its with block"):
        permit.check()
    with pytest.raises(RuntimeError, match="inside its with block"):
        list(permit.each(["a"]))
    with pytest.raises(RuntimeError, match="once"):
        permit.__enter__()


def test_a_permit_that_was_refused_stays_refused_until_asked_again() -> None:
    """A block that may not begin leaves nothing open."""
    rig = Rig(redis=Health.UNHEALTHY)
    permit = rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed())
    with pytest.raises(DestructiveBlocked), permit:
        pass
    with pytest.raises(RuntimeError):
        permit.check()


def test_errors_of_a_block_pass() -> None:
    """The gate swallows nothing."""
    rig = Rig()
    with pytest.raises(ZeroDivisionError), rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed()):
        raise ZeroDivisionError


def test_each_item_is_checked_and_the_refusal_says_how_many_were_done() -> None:
    """Held back between two items, never within one; what was fetched and not checked is not begun."""
    rig = Rig()
    fetched: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            fetched.append(number)
            if number == 3:
                rig.board.states["api_socket"] = Health.UNHEALTHY
            yield number

    def sweep() -> None:
        with rig.gate.destructive("sessions.sweep", requires=REQUIRES, because=rig.confirmed()) as permit:
            for number in permit.each(items()):
                rig.destroyed.append(f"begin {number}")
                rig.destroyed.append(f"end {number}")

    with pytest.raises(DestructiveBlocked) as caught:
        sweep()
    assert fetched == [0, 1, 2, 3]
    assert rig.destroyed == [f"{word} {number}" for number in range(3) for word in ("begin", "end")]
    assert (caught.value.done, caught.value.operation) == (3, "sessions.sweep")
    assert caught.value.message.startswith("sessions.sweep went no further (3 done): api_socket does not vouch")


async def test_each_item_of_an_async_iteration_is_checked_after_its_wait() -> None:
    """The wait for an item is a wait: the check comes after it."""
    rig = Rig()

    async def items() -> AsyncIterator[int]:
        for number in range(5):
            if number == 2:
                rig.switch = True
            yield number

    async def sweep() -> None:
        with rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed()) as permit:
            async for number in permit.each(items()):
                rig.destroyed.append(str(number))

    with pytest.raises(DestructiveBlocked) as caught:
        await sweep()
    assert rig.destroyed == ["0", "1"]
    assert (caught.value.done, caught.value.code) == (2, Code.KILL_SWITCH_ACTIVE)


def test_an_item_whose_body_failed_is_not_counted_as_done() -> None:
    """`done` counts items whose body came to its end; all of them, when nothing was held back."""
    rig = Rig()
    with rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed()) as permit:
        for number in permit.each([1, 2, 3]):
            if number == 3:
                break
        assert permit.done == 2
        assert list(permit.each([4])) == [4]
        assert permit.done == 3


def test_the_refusal_is_a_refusal_and_survives_pickling() -> None:
    """Nothing left the process; in another one the facts are the same."""
    rig = Rig(redis=Health.DEGRADED)
    with pytest.raises(Rejected) as caught:
        rig.destroy(rig.confirmed())
    revived = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert type(revived) is DestructiveBlocked
    assert revived.to_dict() == caught.value.to_dict()


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "30", None, True])
def test_an_age_that_cannot_work_is_refused_at_birth(seconds: Any) -> None:  # noqa: ANN401 - any value at all
    """Seconds are a finite number above 0."""
    with pytest.raises(OptionError, match="reason_max_age"):
        DestructiveGate(Board(), reason_max_age=seconds)


def test_a_switch_has_to_answer_at_once() -> None:
    """An async function answers later: it is refused at birth, not read as on."""

    async def later() -> bool:
        return False

    with pytest.raises(OptionError, match="kill_switch"):
        DestructiveGate(Board(), kill_switch=later)  # type: ignore[arg-type] # what is refused


@pytest.mark.parametrize("requires", [(), [], "redis", ("",), (None,), None, {"redis"}, ("redis", 7)])
def test_requirements_that_name_nothing_are_refused(requires: Any) -> None:  # noqa: ANN401 - any value at all
    """An operation that rests on nothing is a mistake, not one that may always be done."""
    rig = Rig()
    with pytest.raises(OptionError, match="require"):
        rig.gate.destructive("x", requires=requires, because=rig.confirmed())


def test_the_age_of_the_gate_counts() -> None:
    """`reason_max_age` is that of the gate, and exactly that."""
    rig = Rig()
    clock = rig.clock
    gate = DestructiveGate(rig.board, reason_max_age=2.0, inventory=rig.inventory, clock=clock)
    reason = rig.confirmed()
    clock.advance(2.0)
    with gate.destructive("x", requires=REQUIRES, because=reason):
        pass
    clock.advance(0.5)
    with pytest.raises(DestructiveBlocked, match=r"2.5 s ago, and 2 s is the most"):
        gate.destructive("x", requires=REQUIRES, because=reason).__enter__()


class _Claims:
    """Says that it is a `Confirmed`, as test doubles do."""

    source = "api_socket"
    value = "session-7"

    def __init__(self, rig: Rig) -> None:
        """Have all that is asked of one."""
        self.clock = rig.clock
        self.at = rig.clock.monotonic()

    def age(self) -> float:
        """Be as fresh as can be."""
        return 0.0

    __class__ = Confirmed  # type: ignore[assignment] # what a test double with a specification says of itself


def test_what_only_calls_itself_confirmed_is_no_reason() -> None:
    """Law 5: a reason was minted by a witness; what another object says of its class counts for nothing."""
    rig = Rig()
    assert isinstance(_Claims(rig), Confirmed)
    assert not destroyed(rig, _Claims(rig))
