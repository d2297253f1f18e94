"""Retry: which errors are worth another call, and how long to wait before it. Options and pure functions.

`attempts` counts calls, not repeats. Back-off shapes follow "Exponential Backoff And Jitter" (AWS Architecture
Blog, 2015). A server's hint (`Retry-After`, RFC 9110 §10.2.3) is obeyed up to `hint_max`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from switchgear.core.errors import DeadlineExceeded, OptionError, Rejected, SwitchgearError
from switchgear.policies.checks import refused, require_count, require_seconds, require_word
from switchgear.policies.errors import ErrorFilter, matches, names_exactly, require_filter
from switchgear.policies.retry_budget import RetryBudget
from switchgear.policies.signatures import options

Backoff = Literal["full_jitter", "equal_jitter", "decorrelated", "constant", "exponential"]

_DOUBLINGS_MAX = 1023  # the largest power of two that a float holds


@options("Retry(attempts=3, on=(ConnectionError,))")
@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Call again after an error that is safe to repeat.

    attempts  calls in all, at least 1; default 3. A refusal that is waited out uses one of them.
    on        the errors after which calling again is safe and may help. There is no default: only you know.
    ignore    errors never to retry, though `on` means them.
    backoff   "full_jitter" (default), "equal_jitter", "decorrelated", "exponential" or "constant".
    base      seconds of the first wait, at least 0; default 0.1.
    cap       seconds no wait of ours exceeds, at least `base`; default 10.
    hint_max  seconds up to which a wait that the server names is obeyed; default 60. After a longer one, or a
              negative one, the error is raised as it is.
    budget    how many repeats all calls together may make; default ``RetryBudget()``: one for five calls, and ten a
              second in any case. None: as many as the calls ask for.

    Cancellation, refusals of Switchgear and an inner guard's `RetryExhausted` are not retried; a refusal is
    waited out when its `retry_after` fits into a deadline in force, and an inner `RetryExhausted` is retried
    when `on` names that very class. Raises `OptionError` for options that cannot work.
    """

    attempts: int = 3
    on: ErrorFilter | None = None
    ignore: ErrorFilter | None = None
    backoff: Backoff = "full_jitter"
    base: float = 0.1
    cap: float = 10.0
    hint_max: float = 60.0
    budget: RetryBudget | None = field(default_factory=RetryBudget)

    def __post_init__(self) -> None:
        """Check the options."""
        if self.on is None:
            raise OptionError(
                "Retry(on=...) has to say which errors are safe to repeat; "
                "write for example Retry(attempts=3, on=(ConnectionError, TimeoutError))"
            )
        require_filter("Retry(on)", self.on)
        if self.ignore is not None:
            require_filter("Retry(ignore)", self.ignore, write=_write("ignore=(ConnectionRefusedError,)"))
        require_count("Retry(attempts)", self.attempts, write=_write("attempts=3"))
        require_seconds("Retry(base)", self.base, zero=True, write=_write("base=0.1"))
        require_seconds("Retry(hint_max)", self.hint_max, zero=True, write=_write("hint_max=60.0"))
        if self.budget is not None and not isinstance(self.budget, RetryBudget):
            raise refused("Retry(budget)", "takes a RetryBudget or None", self.budget, _write("budget=RetryBudget()"))
        self._check_shape()

    def _check_shape(self) -> None:
        require_word("Retry(backoff)", self.backoff, tuple(_SHAPES), write=_write('backoff="full_jitter"'))
        require_seconds("Retry(cap)", self.cap, zero=True, write=_write("cap=10.0"))
        if self.cap < self.base:
            raise OptionError(
                f"Retry(cap={self.cap!r}) is below base={self.base!r}; "
                f"write for example {_write(f'base={self.base!r}, cap={self.base!r}')}"
            )

    def retries(self, error: BaseException) -> bool:
        """Return whether `error` allows another call, attempts and time apart."""
        if not isinstance(error, Exception) or isinstance(error, Rejected):
            return False
        if isinstance(error, SwitchgearError) and not isinstance(error, DeadlineExceeded):
            return names_exactly(self.on, error)
        return matches(self.on, error) and not matches(self.ignore, error)

    def wait(self, retry: int, draw: float, previous: float) -> float:
        """Return the seconds to wait before the `retry`-th repeat (from 1), for a `draw` in [0, 1).

        `previous` is the wait before; only "decorrelated" looks at it. Never negative, never above `cap`.
        """
        return min(self.cap, _SHAPES[self.backoff](self, retry, draw, previous))


def _write(option: str) -> str:
    """Return the line to write for an option: nobody can leave ``on=`` out."""
    return f"Retry(on=(ConnectionError,), {option})"


def _exponential(options: Retry, retry: int, _draw: float, _previous: float) -> float:
    return min(options.cap, options.base * 2.0 ** min(retry - 1, _DOUBLINGS_MAX))


def _full_jitter(options: Retry, retry: int, draw: float, previous: float) -> float:
    return draw * _exponential(options, retry, draw, previous)


def _equal_jitter(options: Retry, retry: int, draw: float, previous: float) -> float:
    return (0.5 + 0.5 * draw) * _exponential(options, retry, draw, previous)


def _decorrelated(options: Retry, _retry: int, draw: float, previous: float) -> float:
    return options.base + draw * (max(3.0 * previous, options.base) - options.base)


def _constant(options: Retry, _retry: int, _draw: float, _previous: float) -> float:
    return options.base


_SHAPES: dict[str, Callable[[Retry, int, float, float], float]] = {
    "full_jitter": _full_jitter,
    "equal_jitter": _equal_jitter,
    "decorrelated": _decorrelated,
    "exponential": _exponential,
    "constant": _constant,
}
