"""A probe of Redis: PING, then a key of its own that is written, read back, and ends by itself.

A server that answers PING may still refuse every write: it is out of memory, a replica, or cannot save. That is why
the key is part of the question. It is never deleted, since a probe deletes nothing: it expires.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from switchgear.adapters.gate import missing
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
from switchgear.health.evidence import Polarity
from switchgear.health.probe import ProbeFailed, as_probe_error, polarity_in
from switchgear.health.probes.bounding import Threads, require_timeout, within
from switchgear.policies.checks import refused, require_count

try:
    import redis
    import redis.asyncio
    import redis.asyncio.cluster
    import redis.cluster
    from redis import exceptions
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error

R = TypeVar("R")

POLARITIES: Mapping[type[Exception], Polarity] = {
    exceptions.ConnectionError: Polarity.ABSENT,
    exceptions.TimeoutError: Polarity.ABSENT,
    exceptions.MaxConnectionsError: Polarity.ABSENT,  # our own pool: nothing was asked
    exceptions.RedisClusterException: Polarity.ABSENT,  # no node to ask
    exceptions.BusyLoadingError: Polarity.NEGATIVE,
    exceptions.AuthenticationError: Polarity.NEGATIVE,
    exceptions.AuthorizationError: Polarity.NEGATIVE,
    exceptions.ResponseError: Polarity.NEGATIVE,
    exceptions.InvalidResponse: Polarity.NEGATIVE,
    exceptions.RedisError: Polarity.NEGATIVE,
}
"""Error of the client → what it says to a probe, by the nearest parent class."""

_REFUSED_CONNECTION = "max number of clients reached"
"""The one `ConnectionError` that is an answer of the server."""


class RedisProbe:
    """Asks a Redis server whether it answers and takes writes.

    client     a `redis.Redis` or `redis.asyncio.Redis` of the probe's own, or a `RedisCluster` of either, without a
               guard. Of a cluster, one key's node is asked. The client's own retry is switched off, but for clusters.
    namespace  how the probe's key begins; default "switchgear:probe". The rest of it is drawn at random, once.
    expiry     whole seconds after which the server forgets the key, at least 1; default 60.
    timeout    seconds for all of it, above 0; default 2.

    Calling it raises `ProbeFailed` for a wrong answer or a refused write, `TimeoutError` or `ConnectionError` when
    nothing came back. An asynchronous client belongs to the event loop in which the probe is called first.
    Raises `OptionError` for options that cannot work: a client that is guarded, since a probe behind a breaker would
    not be sent when it matters and would count as traffic, and a blocking one whose calls nothing ends in time.
    """

    def __init__(
        self,
        client: redis.Redis | redis.asyncio.Redis | redis.cluster.RedisCluster | redis.asyncio.RedisCluster,
        *,
        namespace: str = "switchgear:probe",
        expiry: int = 60,
        timeout: float = 2.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Prepare; nothing is sent."""
        require_timeout(self, timeout)
        require_count("RedisProbe(expiry)", expiry, example=60)
        if not namespace:
            raise refused("RedisProbe(namespace)", "says how the key begins", namespace, 'namespace="health:probe"')
        self.key = f"{namespace}:{secrets.token_hex(8)}"
        self._client: Any = _prepared(client)
        self._expiry = expiry
        self._timeout = timeout
        self._clock = clock
        self._threads = Threads()
        self._is_async = isinstance(client, redis.asyncio.Redis | redis.asyncio.cluster.RedisCluster)

    async def __call__(self) -> str:
        """Ask once."""
        try:
            if self._is_async:
                await within(self._timeout, self._round_trip(_awaited), clock=self._clock)
            else:
                await self._threads.ask(self._in_thread, seconds=self._timeout, clock=self._clock)
        except tuple(POLARITIES) as error:
            late = isinstance(error, exceptions.TimeoutError)
            raise as_probe_error(error, polarity_of_redis(error), late=late) from error
        return "answers, and a key that was written reads back"

    async def _round_trip(self, resolve: Callable[[object], Awaitable[object]]) -> None:
        """Ask, write and read. `resolve` makes a reply of what the client gives."""
        if await resolve(self._client.ping()) is not True:
            raise ProbeFailed("answers PING with something else than PONG")
        written = secrets.token_hex(8)
        await resolve(self._client.set(self.key, written, ex=self._expiry))
        read = await resolve(self._client.get(self.key))
        if read not in (written, written.encode()):
            raise ProbeFailed("a key that was written does not read back")

    def _in_thread(self) -> None:
        """Make the round trip with a blocking client: no step of it suspends, so one step is all of it."""
        trip = self._round_trip(_given)
        try:
            trip.send(None)
        except StopIteration:
            return
        finally:
            trip.close()
        raise AssertionError("a blocking client gave something to wait for")


async def _awaited(reply: Any) -> object:
    return await reply


async def _given(reply: object) -> object:
    if inspect.isawaitable(reply):
        raise TypeError("a blocking client gave an awaitable")
    return reply


def polarity_of_redis(error: Exception) -> Polarity:
    """Return what an error of the client says to a probe."""
    if type(error) is exceptions.ConnectionError and str(error) == _REFUSED_CONNECTION:
        return Polarity.NEGATIVE
    return polarity_in(POLARITIES, error)


def _prepared(client: object) -> object:
    """Return a client that can be asked, its own retry off. Raises `OptionError` for any other."""
    if hasattr(type(client), "_switchgear"):
        raise OptionError("a probe takes a client without a guard; write RedisProbe(redis.asyncio.Redis(...))")
    if isinstance(client, redis.Redis):
        _require_bound(client.get_connection_kwargs())
        client.set_retry(Retry(NoBackoff(), 0))
    elif isinstance(client, redis.asyncio.Redis):
        client.set_retry(AsyncRetry(NoBackoff(), 0))
    elif isinstance(client, redis.cluster.RedisCluster):
        _require_bound(client.nodes_manager.connection_kwargs)
    elif not isinstance(client, redis.asyncio.cluster.RedisCluster):
        raise OptionError(
            f"RedisProbe takes a redis.Redis, a redis.asyncio.Redis or a RedisCluster of either, not {client!r}"
        )
    return client


def _require_bound(options: Mapping[str, Any]) -> None:
    if options.get("socket_timeout", 0) is None:
        raise OptionError("nothing ends a call of this blocking client; make it with socket_timeout=2.0")
