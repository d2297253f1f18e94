"""Waiting while it is wanted: for an outcome, until the client goes away or the server is asked to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.types import Message

from switchgear.surfaces.rest.limits import RestLimits
from switchgear.surfaces.rest.races import while_wanted
from switchgear.surfaces.rest.traffic import Traffic
from tests.turns import turns


class Client:
    """A client as a request sees it. `gone` says when it goes away; `asked` counts how often that was asked."""

    def __init__(self) -> None:
        """Be there."""
        self.gone = asyncio.Event()
        self.asked = 0
        self.request = Request({"type": "http", "headers": []}, self._receive)

    async def _receive(self) -> Message:
        self.asked += 1
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Work:
    """Something to wait for, which notes when it was given up."""

    def __init__(self) -> None:
        """Be open."""
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.started = asyncio.Event()
        self.given_up = False

    async def __call__(self) -> str:
        """Wait for the outcome."""
        self.started.set()
        try:
            return await self.outcome
        except asyncio.CancelledError:
            self.given_up = True
            raise


@pytest.fixture
async def traffic() -> Traffic:
    """Return the traffic of a server that runs."""
    return Traffic(RestLimits())


async def begun(work: Work, traffic: Traffic, client: Client, listen_after: float = 0.0) -> asyncio.Task[str | None]:
    """Begin to wait, and return once the work has started."""
    waiting = asyncio.create_task(while_wanted(work(), client.request, traffic, listen_after=listen_after))
    await work.started.wait()
    return waiting


async def test_the_outcome_is_returned_and_nothing_is_left(traffic: Traffic) -> None:
    """A wait that ends well leaves no task behind, and nobody who would be called at a stop."""
    work, client = Work(), Client()
    waiting = await begun(work, traffic, client)
    work.outcome.set_result("done")
    assert await waiting == "done"
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    traffic.stop()


async def test_a_short_wait_needs_no_task_of_its_own(traffic: Traffic) -> None:
    """The client is listened for after a while only: what ends before costs no task and no question."""
    work, client = Work(), Client()
    waiting = await begun(work, traffic, client, listen_after=60.0)
    assert asyncio.all_tasks() == {asyncio.current_task(), waiting}
    work.outcome.set_result("done")
    assert (await waiting, client.asked) == ("done", 0)


async def test_an_error_of_the_work_is_raised(traffic: Traffic) -> None:
    """What the work raises is for the caller, also when it is a timeout of its own."""
    for error in (ValueError("no"), TimeoutError("its own")):
        work = Work()
        waiting = await begun(work, traffic, Client())
        work.outcome.set_exception(error)
        with pytest.raises(type(error), match=str(error)):
            await waiting


def _gone(_traffic: Traffic, client: Client) -> None:
    client.gone.set()


def _stopped(traffic: Traffic, _client: Client) -> None:
    traffic.stop()


def _both(traffic: Traffic, client: Client) -> None:
    client.gone.set()
    traffic.stop()
    traffic.stop()


@pytest.mark.parametrize("happens", [_gone, _stopped, _both])
async def test_what_is_not_wanted_any_more_is_given_up(
    traffic: Traffic, happens: Callable[[Traffic, Client], None]
) -> None:
    """SEMANTICS §7, §12: a client that goes away or a stop ends the wait, once, and the work is told."""
    work, client = Work(), Client()
    waiting = await begun(work, traffic, client)
    happens(traffic, client)
    assert await asyncio.wait_for(waiting, 60.0) is None
    assert work.given_up


async def test_a_stop_that_came_before_ends_it_at_once(traffic: Traffic) -> None:
    """Nobody begins to wait at a server that is stopping."""
    traffic.stop()
    work = Work()
    assert await asyncio.wait_for(while_wanted(work(), Client().request, traffic), 60.0) is None


async def test_a_cancelled_caller_is_cancelled(traffic: Traffic) -> None:
    """A cancellation from outside passes: it is not taken for a client that went away."""
    work = Work()
    waiting = await begun(work, traffic, Client())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.given_up


async def test_a_stop_calls_each_once_and_only_inside_the_block(traffic: Traffic) -> None:
    """A second stop does not call again, and who has left is not called."""
    calls: list[str] = []
    with traffic.at_stop(lambda: calls.append("inside")):
        with traffic.at_stop(lambda: calls.append("left")):
            pass
        traffic.stop()
        traffic.stop()
    assert calls == ["inside"]
