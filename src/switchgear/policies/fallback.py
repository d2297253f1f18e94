"""Fallback: what to answer when a call has failed for good. Options only; the guard does the answering.

It stands outside all other policies, so it sees refusals, deadlines and exhausted retries as well. Whether the call
may be made again is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from switchgear.core.errors import InDoubt, OptionError
from switchgear.policies.checks import MISSING, refused
from switchgear.policies.errors import ErrorFilter, matches, names_exactly, require_filter
from switchgear.policies.signatures import options, takes_one


@options("Fallback(value=[])")
@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Answer with something else when a call fails.

    value     what to answer: any object, None included. The very same object is given each time.
    function  called with the error, blocking or async; its result is the answer, and what it raises is raised. Exactly
              one of `value` and `function`.
    on        errors to answer for; default: every `Exception`, refusals of ours included.
    ignore    errors to raise all the same, though `on` means them; default: none.

    Never for writes: a caller who is told of a success that never happened acts on it, so a guard takes a fallback
    only for calls that are declared ``effect="read_only"``. The outcome of a call names an answer that came from here
    as such. Cancellation and other exceptions that are no `Exception` always pass, and so does `InDoubt`, unless `on`
    names that very class: doubt must stay visible. Raises `OptionError` for options that cannot work.
    """

    value: Any = field(default=MISSING, hash=False)
    function: Callable[[Exception], Any] | None = None
    on: ErrorFilter = Exception
    ignore: ErrorFilter | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        if (self.value is MISSING) == (self.function is None):
            raise OptionError(
                f"Fallback takes either a value or a function, not {'neither' if self.function is None else 'both'}; "
                "write for example Fallback(value=[]) or Fallback(function=lambda error: [])"
            )
        function = cast("object", self.function)
        if function is not None and not (callable(function) and takes_one(function)):
            write = "Fallback(function=lambda error: [])" if callable(function) else f"Fallback(value={function!r})"
            raise refused("Fallback(function)", "needs a function of the error", function, write)
        require_filter("Fallback(on)", self.on, write="Fallback(value=[], on=(ConnectionError,))")
        if self.ignore is not None:
            require_filter("Fallback(ignore)", self.ignore, write="Fallback(value=[], ignore=(ValueError,))")

    def applies(self, error: BaseException) -> bool:
        """Return whether this answers in place of `error`."""
        if not isinstance(error, Exception) or matches(self.ignore, error):
            return False
        if isinstance(error, InDoubt):
            return names_exactly(self.on, error)
        return matches(self.on, error)
