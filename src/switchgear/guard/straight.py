"""The straight drivers: a call that is let in at once and succeeds, in one frame and without the mutex.

What makes them quick is that they do nothing in general. `drivers` below is a template: the names in capitals are
switches, and `switchgear.guard.specialise` makes of it the drivers for one set of policies, blocking and
asynchronous, in which every branch that is switched off is gone. The machines are only touched where one number
changes: in the *straight sections* between the marks. A straight section has no call, no loop and no await, so
CPython never lets another thread in between its bytecodes; and it runs only while `Member.straight_plan` names the plan
that the driver was made for: then nobody holds the mutex, and nothing needs care. A test takes the bytecode apart to
see that both hold.

Everything else goes to the general drivers of `switchgear.guard.drivers`, which ask the machines under the mutex:
a refusal, a wait, an error, a retry, a breaker that is not closed. They are the oracle of these here.
"""

# ruff: noqa: ARG001, BLE001, C901, FURB136, PLR0911, PLR0912, PLR0915
# One frame without calls is the whole point, so the template is long; a driver made of it has some twenty statements.
# mypy: disable-error-code="possibly-undefined"
# What a switch defines is only used where the same switch is on, which no type checker can see.

from __future__ import annotations

from asyncio import CancelledError, current_task, get_running_loop
from collections.abc import Callable
from math import inf
from typing import Any

from switchgear.core.deadline import CURRENT
from switchgear.core.outcome import Verdict
from switchgear.guard.attempts import Tries
from switchgear.guard.callables import PLAIN, is_awaitable, refuse_awaitable
from switchgear.guard.drivers import Arguments, Keywords, again, again_async, drive, drive_async
from switchgear.guard.expiry import has_fired, task_needed
from switchgear.guard.holding import Hold
from switchgear.guard.plan import Plan
from switchgear.guard.refusing import refuse_if_open
from switchgear.guard.terms import Terms
from switchgear.policies.places import MEMORY

SUCCESS = Verdict.SUCCESS
IGNORED = Verdict.IGNORED

ASYNC = BREAKER = LIMIT = PLACES = TIMEOUT = START = END = AT_ONCE = True
"""The switches: an asynchronous driver; each policy; whether any of them needs to know when a call starts, and when it
ends; and whether the refusal of an open breaker is the end of a call."""

Driver = Callable[..., Any]


def drivers(
    plan: Plan, member: Any = None, terms: Any = None, function: Any = None, otherwise: Driver | None = None
) -> Driver:
    """Return the driver of guards with this `plan`; with a `function`, bound to it. A template: see above.

    `otherwise` makes the calls that do not go straight, by default the general driver of the kind. A member that is
    straight has the machines that the switches name, which no type can say: hence Any.
    """
    monotonic = plan.monotonic
    options: Any = plan
    slow_after = plan.slow_after
    per_second = options.rate_limit.per_second if LIMIT else 0.0
    full_level = options.rate_limit.full_level if LIMIT else 0.0
    limit = options.bulkhead.limit if PLACES else 0
    beyond: Any = otherwise or (drive_async if ASYNC else drive)

    async def drive_straight(member: Any, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> Any:
        if TIMEOUT:
            scope = CURRENT.get()
        elif CURRENT.get() is not None:
            return await beyond(member, terms, function, args, kwargs)
        if START:
            now = monotonic()
        if TIMEOUT:
            ends = inf if scope is None else scope.moment_on(plan.clock)
            when = now + plan.timeout_seconds
            when = when if when < ends else ends
            if now >= ends:
                raise member.too_late(sent=False)
        # straight section
        if member.straight_plan is not plan:
            if AT_ONCE and (refused := refuse_if_open(member, now)) is not None:
                try:
                    raise refused
                finally:
                    del refused  # an error must not be kept alive by the frames that it passed
            return await beyond(member, terms, function, args, kwargs)
        if LIMIT:
            limiter = member.limiter
            amount = limiter.amount - (now - limiter.updated) * per_second
            amount = amount + terms.cost if amount > 0.0 else terms.cost
            if amount > full_level:
                return await beyond(member, terms, function, args, kwargs)
        if PLACES:
            places = member.places
            if places.taken >= limit:
                return await beyond(member, terms, function, args, kwargs)
            places.taken += 1
        if LIMIT:
            limiter.amount = amount
            limiter.updated = now
        if BREAKER:
            ticket = member.breaker.phase
        member.entered += 1
        # end of section
        if TIMEOUT:
            bucket: Any = None
        hold: Hold | None = None
        try:
            try:
                if TIMEOUT:
                    expiries = plan.timers.recent
                    if expiries is None or expiries.loop is not get_running_loop():
                        expiries = plan.timers.expiries()
                    task = current_task(expiries.loop) or task_needed()
                    cancelling = task.cancelling()
                    serial = expiries.serial = expiries.serial + 1
                    bucket = expiries.recent if expiries.low < when <= expiries.high else expiries.bucket(when)
                    bucket[serial] = task
                result = await (function(*args, **kwargs) if kwargs else function(*args))
            except BaseException as error:
                if TIMEOUT:
                    cut = bucket is not None and has_fired(bucket, serial, task, cancelling)
                    cut = cut and isinstance(error, CancelledError)
                tries = Tries(member, terms, (function, args, kwargs))
                hold = Hold.of(member, terms, ticket if BREAKER else None, now if START else plan.monotonic())
                delay = tries.after(error, hold, hold.since, ends if TIMEOUT else inf, cut=TIMEOUT and cut)
            else:
                if END:
                    finished = monotonic()
                if TIMEOUT and bucket.pop(serial, None) is None:
                    has_fired(bucket, serial, task, cancelling)
                if not ASYNC and result.__class__ not in PLAIN and is_awaitable(result):
                    hold = Hold.of(member, terms, ticket if BREAKER else None, now if START else 0.0)
                    hold.settle(IGNORED, 0.0, monotonic())
                    refuse_awaitable(function, result)
                # straight section; where nothing but a count changes, it matters to nobody who holds the mutex
                if not END or (
                    member.straight_plan is plan
                    and (
                        not BREAKER
                        or (ticket is member.breaker.phase and finished < ticket.edge and finished - now <= slow_after)
                    )
                ):
                    member.successes += 1
                    if BREAKER:
                        ticket.hits += 1
                    if PLACES:
                        places.taken -= 1
                        places.mean_seconds += MEMORY * (finished - now - places.mean_seconds)
                    return result
                # end of section
                if END:
                    hold = Hold.of(member, terms, ticket if BREAKER else None, now)
                    hold.settle(SUCCESS, finished - now, finished)
                return result
        except BaseException:
            if hold is None or hold.held:  # an interrupt, and nobody else has settled
                (hold or Hold.of(member, terms, ticket if BREAKER else None, now if START else 0.0)).give_back()
                if TIMEOUT and bucket is not None:
                    bucket.pop(serial, None)
            raise
        return await (again_async if ASYNC else again)(delay, tries, terms)

    return drive_straight
