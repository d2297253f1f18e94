"""The books of one guarded request: which answers its attempts got, and which one is handed out.

An attempt may come to its end when nobody waits for it any more, in a thread that was left behind or as a hedge
that lost. Its answer still holds a connection. So every answer is entered here, and all but one are closed.
Nothing here does I/O: it says what to close.
"""

from __future__ import annotations

from typing import Generic

from switchgear.adapters.gate import NOT_SENT
from switchgear.adapters.http_hints import json_in, stated_by
from switchgear.adapters.http_outcomes import is_small
from switchgear.adapters.http_rules import Q, R, Rules, Wire
from switchgear.core.codes import Code
from switchgear.core.deadline import current_deadline
from switchgear.core.effects import Effect
from switchgear.core.errors import DeadlineExceeded, Rejected, mark_unsent
from switchgear.core.mutexes import Mutex

GRACE_SECONDS = 0.1
"""A client's own timeout is narrowed to what remains and this, so that the guard is the first to stop waiting."""


class Unsent(Rejected):
    """Carries a client's error through the guard that says: a fault on this side, nothing left."""

    code = Code.BULKHEAD_FULL  # after an attempt that was sent, only the client's own pool can refuse the next

    def __init__(self, error: Exception) -> None:
        """Keep the client's error; it is what the caller gets."""
        super().__init__(str(error), policy="client")
        self.error = error


class Exchange(Generic[Q, R]):
    """One request and its attempts. Safe for attempts in several threads."""

    __slots__ = ("_effect", "_failed", "_lock", "_over", "_passed", "_request", "_rules", "_taken", "_wire", "guard")

    def __init__(self, rules: Rules[Q], wire: Wire[Q, R], request: Q) -> None:
        """Start before the first attempt."""
        self._rules = rules
        self._wire = wire
        self._request = request
        self._effect = wire.effect(request)
        self._lock = Mutex()
        self._failed: list[tuple[Exception, R]] = []
        self._passed: list[Exception] = []
        self._taken: list[R] = []
        self._over = False
        self.guard = rules.guard_for(request, wire, self._effect)

    def seconds(self) -> float | None:
        """Return how long the attempt that starts now may wait for anything, in seconds; None without a bound."""
        scope = current_deadline()
        bounds = [self.guard.timeout_seconds, None if scope is None else max(0.0, scope.remaining())]
        known = [bound for bound in bounds if bound is not None]
        return min(known) + GRACE_SECONDS if known else None

    def stale(self) -> R | None:
        """Return a failed answer to close before another attempt starts; None when there is no more."""
        with self._lock:
            if not self._failed:
                return None
            failure, response = self._failed.pop()
            self._passed.append(failure)
            return response

    def frees(self, response: R) -> bool:
        """Return whether the body should be read at once: a small one of a failure that may be repeated."""
        return (
            self._effect is not Effect.OPAQUE
            and self._fails(response)
            and is_small(self._wire.header(response, "Content-Length"))
        )

    def judge(self, error: Exception) -> None:
        """Raise in place of the client's `error` what tells the guard more: nothing left, or the time was over.

        Returns when the error tells it all: the dependency failed.
        """
        row = self._wire.row_of(error)
        if row == NOT_SENT:
            raise Unsent(error) from error
        if not row.may_have_left:
            mark_unsent(error)
        scope = current_deadline()
        if scope is not None and scope.remaining() <= 0:
            raise DeadlineExceeded(
                f"the client stopped waiting: {error}", sent=row.may_have_left, dependency=self.guard.name
            ) from error

    def take(self, response: R, body: bytes | None = None) -> Exception | None:
        """Enter an answer, and its body if that was read. Return the error that stands for a failing one, else None."""
        failure = self._failure(response, body) if self._fails(response) else None
        with self._lock:
            if failure is None:
                self._taken.append(response)
            else:
                self._failed.append((failure, response))
        return failure

    def answer_to(self, error: BaseException) -> R | None:
        """Return the open answer that `error` of the guard, or its cause, stands for; None when there is none.

        Of a race that every copy lost, the guard raises the first error. When that answer was closed for the next
        copy, a later one takes its place.
        """
        raised = (error, error.__cause__)
        with self._lock:
            for failure, response in self._failed:
                if failure in raised:
                    return response
            if self._failed and any(failure in raised for failure in self._passed):
                return self._failed[-1][1]
        return None

    def end(self, kept: R | None) -> list[R]:
        """End the call. Return every answer but `kept`, to be closed; what comes from now on comes too late."""
        with self._lock:
            self._over = True
            return [response for response in self._all_locked() if response is not kept]

    def late(self) -> list[R]:
        """Return the answers to close because nobody waits for them any more."""
        with self._lock:
            return self._all_locked() if self._over else []

    def _failure(self, response: R, body: bytes | None) -> Exception:
        """Return the error that stands for a failing answer, with the wish that its header or body states.

        A date stays a text: the guard reads it by its own clock.
        """
        failure = self._wire.failure(self._request, response)
        problem = json_in(self._wire.header(response, "Content-Type"), body)
        stated = stated_by(self._wire.header(response, "Retry-After"), problem)
        if stated is not None:
            failure.retry_after = stated  # type: ignore[attr-defined] # where a `Retry` looks for it on any error
        return failure

    def _all_locked(self) -> list[R]:
        answers = [response for _, response in self._failed] + self._taken
        self._failed.clear()
        self._passed.clear()
        self._taken.clear()
        return answers

    def _fails(self, response: R) -> bool:
        return self._wire.status(response) in self._rules.on_status
