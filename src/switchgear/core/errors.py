"""The one error tree of Switchgear.

    SwitchgearError                 has .code and .to_dict(); survives pickling
    ├── Rejected                    nothing left the process; .policy .dependency .state .retry_after .decision
    │   ├── CircuitOpen             CIRCUIT_OPEN
    │   ├── RateLimited             RATE_LIMITED_…
    │   ├── QueueFull               QUEUE_FULL, QUEUE_EXPIRED, BULKHEAD_FULL
    │   ├── Overloaded              SHED_OVERLOAD, SHUTTING_DOWN
    │   ├── Invalid                 INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, IDEMPOTENCY_KEY_REQUIRED
    │   ├── Conflict                IDEMPOTENCY_CONFLICT, IDEMPOTENCY_IN_PROGRESS, ILLEGAL_TRANSITION
    │   ├── Denied                  TENANT_UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND, EGRESS_DENIED
    │   └── DestructiveBlocked      DESTRUCTIVE_BLOCKED, KILL_SWITCH_ACTIVE, KILL_SWITCH_UNREADABLE; .operation .done
    ├── DeadlineExceeded            also a TimeoutError; .sent .operation .dependency
    ├── RetryExhausted              RETRY_EXHAUSTED, RETRY_BUDGET_EMPTY; .attempts .history; __cause__ is the last error
    ├── InDoubt                     the action may have happened
    ├── NotApplied                  raised by a tool: nothing was changed at the remote
    ├── StoreError                  LEDGER_UNAVAILABLE, STORE_IN_USE, LEDGER_CORRUPT, TIMEOUT_JOURNAL_…
    └── OptionError                 also a ValueError; options that cannot work, refused at birth

Messages are composed when read, so that raising stays cheap.
"""

from __future__ import annotations

from typing import Any

from switchgear.core.codes import FACTS, Code, Decision

_SECONDS_MIN = 0.000_1
_WHOLE_FROM = 999.5
"""Three digits of fewer or more seconds than these would be a power of ten."""


class SwitchgearError(Exception):
    """Parent of every error that Switchgear raises. `code` is stable; `str()` is for people."""

    code: Code = Code.INTERNAL

    def __init__(self, message: str = "", *, code: Code | None = None) -> None:
        """Keep the facts; an empty `message` means the meaning of the code."""
        self.message = message
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        """Say what happened, as the code table words it unless a message says more."""
        return f"{self.code}: {self.message or FACTS[self.code].meaning}"

    def __repr__(self) -> str:
        """Show class and text, since the facts are not in `args`: a gathered or logged error says what happened."""
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by class and facts, so that subclasses with other signatures survive."""
        return (_revive, (type(self), self.args, self._state(), self.__cause__))

    def _state(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def facts(self) -> dict[str, Any]:
        """Return what is known beside code and message. Values fit into JSON."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Return code, message and facts as a dictionary that fits into JSON."""
        return {"code": str(self.code), "message": str(self), **self.facts()}


class Rejected(SwitchgearError):
    """The call was refused before anything left the process.

    `retry_after` is seconds from now, or None when waiting does not help. `decision` is ``"defer"`` when the
    same request may be let in later, else ``"reject"``.
    """

    __slots__ = ("dependency", "retry_after")  # what the refusal of an open breaker is made of, and quickly

    def __init__(
        self,
        message: str = "",
        *,
        code: Code | None = None,
        policy: str = "",
        dependency: str = "",
        state: str = "",
        retry_after: float | None = None,
        decision: Decision | None = None,
    ) -> None:
        """Keep the facts of the refusal; `decision` defaults to that of the code."""
        self.message = message
        if code is not None:
            self.code = code
        self.policy = policy
        self.dependency = dependency
        self.state = state
        self.retry_after = retry_after
        self.decision: Decision = decision or FACTS[self.code].decision

    def _state(self) -> dict[str, Any]:
        return {**self.__dict__, "dependency": self.dependency, "retry_after": self.retry_after}

    def facts(self) -> dict[str, Any]:
        """Return policy, dependency, state, retry_after and decision."""
        return {
            "policy": self.policy,
            "dependency": self.dependency,
            "state": self.state,
            "retry_after": self.retry_after,
            "decision": self.decision,
        }

    def __str__(self) -> str:
        """Say code, dependency, state and when to come back."""
        seconds = "0" if self.retry_after is None else shown_seconds(self.retry_after)
        when = "" if seconds == "0" else f" Retry after {seconds} s."
        return f"{_placed(self, self.dependency, self.state)}{when}"


class CircuitOpen(Rejected):
    """The breaker is open, or half-open with every probe taken.

    The facts of an open breaker are those of the class, so that a driver in a hurry sets only what differs.
    """

    code = Code.CIRCUIT_OPEN
    message = ""
    policy = "breaker"
    state = "open"
    decision: Decision = "defer"


class RateLimited(Rejected):
    """A rate limit refused the call. The code names the level."""

    code = Code.RATE_LIMITED_CONNECTOR


class QueueFull(Rejected):
    """A bounded queue or bulkhead has no place, or the wait for one took too long."""

    code = Code.QUEUE_FULL


class Overloaded(Rejected):
    """The call was shed, or the process is stopping."""

    code = Code.SHED_OVERLOAD


class Invalid(Rejected):
    """The request itself cannot be accepted; it has to be changed."""

    code = Code.INVALID_ARGUMENT


class Conflict(Rejected):
    """The request contradicts something already recorded."""

    code = Code.ILLEGAL_TRANSITION


class Denied(Rejected):
    """The caller may not do or see this."""

    code = Code.PERMISSION_DENIED


class DestructiveBlocked(Rejected):
    """The destructive gate let nothing be destroyed: a dependency does not vouch, a reason is not enough, or a switch.

    `operation` is what was held back. `done` is how many items of it were done before, one after the other; the rest
    was not begun.
    """

    code = Code.DESTRUCTIVE_BLOCKED

    def __init__(  # noqa: PLR0913 - those of `Rejected`, and two more
        self,
        message: str = "",
        *,
        code: Code | None = None,
        policy: str = "destructive",
        dependency: str = "",
        state: str = "",
        retry_after: float | None = None,
        decision: Decision | None = None,
        operation: str = "",
        done: int = 0,
    ) -> None:
        """Keep the facts of the refusal, as `Rejected` does."""
        super().__init__(
            message,
            code=code,
            policy=policy,
            dependency=dependency,
            state=state,
            retry_after=retry_after,
            decision=decision,
        )
        self.operation = operation
        self.done = done

    def facts(self) -> dict[str, Any]:
        """Return the facts of any refusal, operation and done."""
        return {**super().facts(), "operation": self.operation, "done": self.done}


class DeadlineExceeded(SwitchgearError, TimeoutError):
    """A timeout or deadline of Switchgear expired.

    `sent` says whether something may have left the process: False means that nothing did.
    """

    code = Code.DEADLINE_EXCEEDED

    def __init__(
        self,
        message: str = "",
        *,
        code: Code | None = None,
        sent: bool,
        operation: str = "",
        dependency: str = "",
    ) -> None:
        """Keep the facts of the breach."""
        super().__init__(message, code=code)
        self.sent = sent
        self.operation = operation
        self.dependency = dependency

    def __str__(self) -> str:
        """Say code, dependency and operation, and what was late."""
        return _placed(self, self.dependency, self.operation)

    def facts(self) -> dict[str, Any]:
        """Return sent, operation and dependency."""
        return {"sent": self.sent, "operation": self.operation, "dependency": self.dependency}


class RetryExhausted(SwitchgearError):
    """Every allowed attempt failed. The last error is the cause.

    `attempts` is the number of calls made. `history` has one text per failed attempt, oldest first.
    """

    code = Code.RETRY_EXHAUSTED

    def __init__(
        self,
        message: str = "",
        *,
        code: Code | None = None,
        attempts: int,
        history: tuple[str, ...] = (),
        dependency: str = "",
    ) -> None:
        """Keep the facts of the attempts."""
        super().__init__(message, code=code)
        self.attempts = attempts
        self.history = history
        self.dependency = dependency

    def __str__(self) -> str:
        """Say code and dependency, and how it ended."""
        return _placed(self, self.dependency)

    def facts(self) -> dict[str, Any]:
        """Return attempts, history and dependency."""
        return {"attempts": self.attempts, "history": list(self.history), "dependency": self.dependency}


class InDoubt(SwitchgearError):
    """The action may or may not have happened. It is recorded as such and never repeated silently."""

    code = Code.IN_DOUBT


class NotApplied(SwitchgearError):
    """Raised by a tool's function to say for certain that the attempt changed nothing.

    `retryable` says whether another attempt may help; `retry_after` is how many seconds the remote asked for,
    None when it did not say.
    """

    code = Code.TOOL_FAILED

    def __init__(
        self,
        message: str = "",
        *,
        code: Code | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Keep the facts."""
        super().__init__(message, code=code)
        if retry_after is not None and not isinstance(retry_after, int | float):
            raise OptionError(f"NotApplied(retry_after=) is seconds as a number, not {retry_after!r}")
        self.retryable = retryable
        self.retry_after = retry_after

    def facts(self) -> dict[str, Any]:
        """Return retryable and retry_after."""
        return {"retryable": self.retryable, "retry_after": self.retry_after}


class StoreError(SwitchgearError):
    """The store cannot do what law 2 needs: the action does not start."""

    code = Code.LEDGER_UNAVAILABLE


class OptionError(SwitchgearError, ValueError):
    """Options that cannot work. The message names the option and what to write instead."""

    code = Code.INVALID_CONFIGURATION


def _placed(error: SwitchgearError, *places: str) -> str:
    """Return code, the places that are known, and what happened."""
    where = ": ".join(filter(None, places))
    return f"{error.code}{f' [{where}]' if where else ''}: {error.message or FACTS[error.code].meaning}"


def shown_seconds(seconds: float) -> str:
    """Return seconds for people: three digits, whole ones from 1,000 on, and never as a power of ten.

    Below a tenth of a millisecond, and below 0, it is ``0``.
    """
    if seconds < _SECONDS_MIN:
        return "0"
    return f"{seconds:.3g}" if seconds < _WHOLE_FROM else f"{seconds:.0f}"


def mark_unsent(error: BaseException) -> None:
    """Note on an error of a client that nothing had left the process when it was raised, such as a refused connection.

    A guard then gives the rate limit its cost back, and `Retry` may call again whatever the effect of the call is.
    What the error says about the dependency is another question, and stays as it is.
    """
    error.sent = False  # type: ignore[attr-defined] # where `DeadlineExceeded` says it as well


def may_have_left(error: BaseException) -> bool:
    """Return whether something may have left the process before `error`: False for a refusal, or when it says so."""
    return not isinstance(error, Rejected) and getattr(error, "sent", True) is not False


def _revive(
    cls: type[SwitchgearError], args: tuple[Any, ...], facts: dict[str, Any], cause: BaseException | None
) -> SwitchgearError:
    error = cls.__new__(cls, *args)
    for name, fact in facts.items():
        setattr(error, name, fact)
    error.__cause__ = cause
    return error
