"""Guards for httpx: transports for its blocking and its asynchronous client.

    httpx.Client(transport=GuardedTransport(guard))
    httpx.AsyncClient(transport=AsyncGuardedTransport(guard))

The guard hears of headers, not of bodies, except that a small body of a failing answer that may be repeated is read
inside it. What the client's errors say is the table in
`switchgear.adapters.httpx_family`. Needs ``pip install "switchgear[httpx]"``.
"""

from __future__ import annotations

from switchgear.adapters import http_outcomes
from switchgear.adapters.gate import missing, row_in
from switchgear.adapters.httpx_family import AsyncGuarded, BlockingGuarded, Family

try:
    import httpx
except ModuleNotFoundError as error:
    raise missing(error, "httpx", "httpx") from error

__all__ = ["AsyncGuardedTransport", "GuardedTransport", "may_have_left"]

_FAMILY = Family(httpx)


class GuardedTransport(BlockingGuarded[httpx.Request, httpx.Response], httpx.BaseTransport):
    """A guard for ``httpx.Client``; see `BlockingGuarded` for the options."""

    family = _FAMILY


class AsyncGuardedTransport(AsyncGuarded[httpx.Request, httpx.Response], httpx.AsyncBaseTransport):
    """A guard for ``httpx.AsyncClient``; see `BlockingGuarded` for the options."""

    family = _FAMILY


def may_have_left(error: BaseException) -> bool:
    """Return whether the server may have had the request that ended with `error`. In doubt, it may."""
    return http_outcomes.may_have_left(error, lambda raised: row_in(_FAMILY.rows, raised))
