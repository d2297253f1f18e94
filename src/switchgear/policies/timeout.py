"""Timeout: the bound of one attempt. Options only; the guard's drivers do the waiting.

An attempt that runs into its timeout counts as a failure and as slow in the breaker, and ends as
`DeadlineExceeded` with ``sent=True``. A thread cannot be stopped from outside: a blocking call that runs out of
time is left behind, keeps its place in the bulkhead until it really ends, and is counted as abandoned.
"""

from __future__ import annotations

from dataclasses import dataclass

from switchgear.policies.checks import require_seconds
from switchgear.policies.signatures import options


@options("Timeout(5.0)")
@dataclass(frozen=True, slots=True)
class Timeout:
    """Bound one attempt by `seconds` (above 0, finite).

    Asynchronous expiry is coarse: up to 10 ms late, never early. Raises `OptionError` for seconds that cannot
    work.
    """

    seconds: float

    def __post_init__(self) -> None:
        """Check the option."""
        require_seconds("Timeout(seconds)", self.seconds, example=5.0)
