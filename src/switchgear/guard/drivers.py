"""The two thin drivers: one blocking, one asynchronous. Everything that decides is shared and lives elsewhere.

A call that is let in at once and succeeds pays for one frame, two sections under the mutex, and one reading of
the clock on the way in and one on the way out. What is rarer leaves the straight path: waiting to be let in
(`entry`), and everything after an error (`attempts`).
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Mapping
from math import inf
from typing import Any

from switchgear.core.deadline import CURRENT, deadline
from switchgear.core.outcome import Verdict
from switchgear.guard.attempts import Tries
from switchgear.guard.callables import PLAIN, is_awaitable, refuse_awaitable
from switchgear.guard.entry import enter, enter_async
from switchgear.guard.expiry import Armed
from switchgear.guard.member import Member, Ticket
from switchgear.guard.workers import OutOfTime, call_in_worker
from switchgear.policies.refusal import Refusal

_SUCCESS = Verdict.SUCCESS
_IGNORED = Verdict.IGNORED

Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]


async def drive_async(
    member: Member, cost: float, function: Callable[..., Coroutine[Any, Any, Any]], args: Arguments, kwargs: Keywords
) -> Any:  # noqa: ANN401 - what the call returns
    """Make a guarded call of an async function."""
    plan = member.plan
    tries: Tries | None = None
    sent = False
    while True:
        scope = CURRENT.get()
        ends = inf if scope is None else scope.moment_on(plan.clock)
        now = plan.clock.monotonic()
        if now >= ends:
            raise member.too_late(sent=sent)
        with member.lock:
            admitted = member.admit_locked(now, cost)
        if isinstance(admitted, Refusal) and member.is_final(admitted):
            raise member.refuse(admitted, now)
        ticket: Ticket = None
        started = armed = None
        try:
            if isinstance(admitted, Refusal):
                ticket, now = await enter_async(member, admitted, cost, now, ends, sent=sent)
            else:
                ticket = admitted
            started = now
            when = now + plan.timeout_seconds
            when = when if when < ends else ends  # noqa: FURB136 - min() costs a call
            if when < inf:
                armed = Armed(plan.timers, when)
            result = await function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - `after` settles and raises
            cut = armed is not None and armed.disarm() and isinstance(error, CancelledError)
            tries = tries or Tries(member)
            delay = tries.after(error, ticket, started, ends, cost, cut=cut)
        else:
            finished = plan.clock.monotonic()
            if armed is not None:
                armed.disarm()
            with member.lock:
                member.settle_locked(ticket, _SUCCESS, finished - now, finished)
            if member.news:
                member.deliver()
            return result
        await plan.clock.sleep_async(delay)
        sent = tries.made > 0
        member.count_retry()


def drive(member: Member, cost: float, function: Callable[..., Any], args: Arguments, kwargs: Keywords) -> Any:  # noqa: ANN401 - what the call returns
    """Make a guarded call of a blocking function."""
    plan = member.plan
    tries: Tries | None = None
    sent = False
    while True:
        scope = CURRENT.get()
        ends = inf if scope is None else scope.moment_on(plan.clock)
        now = plan.clock.monotonic()
        if now >= ends:
            raise member.too_late(sent=sent)
        with member.lock:
            admitted = member.admit_locked(now, cost)
        if isinstance(admitted, Refusal) and member.is_final(admitted):
            raise member.refuse(admitted, now)
        ticket: Ticket = None
        started = None
        try:
            if isinstance(admitted, Refusal):
                ticket, now = enter(member, admitted, cost, now, ends, sent=sent)
            else:
                ticket = admitted
            started = now
            when = now + plan.timeout_seconds
            when = when if when < ends else ends  # noqa: FURB136 - min() costs a call
            if when == inf:
                result = function(*args, **kwargs)
            else:
                result = call_in_worker(function, args, kwargs, plan.clock, when, member.end_abandoned)
        except BaseException as error:  # noqa: BLE001 - `after` settles and raises
            tries = tries or Tries(member)
            delay = tries.after(error, ticket, started, ends, cost, cut=isinstance(error, OutOfTime))
        else:
            finished = plan.clock.monotonic()
            verdict = _SUCCESS if result.__class__ in PLAIN or not is_awaitable(result) else _IGNORED
            with member.lock:
                member.settle_locked(ticket, verdict, finished - now, finished)
            if member.news:
                member.deliver()
            if verdict is _IGNORED:
                refuse_awaitable(function, result)
            return result
        plan.clock.sleep(delay)
        sent = tries.made > 0
        member.count_retry()


async def drive_async_within(
    budget: float,
    member: Member,
    cost: float,
    function: Callable[..., Coroutine[Any, Any, Any]],
    args: Arguments,
    kwargs: Keywords,
) -> Any:  # noqa: ANN401 - what the call returns
    """Make a guarded call of an async function within `budget` seconds."""
    with deadline(budget, clock=member.plan.clock):
        return await drive_async(member, cost, function, args, kwargs)


def drive_within(
    budget: float, member: Member, cost: float, function: Callable[..., Any], args: Arguments, kwargs: Keywords
) -> Any:  # noqa: ANN401 - what the call returns
    """Make a guarded call of a blocking function within `budget` seconds."""
    with deadline(budget, clock=member.plan.clock):
        return drive(member, cost, function, args, kwargs)
