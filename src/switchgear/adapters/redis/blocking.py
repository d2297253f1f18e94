"""The blocking Redis client under a guard: thin classes over `redis.Redis`, its pipelines and its subscriptions."""

from __future__ import annotations

from typing import Any

from switchgear.adapters.gate import missing
from switchgear.adapters.redis.gate import RedisGate, require_bound
from switchgear.adapters.redis.mixins import CommandMixin, PipelineMixin, PubSubMixin, inside

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.client import Pipeline
    from redis.retry import Retry
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error


def switch_on(client: redis.Redis, gate: RedisGate) -> None:
    """Put `client` under the guard, and its own retry out of action."""
    require_bound(gate.guard, client.get_connection_kwargs())
    client.set_retry(Retry(NoBackoff(), 0))
    gate.put_under(_GuardedRedis, client)


def _twin_of(pipeline: Pipeline) -> Pipeline:
    pool, callbacks = pipeline.connection_pool, pipeline.response_callbacks
    return Pipeline(pool, callbacks, pipeline.transaction, pipeline.shard_hint)


def _call_inside(gate: RedisGate, *args: Any, **terms: Any) -> Any:
    with inside():
        return gate.call(*args, **terms)


class _GuardedPipeline(PipelineMixin):
    _way = staticmethod(RedisGate.call)
    _twin_of = staticmethod(_twin_of)

    def execute(self, raise_on_error: bool = True) -> Any:
        if self.watching:
            return self._execute_watching(raise_on_error)
        if not self.command_stack:
            return []
        effect = self._effect_of_stack()
        try:
            return self._execute_stack(raise_on_error, effect)
        finally:
            self.reset()


class GuardedPubSub(PubSubMixin):
    """A subscription under the gate."""

    _way = staticmethod(_call_inside)

    def parse_response(self, *args: Any, **options: Any) -> Any:
        """Wait for a message, which is no call."""
        parent: Any = super()  # the class of the client
        with self._waiting():
            return parent.parse_response(*args, **options)


class _GuardedRedis(CommandMixin):
    _way = staticmethod(RedisGate.call)
    _pipeline, _pubsub = _GuardedPipeline, GuardedPubSub
