"""What an HTTP adapter is told: its options, and what it has to know of its client.

Options are checked here, at birth. What is special to a client stands behind `Wire`; the modules of the clients
fill it in. Nothing here sends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from switchgear.adapters.gate import Row, row_in
from switchgear.adapters.http_outcomes import FAILING_STATUSES
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard
from switchgear.policies.retry import Retry

Q = TypeVar("Q")
R = TypeVar("R")

_STATUSES = range(100, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules(Generic[Q]):
    """The options of an HTTP adapter.

    guard      what every request goes through.
    key_by     None (default): one state for all. "host": a keyed member for each host and port. A function of
               the client's request: a keyed member for each text that it returns.
    on_status  the statuses that are failures, in place of `FAILING_STATUSES`.
    errors     the parent class of the client's errors, with the name that a user writes for it.

    Raises `OptionError` for options that cannot work.
    """

    guard: Guard
    key_by: Literal["host"] | Callable[[Q], str] | None = None
    on_status: Collection[int] = FAILING_STATUSES
    errors: tuple[str, type[Exception]] = ("Exception", Exception)

    def __post_init__(self) -> None:
        """Check the options."""
        if not isinstance(self.guard, Guard):
            raise OptionError(f'an HTTP adapter takes a Guard, not {self.guard!r}; write for example Guard("github")')
        if self.key_by not in (None, "host") and not callable(self.key_by):
            raise OptionError(f'key_by is "host" or a function of the request, not {self.key_by!r}')
        if not _are_statuses(self.on_status):
            raise OptionError(
                f"on_status holds statuses from 100 to 999, not {self.on_status!r}; "
                "write for example on_status={429, 503}"
            )
        self._check_retry(self.guard.options["retry"])
        object.__setattr__(self, "on_status", frozenset(self.on_status))

    def _check_retry(self, retry: Retry | None) -> None:
        """Raise `OptionError` for a retry that means none of the client's errors, since it would never happen."""
        on = None if retry is None else retry.on
        kinds = on if isinstance(on, tuple) else (on,) if isinstance(on, type) else ()
        name, parent = self.errors
        if kinds and not any(issubclass(kind, parent) or issubclass(parent, kind) for kind in kinds):
            raise OptionError(
                f"Retry(on=...) of the guard names no error of this client, so nothing would ever be retried; "
                f"write for example Retry(on=({name}, TimeoutError))"
            )

    def guard_for(self, request: Q, wire: Wire[Q, R], effect: Effect) -> Guard:
        """Return the guard, or its keyed member, as it treats this request."""
        guard = self.guard
        if self.key_by is not None:
            guard = guard.key(self.key_by(request) if callable(self.key_by) else wire.endpoint(request))
        return guard.using(effect=effect.or_stricter(guard.effect))


class Wire(ABC, Generic[Q, R]):
    """What an adapter has to know of its client.

    rows          what each of the client's errors says.
    status_error  the client's error for a failing status.
    """

    rows: Mapping[type[Exception], Row]
    status_error: type[Exception]

    @abstractmethod
    def effect(self, request: Q) -> Effect:
        """Return what sending the request a second time would do."""

    @abstractmethod
    def endpoint(self, request: Q) -> str:
        """Return where the request goes: ``host``, or ``host:port`` when the port is not the scheme's own."""

    @abstractmethod
    def status(self, response: R) -> int:
        """Return the status of an answer."""

    @abstractmethod
    def header(self, response: R, name: str) -> str | None:
        """Return a header of an answer, whatever the case of its name; None when it is not there."""

    @abstractmethod
    def failure(self, request: Q, response: R) -> Exception:
        """Return the error, a `status_error`, that stands for a failing answer. It has it as `response`."""

    def row_of(self, error: Exception) -> Row:
        """Return what `error` says."""
        return row_in(self.rows, error)

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The errors that the table knows."""
        return tuple(self.rows)


class BlockingWire(Wire[Q, R]):
    """A client whose calls block."""

    @abstractmethod
    def keep(self, response: R) -> bytes | None:
        """Read the body into memory, so that the connection is free. Close the answer when that fails.

        Return the body as the caller will read it, or None where it stays unread. The caller can still read it.
        """

    @abstractmethod
    def close(self, response: R) -> None:
        """Let go of an answer that nobody will read."""


class AsyncWire(Wire[Q, R]):
    """A client whose calls are awaited."""

    @abstractmethod
    async def keep(self, response: R) -> bytes | None:
        """Read the body into memory, as `BlockingWire.keep` does."""

    @abstractmethod
    async def close(self, response: R) -> None:
        """Let go of an answer that nobody will read."""


def _are_statuses(value: object) -> bool:
    return isinstance(value, Collection) and all(status in _STATUSES for status in value)
