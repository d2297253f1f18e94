"""What came of asking a dependency: a confirmed reply, or something inferred. Only a witness mints the first.

    Finding[T] = Confirmed[T] | Inferred

Something may be destroyed because of a `Confirmed`, and because of nothing else: absence is not evidence. What may not
live here: any decision about what may be destroyed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Never, NoReturn, TypeAlias, TypeVar, final, overload

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError, Rejected, RetryExhausted
from switchgear.guard.callables import ASYNC, BLOCKING, kind_of
from switchgear.guard.fallbacks import CallOutcome
from switchgear.guard.guard import Guard
from switchgear.health.results import refuse_lazy
from switchgear.health.standing import Standings
from switchgear.policies.checks import require_seconds

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Says = Callable[[Any], bool]
"""Whether a reply says what is asked about."""

Moment = tuple[float, float]
"""Seconds of the monotonic time of a clock, and the same moment in seconds since the epoch."""

_ASK = "ask for one: finding = witness.ask(call, says=...), then isinstance(finding, Confirmed)"


class Inference(StrEnum):
    """Why a finding confirms nothing."""

    TIMEOUT = "timeout"
    """Nothing came back in time."""
    SILENCE = "silence"
    """Nothing came back: the connection was refused or lost, or a guard did not let the question out."""
    ERROR = "error"
    """An error came back."""
    NEGATIVE = "negative"
    """It replied, and the reply does not say so."""
    UNREADABLE = "unreadable"
    """It replied, and whoever reads the reply raised an error."""
    UNVOUCHED = "unvouched"
    """It replied and said so, but does not stand where its word can be relied on."""


_WORDS: Mapping[Inference, str] = {
    Inference.TIMEOUT: "nothing came back in time",
    Inference.SILENCE: "nothing came back",
    Inference.ERROR: "an error came back",
    Inference.NEGATIVE: "its reply does not say so",
    Inference.UNREADABLE: "its reply could not be read",
    Inference.UNVOUCHED: "it said so, but its word cannot be relied on now",
}

_WHY: tuple[tuple[type[Exception], Inference], ...] = (
    (TimeoutError, Inference.TIMEOUT),
    (ConnectionError, Inference.SILENCE),
    (EOFError, Inference.SILENCE),
    (Rejected, Inference.SILENCE),
    (Exception, Inference.ERROR),
)
"""What an error of the call means; the first that fits counts."""


@final
class Confirmed(Generic[T_co]):
    """What a dependency said for certain, and when. A witness mints it; nobody else can.

    value   its reply.
    source  the name of the dependency that said so.
    at      when it was asked, in seconds of the monotonic time of `clock`: the reply is no older than that.
    epoch   the same moment in seconds since the epoch: a monotonic clock stands still while the machine sleeps.
    clock   whose time that is.

    It cannot be made, changed, copied or pickled: its age would be lost. It is neither true nor false, since an
    `Inferred` would be as true: ask ``isinstance(finding, Confirmed)``.
    """

    __slots__ = ("at", "clock", "epoch", "source", "value")

    value: T_co
    source: str
    at: float
    epoch: float
    clock: Clock

    def __new__(cls, *_given: Never, **_named: Never) -> Confirmed[T_co]:
        """Raise `TypeError`: what could be made by hand would prove nothing."""
        raise TypeError(f"Confirmed is minted by a witness only; {_ASK}")

    def __init_subclass__(cls, **_options: object) -> None:
        """Raise `TypeError`: a subclass could confirm what it likes."""
        raise TypeError(f"Confirmed has no subclasses; {_ASK}")

    def __setattr__(self, name: str, _value: object) -> None:
        """Raise `AttributeError`: what was said does not change."""
        raise AttributeError(f"Confirmed.{name} cannot be changed; {_ASK}")

    def __delattr__(self, name: str) -> None:
        """Raise `AttributeError`, as for a change."""
        raise AttributeError(f"Confirmed.{name} cannot be deleted; {_ASK}")

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        """Raise `TypeError`: in another process, or copied, its age means nothing."""
        raise TypeError(f"Confirmed can be neither pickled nor copied; where it is needed, {_ASK}")

    def __bool__(self) -> NoReturn:
        """Raise `TypeError`: see the class."""
        raise TypeError("a finding is neither true nor false; write isinstance(finding, Confirmed)")

    def __repr__(self) -> str:
        """Show source and age, not the reply, which may hold anything."""
        return f"<Confirmed by {self.source} {self.age():.3g} s ago>"

    def age(self) -> float:
        """Return how many seconds ago it was asked for, by the clock that has gone further since."""
        return max(self.clock.monotonic() - self.at, self.clock.time() - self.epoch)


@dataclass(frozen=True, slots=True)
class Inferred:
    """What nobody said: it is only concluded. Nothing may be destroyed because of it.

    why     what it is concluded from.
    source  the name of the dependency that was asked.
    error   the name of the type of the error, where there was one.

    Neither true nor false, as `Confirmed`. ``str(finding)`` says it to people.
    """

    why: Inference
    source: str
    error: str = ""

    def __str__(self) -> str:
        """Say who confirms nothing, and why."""
        error = f" ({self.error})" if self.error else ""
        return f"{self.source} confirms nothing: {_WORDS[self.why]}{error}"

    def __bool__(self) -> NoReturn:
        """Raise `TypeError`, as `Confirmed` does."""
        raise TypeError("a finding is neither true nor false; write isinstance(finding, Confirmed)")


Finding: TypeAlias = Confirmed[T] | Inferred
"""What came of asking."""


class Witness:
    """Asks one dependency, and says whether its reply confirms something.

    source     the name of the dependency, as the board knows it.
    standings  where dependencies stand, such as a `HealthBoard`.
    timeout    seconds that a reply may take, above 0; default 5.
    guard      the guard of the dependency, to ask through; default: none but the timeout.
    clock      the clock of the gate as well; to be replaced in tests.

    Raises `OptionError` for options that cannot work.
    """

    __slots__ = ("_clock", "_guard", "_source", "_standings")

    def __init__(
        self,
        source: str,
        standings: Standings,
        *,
        timeout: float = 5.0,
        guard: Guard | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Resolve the options."""
        if not source or not isinstance(source, str):
            raise OptionError(f"Witness(source) is the name of a dependency, such as 'api_socket', not {source!r}")
        require_seconds("Witness(timeout)", timeout, write='Witness("api_socket", board, timeout=5.0)')
        self._source = source
        self._standings = standings
        self._clock = clock
        self._guard = (guard or Guard(source, clock=clock)).using(deadline=timeout)

    @property
    def source(self) -> str:
        """The name of the dependency that it asks."""
        return self._source

    @overload
    def ask(  # type: ignore[overload-overlap] # a blocking call that returns an awaitable is refused
        self, call: Callable[..., Awaitable[T]], /, *args: object, says: Callable[[T], bool], **kwargs: object
    ) -> Awaitable[Confirmed[T] | Inferred]: ...
    @overload
    def ask(
        self, call: Callable[..., T], /, *args: object, says: Callable[[T], bool], **kwargs: object
    ) -> Confirmed[T] | Inferred: ...
    def ask(self, call: Callable[..., Any], /, *args: object, says: Says, **kwargs: object) -> object:
        """Make `call` with the other arguments: a blocking one gives a finding, an async one an awaitable of it.

        It is confirmed only if the call returned within the timeout, ``says(reply)`` is exactly True, and the
        dependency stands where it vouches. Everything else is inferred, errors included. An answer of a fallback is
        nobody's word. `says` is a blocking function without side effects. A blocking call runs in a worker thread, and
        is left behind when it takes too long.

        Raises `TypeError` for what cannot be asked: generators, a `says` that is async, and a blocking callable that
        returns an awaitable. Cancellation passes.
        """
        if kind_of(says) != BLOCKING:
            raise TypeError(f"says= is a blocking function of the reply that returns True or False, not {says!r}")
        if kind_of(call) == ASYNC:
            return self._ask_async(call, says, args, kwargs)
        asked = _now(self._clock)
        boxed: CallOutcome[Any] = self._guard.outcome(_boxed, call, args, kwargs)
        if boxed.error is not None or boxed.source != "call":
            return self._inferred(boxed.error)
        reply = boxed.unwrap()[0]
        refuse_lazy(call, reply)
        return self._judged(asked, reply, says)

    async def _ask_async(
        self, call: Callable[..., Awaitable[T]], says: Says, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Confirmed[T] | Inferred:
        asked = _now(self._clock)
        outcome: CallOutcome[T] = await self._guard.outcome(call, *args, **kwargs)
        if outcome.error is not None or outcome.source != "call":
            return self._inferred(outcome.error)
        return self._judged(asked, outcome.unwrap(), says)

    def _judged(self, asked: Moment, reply: T, says: Says) -> Confirmed[T] | Inferred:
        """Return what a reply is worth. What `says` returns counts only when it is True itself."""
        why = Inference.UNREADABLE
        try:
            if says(reply) is not True:
                return Inferred(Inference.NEGATIVE, self._source)
            why = Inference.UNVOUCHED
            if self._standings.standing(self._source).vouches is not True:
                return Inferred(why, self._source)
        except Exception as error:  # noqa: BLE001 - it becomes a value: what cannot be read confirms nothing
            return Inferred(why, self._source, type(error).__name__)
        return _mint(reply, self._source, asked, self._clock)

    def _inferred(self, error: Exception | None) -> Inferred:
        """Return what the lack of a reply is worth. Of attempts that all failed, the last one counts."""
        if isinstance(error, RetryExhausted) and isinstance(error.__cause__, Exception):
            error = error.__cause__
        why = next((why for kind, why in _WHY if isinstance(error, kind)), Inference.ERROR)
        return Inferred(why, self._source, "" if error is None else type(error).__name__)


def _boxed(call: Callable[..., T], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[T]:
    """Return the result of a call in a box, so that its caller is told of one that is not there yet."""
    return (call(*args, **kwargs),)


def _now(clock: Clock) -> Moment:
    return clock.monotonic(), clock.time()


def _mint(value: T, source: str, asked: Moment, clock: Clock) -> Confirmed[T]:
    """Return a confirmed reply. Only a witness may."""
    minted: Confirmed[T] = object.__new__(Confirmed)
    at, epoch = asked
    for name, fact in (("value", value), ("source", source), ("at", at), ("epoch", epoch), ("clock", clock)):
        object.__setattr__(minted, name, fact)
    return minted
