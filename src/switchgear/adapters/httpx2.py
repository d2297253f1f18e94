"""Guards for httpx2: transports for its blocking and its asynchronous client.

    httpx2.Client(transport=GuardedTransport(guard))
    httpx2.AsyncClient(transport=AsyncGuardedTransport(guard))

The guard hears of headers, not of bodies, except that a small body of a failing answer that may be repeated is read
inside it. What the client's errors say is the table in
`switchgear.adapters.httpx_family`. Needs ``pip install "switchgear[httpx2]"``.
"""

from __future__ import annotations

from switchgear.adapters import http_outcomes
from switchgear.adapters.gate import missing, row_in
from switchgear.adapters.httpx_family import AsyncGuarded, BlockingGuarded, Family

try:
    import httpx2
except ModuleNotFoundError as error:
    raise missing(error, "httpx2", "httpx2") from error

__all__ = ["AsyncGuardedTransport", "GuardedTransport", "may_have_left"]

_FAMILY = Family(httpx2)


class GuardedTransport(BlockingGuarded[httpx2.Request, httpx2.Response], httpx2.BaseTransport):
    """A guard for ``httpx2.Client``; see `BlockingGuarded` for the options."""

    family = _FAMILY


class AsyncGuardedTransport(AsyncGuarded[httpx2.Request, httpx2.Response], httpx2.AsyncBaseTransport):
    """A guard for ``httpx2.AsyncClient``; see `BlockingGuarded` for the options."""

    family = _FAMILY


def may_have_left(error: BaseException) -> bool:
    """Return whether the server may have had the request that ended with `error`. In doubt, it may."""
    return http_outcomes.may_have_left(error, lambda raised: row_in(_FAMILY.rows, raised))
