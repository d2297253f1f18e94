"""The asynchronous Redis client under a guard: thin classes over `redis.asyncio.Redis`, as those of `blocking`."""

from __future__ import annotations

from typing import Any

from switchgear.adapters.gate import missing
from switchgear.adapters.redis.gate import RedisGate, require_bound
from switchgear.adapters.redis.mixins import CommandMixin, PipelineMixin, PubSubMixin, inside

try:
    import redis.asyncio as redis
    from redis.asyncio.client import Pipeline
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error


def switch_on(client: redis.Redis, gate: RedisGate) -> None:
    """Put `client` under the guard, and its own retry out of action."""
    require_bound(gate.guard, client.connection_pool.connection_kwargs)
    client.set_retry(Retry(NoBackoff(), 0))
    gate.put_under(_GuardedRedis, client)


def _twin_of(pipeline: Pipeline) -> Pipeline:
    pool, callbacks = pipeline.connection_pool, pipeline.response_callbacks
    return Pipeline(pool, callbacks, pipeline.is_transaction, pipeline.shard_hint)


async def _call_inside(gate: RedisGate, *args: Any, **terms: Any) -> Any:
    with inside():
        return await gate.call_async(*args, **terms)


class _GuardedPipeline(PipelineMixin):
    _way = staticmethod(RedisGate.call_async)
    _twin_of = staticmethod(_twin_of)

    async def execute(self, raise_on_error: bool = True) -> Any:
        if self.watching:
            return await self._execute_watching(raise_on_error)
        if not self.command_stack:
            return []
        effect = self._effect_of_stack()
        try:
            return await self._execute_stack(raise_on_error, effect)
        finally:
            await self.reset()


class GuardedPubSub(PubSubMixin):
    """A subscription under the gate."""

    _way = staticmethod(_call_inside)

    async def parse_response(self, *args: Any, **options: Any) -> Any:
        """Wait for a message, which is no call."""
        parent: Any = super()  # the class of the client
        with self._waiting():
            return await parent.parse_response(*args, **options)


class _GuardedRedis(CommandMixin):
    _way = staticmethod(RedisGate.call_async)
    _pipeline, _pubsub = _GuardedPipeline, GuardedPubSub
