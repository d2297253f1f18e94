"""Findings: only a positive reply that came in time is confirmed, and what is confirmed cannot be forged."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from switchgear import Breaker, CircuitOpen, Fallback, Guard, Retry
from switchgear.core.errors import DeadlineExceeded, OptionError
from switchgear.health import Confirmed, Finding, Health, Inference, Inferred, Standing, Witness
from switchgear.testing import run_simulated
from tests.turns import turns
from tests.unit.health.gate_rig import NOT_VOUCHING, AllHealthy, Board, Rig


def ended(reply: object) -> bool:
    """Say whether a reply says so."""
    return reply == "ended"


def raising(error: BaseException) -> Callable[[], str]:
    """Return a call that raises."""

    def call() -> str:
        raise error

    return call


def async_of(call: Callable[[], str]) -> Callable[[], Any]:
    """Return the same call, async."""

    async def later() -> str:
        await turns()
        return call()

    return later


async def ask(call: Callable[[], str], *, later: bool, witness: Witness | None = None) -> Finding[str]:
    """Ask, blocking or async."""
    asked = witness or Witness("api_socket", AllHealthy())
    return await asked.ask(async_of(call), says=ended) if later else asked.ask(call, says=ended)


ROWS: list[tuple[Exception, Inference, str]] = [
    (TimeoutError(), Inference.TIMEOUT, "TimeoutError"),
    (DeadlineExceeded(sent=True), Inference.TIMEOUT, "DeadlineExceeded"),
    (ConnectionRefusedError(), Inference.SILENCE, "ConnectionRefusedError"),
    (ConnectionResetError(), Inference.SILENCE, "ConnectionResetError"),
    (asyncio.IncompleteReadError(b"", 4), Inference.SILENCE, "IncompleteReadError"),
    (EOFError(), Inference.SILENCE, "EOFError"),
    (CircuitOpen(), Inference.SILENCE, "CircuitOpen"),
    (FileNotFoundError(), Inference.ERROR, "FileNotFoundError"),
    (KeyError("id"), Inference.ERROR, "KeyError"),
]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("error", "why", "name"), ROWS)
async def test_no_error_confirms_anything(error: Exception, why: Inference, name: str, later: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Each kind of error is inferred for what it is, with the name of its type."""
    assert await ask(raising(error), later=later) == Inferred(why, "api_socket", name)


@pytest.mark.parametrize("later", [False, True])
async def test_a_positive_reply_is_confirmed(later: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """It holds the reply, who said so, and when it was asked."""
    finding = await ask(lambda: "ended", later=later)
    assert isinstance(finding, Confirmed)
    assert (finding.value, finding.source) == ("ended", "api_socket")
    assert 0.0 <= finding.age() < 30.0


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("reply", ["alive", "", None, [], b"ended"])
async def test_a_reply_that_does_not_say_so_is_negative(reply: Any, later: bool) -> None:  # noqa: ANN401, FBT001 - any reply
    """It replied, and said something else."""
    assert await ask(lambda: reply, later=later) == Inferred(Inference.NEGATIVE, "api_socket")


@pytest.mark.parametrize("said", [1, "yes", [True], object(), None, 0])
def test_only_true_itself_says_so(said: Any) -> None:  # noqa: ANN401 - any value at all
    """Whatever else a predicate returns is no yes."""
    finding = Witness("api_socket", AllHealthy()).ask(lambda: "x", says=lambda _reply: said)
    assert finding == Inferred(Inference.NEGATIVE, "api_socket")


def test_a_reply_that_cannot_be_read_confirms_nothing() -> None:
    """A predicate that raises has not said yes."""
    finding = Witness("api_socket", AllHealthy()).ask(lambda: {"id": 7}, says=lambda reply: bool(reply["state"]))
    assert finding == Inferred(Inference.UNREADABLE, "api_socket", "KeyError")


@pytest.mark.parametrize("state", NOT_VOUCHING)
def test_the_word_of_who_does_not_vouch_is_only_inferred(state: Health) -> None:
    """A dependency that is not healthy may say what it likes."""
    witness = Witness("api_socket", Board(api_socket=state))
    assert witness.ask(lambda: "ended", says=ended) == Inferred(Inference.UNVOUCHED, "api_socket")


def test_the_standing_is_that_after_the_reply() -> None:
    """A dependency that fell over while it was asked does not vouch."""
    board = Board()

    def falls_over() -> str:
        board.states["api_socket"] = Health.UNKNOWN
        return "ended"

    assert Witness("api_socket", board).ask(falls_over, says=ended) == Inferred(Inference.UNVOUCHED, "api_socket")


def test_a_board_that_cannot_be_read_vouches_for_nobody() -> None:
    """An error of the board is not a yes; its name is kept."""

    class Broken(Board):
        def standing(self, name: str, /) -> Standing:
            raise OSError("gone")

    finding = Witness("api_socket", Broken()).ask(lambda: "ended", says=ended)
    assert finding == Inferred(Inference.UNVOUCHED, "api_socket", "OSError")


def test_a_reply_that_takes_too_long_is_a_timeout() -> None:
    """Every question has a bound of its own."""

    async def never() -> str:
        await asyncio.get_running_loop().create_future()
        return "ended"

    async def scene() -> Finding[str]:
        return await Witness("api_socket", AllHealthy(), timeout=2.0).ask(never, says=ended)

    assert run_simulated(scene()) == Inferred(Inference.TIMEOUT, "api_socket", "DeadlineExceeded")


def test_a_blocking_question_has_a_bound_too() -> None:
    """What blocks for ever is left behind; its reply, should it ever come, is nobody's."""
    rig = Rig()
    witness = Witness("api_socket", AllHealthy(), timeout=2.0, clock=rig.clock)

    def slow() -> str:
        rig.clock.advance(3.0)
        return "ended"

    assert witness.ask(slow, says=ended) == Inferred(Inference.TIMEOUT, "api_socket", "DeadlineExceeded")


async def test_cancellation_is_no_finding() -> None:
    """Who cancels is told so, whatever was asked."""

    async def never() -> str:
        await asyncio.get_running_loop().create_future()
        return "ended"

    asking = asyncio.ensure_future(Witness("api_socket", AllHealthy()).ask(never, says=ended))
    await turns()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


def test_the_age_counts_from_the_question() -> None:
    """The reply is no older than its question: the time of the call is part of its age."""
    rig = Rig()

    def slow() -> str:
        rig.clock.advance(3.0)
        return "ended"

    finding = Witness("api_socket", AllHealthy(), clock=rig.clock).ask(slow, says=ended)
    assert isinstance(finding, Confirmed)
    assert finding.age() == 3.0


async def test_the_age_of_an_async_question_counts_from_when_it_is_asked() -> None:
    """An awaitable that lies about has asked nobody yet."""
    rig = Rig()
    asking = Witness("api_socket", AllHealthy(), clock=rig.clock).ask(async_of(lambda: "ended"), says=ended)
    rig.clock.advance(3.0)
    finding = await asking
    assert isinstance(finding, Confirmed)
    assert finding.age() == 0.0


async def test_the_time_of_an_async_call_is_part_of_its_age() -> None:
    """As of a blocking one."""
    rig = Rig()

    async def slow() -> str:
        rig.clock.advance(3.0)
        return "ended"

    finding = await Witness("api_socket", AllHealthy(), clock=rig.clock).ask(slow, says=ended)
    assert isinstance(finding, Confirmed)
    assert finding.age() == 3.0


def test_arguments_are_handed_on() -> None:
    """What is asked with is up to the caller."""

    def state_of(session: str, *, tenant: str) -> str:
        return f"{tenant}/{session}"

    finding = Witness("api_socket", AllHealthy()).ask(
        state_of, "7", says=lambda reply: reply == "acme/7", tenant="acme"
    )
    assert isinstance(finding, Confirmed)


class TestThroughAGuard:
    """A witness may ask through the guard of its dependency."""

    def test_an_open_breaker_is_silence(self) -> None:
        """Nothing was asked, so nothing was said."""
        guard = Guard("api_socket", breaker=Breaker(failures=1))
        witness = Witness("api_socket", AllHealthy(), guard=guard)
        assert witness.ask(raising(OSError()), says=ended) == Inferred(Inference.ERROR, "api_socket", "OSError")
        assert witness.ask(lambda: "ended", says=ended) == Inferred(Inference.SILENCE, "api_socket", "CircuitOpen")

    @pytest.mark.parametrize("later", [False, True])
    async def test_the_answer_of_a_fallback_is_nobodys_word(self, later: bool) -> None:  # noqa: FBT001 - of the table
        """A fallback says what was prepared, not what is."""
        guard = Guard("api_socket", fallback=Fallback(value="ended"), effect="read_only")
        witness = Witness("api_socket", AllHealthy(), guard=guard)
        finding = await ask(raising(ConnectionError()), later=later, witness=witness)
        assert finding == Inferred(Inference.SILENCE, "api_socket", "ConnectionError")

    def test_of_attempts_that_all_failed_the_last_counts(self) -> None:
        """Retry hides nothing."""
        guard = Guard("api_socket", retry=Retry(attempts=2, on=TimeoutError, base=0.001))
        finding = Witness("api_socket", AllHealthy(), guard=guard).ask(raising(TimeoutError()), says=ended)
        assert finding == Inferred(Inference.TIMEOUT, "api_socket", "TimeoutError")


class TestForging:
    """What is confirmed was minted by a witness, stays as it was, and stays where it is."""

    def test_it_has_no_constructor(self) -> None:
        """The error says what to write."""
        made: Any = Confirmed
        for arguments in ((), ("ended",), ("ended", "api_socket", 0.0)):
            with pytest.raises(TypeError, match=r"witness\.ask\(call, says=\.\.\.\)"):
                made(*arguments)
        with pytest.raises(TypeError, match="witness"):
            made(value="ended")

    def test_it_has_no_subclasses(self) -> None:
        """Nobody confirms by inheritance."""
        base: Any = Confirmed
        with pytest.raises(TypeError, match="subclass"):
            type("Mine", (base,), {})

    @pytest.mark.parametrize("name", ["value", "source", "at", "clock", "anything"])
    def test_it_cannot_be_changed(self, name: str) -> None:
        """Not even its age."""
        finding = Rig().confirmed()
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(finding, name, 0.0)
        with pytest.raises(AttributeError, match="cannot be deleted"):
            delattr(finding, name)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_it_cannot_be_pickled(self, protocol: int) -> None:
        """Its age means nothing elsewhere."""
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            pickle.dumps(Rig().confirmed(), protocol)

    @pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, partial(dataclasses.replace, at=0.0)])
    def test_it_cannot_be_copied_or_replaced(self, how: Callable[[Any], object]) -> None:
        """A copy could be given another age."""
        with pytest.raises(TypeError):
            how(Rig().confirmed())

    def test_a_finding_is_neither_true_nor_false(self) -> None:
        """``if finding:`` would let what is only inferred pass."""
        for finding in (Rig().confirmed(), Inferred(Inference.TIMEOUT, "api_socket")):
            with pytest.raises(TypeError, match="isinstance"):
                bool(finding)

    def test_it_shows_no_reply(self) -> None:
        """A log line with a reason in it gives nothing away."""
        rig = Rig()
        finding = rig.confirmed("secret")
        rig.clock.advance(2.0)
        assert repr(finding) == "<Confirmed by api_socket 2 s ago>"


class TestWhatCannotBeAsked:
    """Mistakes are errors, not findings."""

    @pytest.mark.parametrize("source", ["", None, 7])
    def test_a_witness_has_a_name(self, source: Any) -> None:  # noqa: ANN401 - any value at all
        """The board knows a dependency by it."""
        with pytest.raises(OptionError, match="source"):
            Witness(source, AllHealthy())

    @pytest.mark.parametrize("timeout", [0, -1.0, float("inf"), float("nan"), "5", None])
    def test_a_witness_has_a_bound(self, timeout: Any) -> None:  # noqa: ANN401 - any value at all
        """No question without an end."""
        with pytest.raises(OptionError, match="timeout"):
            Witness("api_socket", AllHealthy(), timeout=timeout)

    def test_a_predicate_answers_at_once(self) -> None:
        """An awaitable is not True; the mistake is told before anything is asked."""

        async def later(_reply: object) -> bool:
            return True

        says: Any = later
        with pytest.raises(TypeError, match="says="):
            Witness("api_socket", AllHealthy()).ask(lambda: "ended", says=says)

    def test_a_blocking_call_that_returns_an_awaitable_is_a_mistake(self) -> None:
        """A lambda round an async function is blocking, and would be asked after its bound; it never runs."""
        asked: list[str] = []

        async def later() -> str:
            asked.append("asked")
            return "ended"

        call: Any = lambda: later()  # noqa: E731, PLW0108 - the mistake that is tested
        with pytest.raises(TypeError, match="runs later"):
            Witness("api_socket", AllHealthy()).ask(call, says=ended)
        assert asked == []

    def test_the_mistake_is_told_without_the_client(self) -> None:
        """Methods of some async clients are plain functions; the client that they belong to may show a password."""

        class Client:
            def get(self) -> Any:  # noqa: ANN401 - what some clients declare
                return asyncio.sleep(0)

            def __repr__(self) -> str:
                return "redis://:hush@db"

        with pytest.raises(
            TypeError, match=r"Client\.get is a blocking function.* wrap it in one: async def"
        ) as caught:
            Witness("redis", AllHealthy()).ask(Client().get, says=ended)
        assert "hush" not in str(caught.value)

    def test_generators_are_no_reply(self) -> None:
        """A generator has said nothing yet."""

        def some() -> Iterator[str]:
            yield "ended"

        async def others() -> AsyncIterator[str]:
            yield "ended"

        for call in (some, others, others, some):
            with pytest.raises(TypeError, match="runs later"):
                Witness("api_socket", AllHealthy()).ask(call, says=lambda _reply: True)

    def test_a_witness_says_whom_it_asks(self) -> None:
        """For whoever shows it."""
        assert Witness("api_socket", AllHealthy()).source == "api_socket"


@pytest.mark.parametrize("why", Inference)
def test_a_finding_that_confirms_nothing_says_so_to_people(why: Inference) -> None:
    """Every reason has words; a log line of ``str(finding)`` is enough to know who was asked and what came of it."""
    assert str(Inferred(why, "api_socket", "OSError")).startswith("api_socket confirms nothing: ")
    assert str(Inferred(why, "api_socket", "OSError")).endswith(" (OSError)")
    assert not str(Inferred(why, "api_socket")).endswith(")")
