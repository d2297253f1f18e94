"""`SwitchgearMiddleware` with a guard: places, the queue, shedding, clients that go, on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from switchgear.adapters.asgi.protocol import Scope
from switchgear.core.clock import VirtualClock
from switchgear.core.errors import (
    OptionError,
)
from switchgear.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.rate_limit import RateLimit
from tests.turns import turns
from tests.unit.adapters.asgi_driver import TENANTS, Front, Service, ask, begin


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands still."""
    return VirtualClock()


@pytest.fixture
def service() -> Service:
    """Return the application behind the middleware."""
    return Service()


async def test_overload_is_shed_at_once_and_costs_nothing(service: Service, clock: VirtualClock) -> None:
    """A full guard answers 503 with its code, and the tenant keeps what it had."""
    guard = Guard("edge", bulkhead=Bulkhead(1), clock=clock)
    front = Front(service, clock, levels=TENANTS, guard=guard)
    service.held = asyncio.Event()
    first = begin(front.app, verified_tenant="acme")
    await turns(20)
    for _ in range(5):
        reply = await ask(front.app, verified_tenant="acme")
        assert (reply.status, reply.problem["dependency"]) == (503, "edge")
        assert reply.problem["code"] in {"BULKHEAD_FULL", "QUEUE_FULL"}
    service.held.set()
    await first.task
    assert (first.reply.status, service.reached) == (200, 1)
    assert (await ask(front.app, verified_tenant="acme")).status == 200


async def test_a_client_that_goes_while_it_waits_gives_everything_back(service: Service, clock: VirtualClock) -> None:
    """Charge and place in the queue are returned, the service is never reached, and nothing is sent."""
    guard = Guard("edge", bulkhead=Bulkhead(1, queue=4), clock=clock)
    front = Front(service, clock, levels={"tenant": RateLimit(3, per=1000.0)}, guard=guard)
    service.held = asyncio.Event()
    first = begin(front.app, verified_tenant="acme")
    waiting = begin(front.app, verified_tenant="acme", body=(b"one", b"two"))
    await turns(20)
    assert guard.statistics().waiting == 1
    waiting.hang_up()
    await waiting.task
    assert (guard.statistics().waiting, waiting.reply.messages, service.reached) == (0, [], 1)
    service.held.set()
    await first.task
    assert front.limits is not None
    (standing,) = front.limits.standings(tenant="acme")
    assert (standing.remaining, guard.statistics().in_flight) == (2.0, 0)


async def test_what_was_read_while_waiting_reaches_the_application(service: Service, clock: VirtualClock) -> None:
    """The body arrives whole and in order, and so does the client's going after it."""
    guard = Guard("edge", bulkhead=Bulkhead(1, queue=4), clock=clock)
    front = Front(service, clock, guard=guard)
    service.held = asyncio.Event()
    service.reads = True
    first = begin(front.app)
    second = begin(front.app, body=(b"one", b"two", b"three"))
    await turns(20)
    service.held.set()
    await asyncio.gather(first.task, second.task)
    assert [message["body"] for message in service.read] == [b"", b"one", b"two", b"three"]
    assert (second.reply.status, guard.statistics().waiting) == (200, 0)


async def test_reading_ahead_is_bounded(service: Service, clock: VirtualClock) -> None:
    """A body of any length is not kept in memory for one who waits; the rest stays with the server."""
    guard = Guard("edge", bulkhead=Bulkhead(1, queue=4), clock=clock)
    front = Front(service, clock, guard=guard)
    service.held = asyncio.Event()
    service.reads = True
    first = begin(front.app)
    await turns(20)
    second = begin(front.app, body=(b"x" * 30_000,) * 10)
    await turns(100)
    third = begin(front.app, body=(b"y",) * 200)
    await turns(300)
    assert (second.unread, third.unread) == (7, 136)
    service.held.set()
    await asyncio.gather(first.task, second.task, third.task)
    assert sum(len(message["body"]) for message in service.read) == 300_200


async def test_a_body_that_comes_while_one_waits_and_after_is_read_in_order(
    service: Service, clock: VirtualClock
) -> None:
    """The application takes over where the listener stands: no part is lost, none overtakes another."""
    front = Front(service, clock, guard=Guard("edge", bulkhead=Bulkhead(1, queue=4), clock=clock))
    service.held = asyncio.Event()
    first = begin(front.app)
    await turns(20)
    service.reads = True
    second = begin(front.app, body=())
    await turns(20)
    second.push(b"one", more=True)
    await turns(20)
    service.held.set()
    await turns(20)
    second.push(b"two", more=True)
    second.push(b"three")
    first.push(b"")
    await asyncio.gather(first.task, second.task)
    assert [message["body"] for message in service.read if message["body"]] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("queued", [False, True])
async def test_a_client_that_goes_while_the_application_works_is_its_business(
    service: Service,
    clock: VirtualClock,
    queued: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Nothing is cut off once it works, waited for or not: the application learns of it as from the server."""
    front = Front(service, clock, guard=Guard("edge", bulkhead=Bulkhead(1, queue=4), clock=clock))
    service.held = asyncio.Event()
    requests = [begin(front.app) for _ in range(1 + queued)]
    await turns(20)
    if queued:
        free, service.held = service.held, asyncio.Event()
        free.set()
        await requests[0].task
        await turns(20)
    requests[-1].hang_up()
    await turns(20)
    assert not requests[-1].task.done()
    service.held.set()
    await requests[-1].task
    assert (requests[-1].reply.status, service.reached) == (200, 1 + queued)


@pytest.mark.parametrize("ends", ["hang_up", "cancel"])
@pytest.mark.parametrize("turn", range(12))
async def test_an_end_at_any_moment_leaks_nothing(service: Service, clock: VirtualClock, turn: int, ends: str) -> None:
    """However the grant of a place and the end of who waits for it fall together, nothing is lost or kept."""
    guard = Guard("edge", bulkhead=Bulkhead(1, queue=4), clock=clock)
    front = Front(service, clock, levels={"tenant": RateLimit(10, per=1000.0)}, guard=guard)
    service.held = asyncio.Event()
    first = begin(front.app, verified_tenant="acme")
    await turns(20)
    waiting = begin(front.app, verified_tenant="acme")
    await turns(turn // 2)
    service.held.set()
    await turns(turn)
    if ends == "hang_up":
        waiting.hang_up()
    else:
        waiting.task.cancel()
    await asyncio.wait([first.task, waiting.task])
    await turns(20)
    counts = guard.statistics()
    assert (counts.in_flight, counts.waiting, asyncio.all_tasks()) == (0, 0, {asyncio.current_task()})
    assert front.limits is not None
    assert front.limits.standings(tenant="acme")[0].remaining == pytest.approx(10.0 - service.reached)
    assert (await ask(front.app, verified_tenant="acme")).status == 200


async def test_no_task_outlives_its_request(service: Service, clock: VirtualClock) -> None:
    """The listener of one who waited ends with the request, also when the application reads nothing."""
    front = Front(service, clock, guard=Guard("edge", bulkhead=Bulkhead(1, queue=4), clock=clock))
    service.held = asyncio.Event()
    requests = [begin(front.app) for _ in range(3)]
    await turns(20)
    service.held.set()
    await asyncio.gather(*(request.task for request in requests))
    await turns(20)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_one_who_waits_past_the_deadline_gives_everything_back(service: Service, clock: VirtualClock) -> None:
    """Queueing counts into the deadline: 504, nothing was sent, and the charge is returned."""
    guard = Guard("edge", bulkhead=Bulkhead(1, queue=4), clock=clock)
    front = Front(service, clock, levels={"tenant": RateLimit(3, per=1000.0)}, guard=guard)
    service.held = asyncio.Event()
    first = begin(front.app, verified_tenant="acme")
    waiting = begin(front.app, verified_tenant="acme", x_request_timeout="1")
    await clock.elapse(1.5)
    await waiting.task
    assert (waiting.reply.status, waiting.reply.problem["sent"], service.reached) == (504, False, 1)
    service.held.set()
    await first.task
    assert front.limits is not None
    assert front.limits.standings(tenant="acme")[0].remaining == pytest.approx(2.0, abs=0.1)


async def test_the_guard_knows_whose_request_it_is_and_how_important(service: Service, clock: VirtualClock) -> None:
    """Tenant and priority reach the guard, whose shedding goes by them; a class that does not exist is a defect."""
    seen: list[dict[str, Any]] = []

    class Recording(Guard):
        def using(self, **terms: Any) -> Guard:
            seen.append(terms)
            return super().using(**terms)

    def priority_of(scope: Scope) -> str | None:
        return dict(scope["headers"]).get(b"importance", b"").decode() or None

    guard = Recording("edge", bulkhead=Bulkhead(1), clock=clock)
    front = Front(service, clock, guard=guard, levels=TENANTS, anonymous="anonymous", priority_of=priority_of)
    assert (await ask(front.app, verified_tenant="acme", importance="sheddable")).status == 200
    assert (await ask(front.app)).status == 200
    assert seen == [{"tenant": "acme", "priority": "sheddable"}, {"tenant": "anonymous"}]
    with pytest.raises(OptionError, match="priority"):
        await ask(front.app, verified_tenant="acme", importance="urgent")


@pytest.mark.parametrize(("status", "state"), [(500, "open"), (404, "closed"), (200, "closed")])
async def test_the_guard_learns_from_the_status(service: Service, clock: VirtualClock, status: int, state: str) -> None:
    """Server errors are failures of the service; what the caller did wrong is not."""
    guard = Guard("edge", breaker=Breaker(failures=2), clock=clock)
    front = Front(service, clock, guard=guard)
    service.status = status
    for _ in range(2):
        assert (await ask(front.app)).status == status
    assert guard.state == state


async def test_no_answer_says_nothing_about_the_service(service: Service, clock: VirtualClock) -> None:
    """An application that gives up without an answer, as when its client has gone, is no success and no failure."""
    guard = Guard("edge", breaker=Breaker(failures=2), clock=clock)
    service.status = 0
    await ask(Front(service, clock, guard=guard).app)
    counts = guard.statistics()
    assert (counts.successes, counts.failures, counts.ignored) == (0, 0, 1)
