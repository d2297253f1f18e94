"""One observation of a dependency. Absence is not evidence: it is recorded as what it is, and authorises nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Polarity(StrEnum):
    """What an observation says."""

    POSITIVE = "positive"
    """It answered, and the answer was right."""
    NEGATIVE = "negative"
    """It answered wrongly, refused, or was found broken."""
    ABSENT = "absent"
    """Nothing came back: a timeout, a lost connection, silence."""


class Source(StrEnum):
    """Who observed it."""

    CALL = "call"
    """Real traffic through a guard."""
    PROBE = "probe"
    """An active probe."""
    OPERATOR = "operator"
    """A person, who can only make it worse: nobody declares a dependency healthy by hand."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observation, made at `at` (seconds of the monotonic clock of whoever keeps it).

    `seconds` is how long the answer took, where that is known; `detail` is for people and holds no secret. `failed` is
    the share of what was looked at that failed, 0 to 1, where many calls make one observation.
    """

    polarity: Polarity
    source: Source
    at: float
    detail: str = ""
    seconds: float | None = None
    failed: float = 0.0
