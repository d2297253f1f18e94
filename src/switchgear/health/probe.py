"""What a probe is, and what its errors say. A probe asks a dependency one harmless question.

A probe returns when the dependency answered and the answer was right, with a short detail or None. It raises
otherwise, and the kind of error says whether anything came back: `polarity_of` is the one place that tells.

What may not live here: when a probe runs, and what becomes of its verdict.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from switchgear.core.codes import Code
from switchgear.core.errors import Rejected, SwitchgearError
from switchgear.health.evidence import Polarity

Probe: TypeAlias = Callable[[], Awaitable[str | None]]
"""Asks once. Returns a short detail for people, or None, on a positive answer. Raises otherwise.

It asks by reading, or by writing what is its own and ends by itself: never by a destructive call, and never in the
name of a tenant.
"""

DETAIL_LENGTH_MAX = 200
_LOOKED_AT_MAX = 2_000
"""Characters of an error that are looked through for credentials; what a remote says may be long."""
_IN_URL = re.compile(r"//[^\s\"'<>]*@")
_NAMED = re.compile(
    r"""((?:password|passwd|pwd|secret|token|api[_-]?key|authorization|credentials?))["']?\s*[=:]\s*"""
    r"""(?:(?:bearer|basic|digest)\s+)?(?:"[^"]*"|'[^']*'|[^\s,;&'")\]}]+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(bearer)\s+(?=\S*[\d.])\S+", re.IGNORECASE)


class ProbeFailed(SwitchgearError):
    """The dependency answered, and the answer is wrong: it refuses, or it is found broken.

    `detail` says what was wrong, for people, in at most 200 characters.
    """

    code = Code.DEPENDENCY_FAILED

    def __init__(self, detail: str) -> None:
        """Keep what was wrong, shortened where it has to be."""
        super().__init__(shortened(detail))

    @property
    def detail(self) -> str:
        """What was wrong."""
        return self.message


def polarity_of(error: BaseException) -> Polarity:
    """Return what an error that a probe raised says of the dependency. Never that it is well.

    ABSENT for a timeout, a lost or refused connection, another error of the operating system, and a refusal of our
    own, after which nothing was asked. NEGATIVE for `ProbeFailed`, and for anything that nobody expected.
    """
    return Polarity.ABSENT if isinstance(error, (OSError, Rejected)) else Polarity.NEGATIVE


def polarity_in(table: Mapping[type[Exception], Polarity], error: Exception) -> Polarity:
    """Return what `table` says of an error of a client, by its nearest parent class; NEGATIVE where it has none."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), Polarity.NEGATIVE)


def as_probe_error(error: Exception, polarity: Polarity, *, late: bool) -> Exception:
    """Return an error of a client as a probe raises it. `late` says whether it is a timeout of the client."""
    if polarity is Polarity.NEGATIVE:
        return ProbeFailed(described(error))
    return TimeoutError(described(error)) if late else ConnectionError(described(error))


def described(error: BaseException) -> str:
    """Return an error in one short line for people: its kind and its first line, credentials left out."""
    try:
        line = next(iter(str(error).splitlines()), "").strip()[:_LOOKED_AT_MAX]
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything; the kind alone is a fair word
        line = ""
    kind = type(error).__name__
    named = line if line.startswith(f"{kind}: ") else f"{kind}: {line}"  # one that wraps another of its kind
    return shortened(_without_credentials(named) if line else kind)


def shortened(detail: str) -> str:
    """Return `detail` with at most 200 characters."""
    return detail if len(detail) <= DETAIL_LENGTH_MAX else f"{detail[: DETAIL_LENGTH_MAX - 1]}…"


def _without_credentials(line: str) -> str:
    """Leave out what looks like a credential, rather too much than too little."""
    line = _NAMED.sub(r"\1=…", _IN_URL.sub("//…@", line))
    return _BEARER.sub(r"\1 …", line)
