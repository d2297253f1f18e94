"""Whether a call did not fit its function: a mistake of the caller, of which no dependency ever heard.

Asked only once a call has failed, so that a call which succeeds pays nothing for it. What the guard does then is not
decided here: see `switchgear.guard.attempts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from switchgear.policies.signatures import signature_of

Call = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
"""A function with the arguments that it was called with."""


def is_misfit(error: BaseException, call: Call) -> bool:
    """Return whether `error` says that the function does not take these arguments, so that nothing of it ran.

    It is then a `TypeError` that was raised where the guard made the call, not below, and the signature does not take
    the arguments. A function written in C leaves no trace of how far it got. Where it shows no signature, or one that
    takes the arguments, it may have run: then the error is one of the call, as any other.
    """
    if not isinstance(error, TypeError) or not _stays_in_the_guard(error):
        return False
    function, args, kwargs = call
    try:
        signature = signature_of(function)
    except (TypeError, ValueError):  # it does not show one
        return False
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return True
    return False


def _stays_in_the_guard(error: BaseException) -> bool:
    """Return whether `error` has passed frames of this package alone, and none of the function's own."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    return trace is None
