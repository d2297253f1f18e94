"""The blocking Redis client under a guard: thin classes over `redis.Redis`, its pipelines and its subscriptions."""

from __future__ import annotations

from typing import Any

from switchgear.adapters.gate import missing
from switchgear.adapters.redis.commands import name_of
from switchgear.adapters.redis.gate import INSIDE, RedisGate, require_bound
from switchgear.core.effects import Effect

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.client import Pipeline, PubSub
    from redis.retry import Retry
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error


def switch_on(client: redis.Redis, gate: RedisGate) -> None:
    """Put `client` under the guard, and its own retry out of action."""
    require_bound(gate.guard, client.get_connection_kwargs())
    client.set_retry(Retry(NoBackoff(), 0))
    gate.put_under(_GuardedRedis, client)


class _GuardedRedis(redis.Redis):
    """Sends every command through the guard."""

    _switchgear: RedisGate

    def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the client's own
        effect, name = self._switchgear.commands.effect_of(args), name_of(args)
        return self._switchgear.call(super().execute_command, *args, effect=effect, operation=name, **options)

    def pipeline(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the client's own
        made = super().pipeline(*args, **options)
        self._switchgear.put_under(_GuardedPipeline, made)
        return made

    def pubsub(self, **options: Any) -> Any:  # noqa: ANN401 - as the client's own
        parent: Any = super()  # the client gives this method no types
        made = parent.pubsub(**options)
        self._switchgear.put_under(_GuardedPubSub, made)
        return made


class _GuardedPipeline(Pipeline):
    """Makes one call of a whole pipeline. What is read under WATCH is a call each, and never repeated."""

    _switchgear: RedisGate

    def execute(self, raise_on_error: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - as the client's own
        if self.watching:
            return self._switchgear.call(super().execute, raise_on_error, effect=Effect.OPAQUE, operation="PIPELINE")
        if not self.command_stack:
            return []
        effect = self._switchgear.commands.effect_of_all(arguments for arguments, _ in self.command_stack)
        try:
            return self._switchgear.call(self._execute_twin, raise_on_error, effect=effect, operation="PIPELINE")
        finally:
            self.reset()

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the client's own
        return self._switchgear.call(
            super().immediate_execute_command, *args, effect=Effect.OPAQUE, operation=name_of(args), **options
        )

    def _execute_twin(self, raise_on_error: bool) -> Any:  # noqa: ANN401, FBT001 - as the client's own
        """Execute on a copy: the client empties what it executes, and an attempt left behind may still use it."""
        twin = Pipeline(self.connection_pool, self.response_callbacks, self.transaction, self.shard_hint)
        twin.command_stack, twin.scripts = list(self.command_stack), set(self.scripts)
        twin.explicit_transaction = self.explicit_transaction
        return twin.execute(raise_on_error)


class _GuardedPubSub(PubSub):
    """Subscribing is a call. Waiting for messages is none, but an error while waiting is a failure."""

    _switchgear: RedisGate

    def execute_command(self, *args: Any) -> Any:  # noqa: ANN401 - as the client's own
        parent: Any = super()  # the client gives this method no types
        if INSIDE.get():
            return parent.execute_command(*args)
        inside = INSIDE.set(True)
        try:
            return self._switchgear.call(parent.execute_command, *args, effect=Effect.NATURAL, operation=name_of(args))
        finally:
            INSIDE.reset(inside)

    def parse_response(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the client's own
        parent: Any = super()  # the client gives this method no types
        self._switchgear.require_connection(self.connection)
        inside = INSIDE.set(True)
        try:
            return parent.parse_response(*args, **options)
        except Exception as error:
            self._switchgear.report(error)
            raise
        finally:
            INSIDE.reset(inside)
