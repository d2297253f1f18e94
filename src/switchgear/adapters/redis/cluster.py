"""Cluster clients under a guard: their commands and subscriptions, blocking and asynchronous.

One command is one call, wherever the client sends it. The client still follows a redirection (MOVED, ASK): the node
that gave it has not carried the command out. Pipelines are refused: the client splits them over nodes, and sends
writes again by itself when a connection breaks. Guarding one would promise what it does not keep.
"""

from __future__ import annotations

from typing import Any

from switchgear.adapters.gate import missing
from switchgear.adapters.redis import asynchronous, blocking
from switchgear.adapters.redis.gate import RedisGate, require_bound
from switchgear.adapters.redis.mixins import CommandMixin
from switchgear.core.errors import OptionError

try:
    import redis.asyncio.cluster
    import redis.asyncio.retry
    import redis.cluster
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error


def switch_on(client: redis.cluster.RedisCluster, gate: RedisGate) -> None:
    """Put a blocking `client` under the guard, and its own retry out of action."""
    require_bound(gate.guard, client.nodes_manager.connection_kwargs)
    client.set_retry(Retry(NoBackoff(), 0))
    gate.put_under(_GuardedCluster, client)


def switch_on_async(client: redis.asyncio.cluster.RedisCluster, gate: RedisGate) -> None:
    """Put an asynchronous `client` under the guard, as `switch_on` does."""
    require_bound(gate.guard, client.get_connection_kwargs())
    client.set_retry(redis.asyncio.retry.Retry(NoBackoff(), 0))
    gate.put_under(_AsyncGuardedCluster, client)


class _ClusterMixin(CommandMixin):
    def pipeline(self, *args: Any, **options: Any) -> Any:  # noqa: ARG002 - as the client's own
        """Refuse: what a cluster pipeline sends is not in our hands."""
        raise OptionError(
            "a guarded cluster client has no pipeline: the client would send its writes again by itself; "
            "send the commands one by one, or use a client without a guard for it"
        )


class _GuardedCluster(_ClusterMixin):
    _way = staticmethod(RedisGate.call)
    _pubsub = blocking.GuardedPubSub


class _AsyncGuardedCluster(_ClusterMixin):
    _way = staticmethod(RedisGate.call_async)
    _pubsub = asynchronous.GuardedPubSub
