"""`Guard`: what users hold. It resolves options once and hands every call to a driver."""

from __future__ import annotations

import functools
import random as randomness
from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import FunctionType
from typing import Any, Concatenate, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, cast, overload

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.guard.callables import ASYNC, ASYNC_GENERATOR, BLOCKING, GENERATOR, kind_of, require_undecorated
from switchgear.guard.composing import Drivers
from switchgear.guard.generators import guarded_async_generator, guarded_generator
from switchgear.guard.jitter import JITTER
from switchgear.guard.keys import OVERFLOW_KEY, Keys
from switchgear.guard.member import Member
from switchgear.guard.meter import Listener, Statistics
from switchgear.guard.permit import Permit, PermitScope, permit_now
from switchgear.guard.plan import Plan
from switchgear.guard.reading import state_of, statistics_of, totals_of
from switchgear.guard.stream import Stream
from switchgear.guard.terms import NO_TERMS, checked_effect, plain_terms
from switchgear.policies.breaker import Breaker, BreakerState
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.fallback import Fallback
from switchgear.policies.faults import Faults
from switchgear.policies.hedge import Hedge
from switchgear.policies.places import Priority
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry
from switchgear.policies.shedding import Shedding
from switchgear.policies.signatures import advising, signature_of, takes_one
from switchgear.policies.timeout import Timeout

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Rest = ParamSpec("Rest")

KeyBy = str | Callable[..., str]
"""The name of a parameter, or a function of the call's arguments that returns the key."""

_FAULTS = 'Faults(Fault("latency", rate=0.1, seconds=1.0))'
_KINDS = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR
_new = object.__new__  # a name of its own, since to look it up on a type is slow


class Changes(TypedDict, total=False):
    """What `Guard.reconfigure` takes, as `Guard` does."""

    timeout: Timeout | None
    retry: Retry | None
    breaker: Breaker | None
    rate_limit: RateLimit | None
    bulkhead: Bulkhead | None
    shedding: Shedding | None
    hedge: Hedge | None
    fallback: Fallback | None
    faults: Faults | None
    dry_run: bool
    deadline: float | None
    effect: Effect | str | None
    keys_max: int


class Guard:
    """Protects calls to one dependency, blocking and asynchronous, from any thread and event loop.

    name        what errors, events and logs call the dependency.
    timeout     bound of one attempt.
    retry       which errors are worth another attempt.
    deadline    seconds for the whole call: attempts, queueing and back-off together; above 0.
    breaker     when to stop calling.
    rate_limit  so many calls in so much time.
    bulkhead    so many calls at once.
    shedding    as many calls at once as the dependency can take, by priority; instead of `bulkhead`.
    hedge       another copy of a call that takes long; only with an `effect` that allows it.
    fallback    what to answer when a call fails; only with ``effect="read_only"``.
    faults      errors, latency and hangs on purpose, once they are switched on.
    effect      what a second call would do, as in `using`: "read_only", "keyed", "natural", "reconcilable", "opaque".
    dry_run     whether breaker, rate limit, bulkhead and shedding only count what they would refuse.
    keys_max    keyed members held at most; default 10,000.
    clock, random   time and randomness, to be replaced in tests.

    Every policy is optional. The order, from the outside in, is fallback, deadline, retry, hedge, admission (breaker,
    bulkhead or shedding, and rate limit together), attempt timeout, faults, call. Constructing does no I/O. Raises
    `OptionError` for options that cannot work.

    A blocking call bounded by a timeout or deadline runs in a worker thread with a copy of the caller's
    context. A thread cannot be stopped: when the time is over the call is left behind, keeps its place in the
    bulkhead until it really ends, and is counted as abandoned. Without a bound no thread is involved.
    """

    __slots__ = ("__weakref__", "_drivers", "_keys", "_member", "_terms")

    @advising('Guard("github", timeout=Timeout(5.0))')
    def __init__(  # noqa: PLR0913 - all by keyword, one for each policy
        self,
        name: str,
        *,
        timeout: Timeout | None = None,
        retry: Retry | None = None,
        deadline: float | None = None,
        breaker: Breaker | None = None,
        rate_limit: RateLimit | None = None,
        bulkhead: Bulkhead | None = None,
        shedding: Shedding | None = None,
        hedge: Hedge | None = None,
        fallback: Fallback | None = None,
        faults: Faults | None = None,
        effect: Effect | str | None = None,
        dry_run: bool = False,
        keys_max: int = 10_000,
        clock: Clock = SYSTEM_CLOCK,
        random: randomness.Random | None = None,
    ) -> None:
        """Resolve the options."""
        plan = Plan(
            name=name,
            timeout=timeout,
            retry=retry,
            deadline=deadline,
            breaker=breaker,
            rate_limit=rate_limit,
            bulkhead=bulkhead,
            shedding=shedding,
            hedge=hedge,
            fallback=fallback,
            faults=faults,
            effect=None if effect is None else checked_effect(effect),
            dry_run=dry_run,
            keys_max=keys_max,
            clock=clock,
            random=random or JITTER,
        )
        self._member = Member(plan, None, plan.mutexes[0])
        self._keys: Keys | None = Keys(plan)
        self._terms = NO_TERMS
        self._drivers = Drivers(plan)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `function` under the guard: an async one gives an awaitable, a blocking one its result.

        A generator function, blocking or async, gives a guarded generator. The whole iteration is one call: let in
        at the first step, it holds its place until it ends, is closed or is dropped. Its end is a success, an error
        is judged as any other; closed or cancelled before its end it says nothing. `Timeout` bounds each step (of a
        blocking one in a worker thread) and the closing of an async one; the guard's deadline bounds the whole, from
        the first step on, and a caller's each step within it. Both are in force inside the steps only; only time
        inside them counts as duration. There is no retry after the first item.

        Raises what the call raises, and: `Rejected` (nothing left), `DeadlineExceeded`, `RetryExhausted`; and
        `TypeError` for a blocking callable that returns an awaitable. Arguments that `function` does not take are its
        own `TypeError`, and no call: they are counted nowhere and never tried again, and no fallback answers them.
        """
        drivers: Any = self._drivers  # what goes in decides what comes out, which no type can say
        if function.__class__ is FunctionType:  # what is most common is asked first, and in line
            flags = function.__code__.co_flags & _KINDS
            if flags == CO_COROUTINE:
                return drivers.drive_async(self._member, self._terms, function, args, kwargs)
            if not flags and not function.__dict__:
                return drivers.drive(self._member, self._terms, function, args, kwargs)
        return drivers.of_kind[kind_of(function)](self._member, self._terms, function, args, kwargs)

    def outcome(self, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call `function` as `call` does, and return how it ended as a `CallOutcome`: value or error, and its source.

        An async function gives an awaitable of it. Raises only what is no `Exception`, and `TypeError` for generators.
        """
        drive = self._drivers.outcome(kind_of(function))
        return drive(self._member, self._terms, function, args, kwargs)

    def reconfigure(self, **changes: Unpack[Changes]) -> None:
        """Go on under other options, given as to `Guard`; None drops one, what is not named stays as it is.

        For this guard and all its keys, at once and while calls are under way: an open breaker stays open, windows
        keep what they saw, buckets what is in them, queues who waits. Calls under way end under the plan they began
        with, in so far as they asked already. A function decorated before takes the general drivers from then on, which
        are slower: decorate it again where that matters. Raises `OptionError` for options that cannot work, for a
        bulkhead or shedding that comes or goes, and on a keyed guard; nothing is changed then.
        """
        if self._keys is None:
            raise OptionError(f"{self._member.label} is one key; reconfigure the guard itself")
        if unknown := changes.keys() - Changes.__annotations__.keys():
            raise OptionError(
                f"reconfigure takes {', '.join(Changes.__annotations__)}, not {', '.join(sorted(unknown))}; "
                "make another guard for another name or clock"
            )
        plan = self._member.plan.changed(**changes)
        self._drivers.take(plan)
        self._member.reconfigure(plan)
        self._keys.reconfigure(plan)

    def inject_faults(self, *, on: bool = True) -> None:
        """Switch the `faults` of this guard on, or off again. Raises `OptionError` for a guard without any."""
        injector = self._member.plan.injector
        if injector is None:
            raise OptionError(f"{self._member.label} has no faults; write for example Guard(..., faults={_FAULTS})")
        injector.machine.on = on

    @advising("@guard, without parentheses")
    def __call__(self, function: Callable[P, R]) -> Guarded[P, R]:
        """Decorate a function or generator function, blocking or async. The result has the guard as `guard`.

        Raises `TypeError` for what would leave calls unguarded: a class, or a method that `staticmethod`,
        `classmethod` or `property` has decorated already.
        """
        _require_function(function)
        bound = self._drivers.bound(self._member, self._terms, function, kind_of(function))
        return _wrapped(function, self, lambda _args, _kwargs: self, bound)

    @overload
    def decorate(self, function: Callable[P, R], /) -> Guarded[P, R]: ...
    @overload
    def decorate(
        self, function: None = None, /, *, key_by: KeyBy | None = None
    ) -> Callable[[Callable[P, R]], Guarded[P, R]]: ...
    def decorate(
        self, function: Callable[P, R] | None = None, /, *, key_by: KeyBy | None = None
    ) -> Guarded[P, R] | Callable[[Callable[P, R]], Guarded[P, R]]:
        """Return a decorator. With `key_by` each call goes to the keyed member that its arguments name.

        `key_by` is the name of a parameter or a function of the arguments; either gives a string. Without parentheses
        it is the guard itself: ``@guard.decorate`` is ``@guard``.
        """

        def decorator(function: Callable[P, R]) -> Guarded[P, R]:
            if key_by is None:
                return self(function)
            _require_function(function)
            key_of = _key_reader(function, key_by)
            return _wrapped(function, self, lambda args, kwargs: self.key(key_of(*args, **kwargs)))

        if isinstance(function, str):
            raise OptionError(f"decorate takes the key by its name; write @guard.decorate(key_by={function!r})")
        return decorator if function is None else decorator(function)

    def permit(self) -> PermitScope:
        """Return a scope whose body is the call, for ``with`` and ``async with``.

        The body cannot be repeated, so `retry` does not apply.
        """
        return PermitScope(self._member, self._terms)

    def permit_nowait(self, *, cost: float | None = None, tenant: str | None = None) -> Permit:
        """Return a permit for a call that is made elsewhere, without ever waiting.

        `cost` and `tenant` as in `using`. The caller settles it. Timeout and deadline are the caller's business as
        well; see `timeout_seconds`. Raises `Rejected` when the call is not let in at once, `OptionError` for a cost
        below 0.
        """
        terms = self._terms
        if cost is not None or tenant is not None:
            terms = plain_terms(cost, tenant) if terms is NO_TERMS else terms.narrowed(cost=cost, tenant=tenant)
        return permit_now(self._member, terms)

    def using(
        self,
        *,
        cost: float | None = None,
        priority: Priority | None = None,
        tenant: str | None = None,
        effect: Effect | str | None = None,
        deadline: float | None = None,
        operation: str | None = None,
    ) -> Guard:
        """Return the same guard with other terms for its calls; None leaves a term as it is.

        cost       units that a call takes of the rate limit, at least 0; default 1.
        priority   "critical_plus", "critical" (default), "sheddable_plus" or "sheddable": who gives way first.
        tenant     who the call is for: `Shedding` is fair between tenants.
        effect     what a second call would do, as `Effect` or its word. "read_only", "keyed" and "natural" calls may be
                   hedged; after an attempt that may have left, "opaque" and "reconcilable" ones are not made again.
        deadline   seconds for the whole call, above 0; it can only tighten the guard's own.
        operation  what the call is named in fault injection; default: the function's own name.

        Raises `OptionError` for terms that cannot be.
        """
        terms = self._terms.narrowed(
            cost=cost, priority=priority, tenant=tenant, effect=effect, deadline_seconds=deadline, operation=operation
        )
        view = object.__new__(Guard)
        view._member, view._keys, view._terms = self._member, self._keys, terms
        view._drivers = self._drivers.for_terms(terms)
        return view

    def key(self, key: str) -> Guard:
        """Return the guard of one key: own state, same options. Ask for it at each call, do not keep it.

        At most `keys_max` keys are held; closed, idle and clean ones make room, and when there are none, new
        keys share one overflow member. Raises `OptionError` for a key that is no text, or on a keyed guard.
        """
        keys = self._keys
        if keys is None:
            raise OptionError(f"{self._member.label} is keyed already; take the key from the guard itself")
        if key.__class__ is not str and not isinstance(key, str):
            raise _no_key(key)
        member = keys.held.get(key)
        if member is None:
            if not key or key == OVERFLOW_KEY:
                raise _no_key(key)
            member = keys.make(key)
        view: Guard = _new(Guard)
        view._member = member
        view._keys, view._terms, view._drivers = None, self._terms, self._drivers
        return view

    def statistics(self) -> Statistics:
        """Return a frozen record of how the guard, or this key of it, stands. Changes nothing.

        A guard counts its own calls, without those of its keys: see `totals` and `members`.
        """
        return self._with_keys(statistics_of(self._member))

    def totals(self) -> Statistics:
        """Return how the guard and all its keys stand together. Changes nothing.

        Counts are sums over the guard itself, the keys held, the overflow member, and keys that made room, so those of
        what has ended never fall. What no sum can say is that of the guard itself: `state`, `retry_after`, the rates,
        `concurrency_limit` and `retry_budget`. Looks at each key that is held, `keys_max` at most. Of one key: its own.
        """
        if self._keys is None:
            return statistics_of(self._member)
        return self._with_keys(totals_of(self._member, *self._keys.members_and_gone()))

    def _with_keys(self, statistics: Statistics) -> Statistics:
        keys = self._keys
        if keys is None:
            return statistics
        return replace(statistics, keys=len(keys), keys_evicted=keys.evicted, keys_overflowed=keys.overflowed)

    def members(self) -> tuple[Statistics, ...]:
        """Return how each keyed member stands that is held now, the overflow member among them. Makes none."""
        return () if self._keys is None else tuple(statistics_of(member) for member in self._keys.members())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of every `Event` of this guard and its keys. Return the function that ends it.

        Listeners are called in the thread of the call, outside every lock, in order. One that raises is
        counted.
        """
        if not callable(cast("object", listener)) or kind_of(listener) != BLOCKING or not takes_one(listener):
            raise OptionError(f"a listener is a blocking function of the event, not {listener!r}")
        return self._member.plan.meter.subscribe(listener)

    @property
    def name(self) -> str:
        """What errors, events and logs call the dependency."""
        return self._member.plan.name

    @property
    def options(self) -> Mapping[str, Any]:
        """The options that the guard has now, by the names that `reconfigure` takes; None where there is none."""
        plan = self._member.plan
        return {name: getattr(plan, name) for name in Changes.__annotations__}

    @property
    def effect(self) -> Effect | None:
        """What a second call would do, as it was declared; None when it was not."""
        return self._terms.effect_beside(self._member.plan.effect)

    @property
    def state(self) -> BreakerState:
        """The breaker's state as the next call would meet it; "closed" without a breaker. Takes no probe."""
        return state_of(self._member)

    @property
    def retry_after(self) -> float | None:
        """Seconds until the breaker may let a call in; 0 when at once, None when waiting does not help."""
        return statistics_of(self._member).retry_after

    @property
    def timeout_seconds(self) -> float | None:
        """The bound of one attempt in seconds, or None."""
        plan = self._member.plan
        return None if plan.timeout is None else plan.timeout_seconds

    def __repr__(self) -> str:
        """Show name and state."""
        return f"<Guard {self._member.label} {self.state}>"


class Guarded(Protocol[P, R_co]):
    """A decorated function: called and awaited as before, with its guard at hand. Methods keep both.

    One limit of type checkers: a class method that is called on its class, not on an object, looks unbound to them.
    """

    __name__: str
    __qualname__: str

    @property
    def guard(self) -> Guard:
        """The guard that every call goes through, or whose keyed members do."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Make a guarded call."""

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Guarded[P, R_co]: ...
    @overload
    def __get__(
        self: Guarded[Concatenate[Any, Rest], R_co], instance: object, owner: type | None = None, /
    ) -> Guarded[Rest, R_co]: ...
    def __get__(self, instance: object, owner: type | None = None, /) -> Guarded[..., R_co]:
        """Bind a method to its object, as any function does."""


def circuit_breaker(
    misplaced: None = None,
    /,
    *,
    name: str | None = None,
    failure_threshold: int = 5,
    timeout: float = 60.0,
    expected_exception: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    half_open_max_calls: int = 1,
    clock: Clock = SYSTEM_CLOCK,
) -> Callable[[Callable[P, R]], Guarded[P, R]]:
    """Decorate functions, blocking or async, with a breaker of consecutive failures: ``@circuit_breaker()``.

    misplaced            nothing: every option is given by name, and the function comes after the parentheses.
    name                 of the dependency; default: the function's own name.
    failure_threshold    failures in a row that open it, at least 1.
    timeout              seconds it stays open, exactly: without jitter.
    expected_exception   errors that are failures; others count as success.
    half_open_max_calls  probes let through in half-open.

    Each use of `circuit_breaker` makes a breaker of its own, whatever its name; functions decorated by one and
    the same decorator share it. To share one otherwise, decorate with a `Guard`. The decorated function has it
    as `guard`. Raises `OptionError` for options that cannot work, `TypeError` for ``@circuit_breaker`` without
    parentheses.
    """
    if misplaced is not None:
        raise _misplaced(misplaced)
    breaker = Breaker(
        failures=failure_threshold, cooldown=timeout, on=expected_exception, probes=half_open_max_calls, jitter=0.0
    )
    named = None if name is None else Guard(name, breaker=breaker, clock=clock)

    def decorator(function: Callable[P, R]) -> Guarded[P, R]:
        own = getattr(function, "__qualname__", "call")
        return (named or Guard(own, breaker=breaker, clock=clock))(function)

    return decorator


def _no_key(key: object) -> OptionError:
    if key == OVERFLOW_KEY:
        return OptionError(f"the key {key!r} is that of the member which keys share for which there is no room")
    write = f"; write str({key!r})" if isinstance(key, int) else ""
    return OptionError(f"a key is a text of at least one character, not {key!r}{write}")


def _misplaced(value: object) -> TypeError:
    """Return the error for what stands where only options by name may: mostly a function, without parentheses."""
    if callable(value):
        return TypeError("@circuit_breaker has no parentheses; write @circuit_breaker() to take the defaults")
    return TypeError(
        f"circuit_breaker takes its options by name, not {value!r}; write for example "
        "@circuit_breaker(failure_threshold=5)"
    )


def _wrapped(
    function: Callable[P, R],
    guard: Guard,
    guard_of: Callable[[tuple[Any, ...], Mapping[str, Any]], Guard],
    bound: Callable[..., Any] | None = None,
) -> Guarded[P, R]:
    """Wrap `function`, staying of its kind.

    `guard_of` finds the guard for the arguments of a call. `bound` is the function already guarded, when there is
    only one guard to find.
    """

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return await cast("Any", guard_of(args, kwargs).call(cast("Any", function), *args, **kwargs))

    def call(*args: Any, **kwargs: Any) -> Any:
        return guard_of(args, kwargs).call(cast("Any", function), *args, **kwargs)

    def stream_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Stream:
        found = guard_of(args, kwargs)
        return Stream(found._member, found._terms, (function, args, kwargs))  # noqa: SLF001 - of this module's own class

    makers: dict[int, Callable[[], Callable[..., Any]]] = {
        BLOCKING: lambda: bound or call,
        ASYNC: lambda: bound or call_async,
        GENERATOR: lambda: guarded_generator(cast("Any", function), stream_of),
        ASYNC_GENERATOR: lambda: guarded_async_generator(cast("Any", function), stream_of),
    }
    wrapper: Any = functools.update_wrapper(makers[kind_of(function)](), function)
    wrapper.guard = guard
    return cast("Guarded[P, R]", wrapper)


def _require_function(function: object) -> None:
    """Raise `TypeError` for what is no function that a guard can stand round."""
    require_undecorated(function)
    if isinstance(function, Guard):
        raise TypeError("a guard stands round a function, not round a guard; write @outer and below it @inner")


def _key_reader(function: Callable[..., object], key_by: KeyBy) -> Callable[..., str]:
    """Return what reads the key from the arguments of a call. Wrong arguments are a `TypeError`, before any member."""
    if callable(key_by):
        return key_by
    parameters = signature_of(function)
    name = getattr(function, "__qualname__", repr(function))
    if key_by not in parameters.parameters:
        takes = ", ".join(parameters.parameters) or "none"
        raise OptionError(f"decorate(key_by={key_by!r}) names no parameter of {name}; its parameters: {takes}")

    def read(*args: Any, **kwargs: Any) -> str:
        try:
            bound = parameters.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}(): {error}") from None
        bound.apply_defaults()
        return cast("str", bound.arguments[key_by])

    return read
