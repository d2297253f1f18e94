"""What the blocking and the asynchronous client share: the classes that send commands through the gate, written once.

A method here is a plain one. It returns what the way through the gate gives: the answer, or an awaitable of it.
`blocking` and `asynchronous` add the way, and what has to wait in the middle. `RedisGate.put_under` then sets the
class on top of the client's own. Nothing here imports the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from switchgear.adapters.redis.commands import name_of
from switchgear.adapters.redis.gate import INSIDE, RedisGate
from switchgear.core.effects import Effect

Way = Callable[..., Any]
"""How a call goes through the gate: `RedisGate.call`, `RedisGate.call_async`, or a function that takes the same."""


@contextmanager
def inside() -> Iterator[None]:
    """Mark what the client sends within the block as part of one guarded call."""
    token = INSIDE.set(True)
    try:
        yield
    finally:
        INSIDE.reset(token)


class GateMixin:
    """Something of the client that is under a gate."""

    _switchgear: RedisGate
    _way: ClassVar[Way]

    def _call(self, function: Callable[..., Any], /, *args: Any, **terms: Any) -> Any:
        """Make a call on the way of the client. `terms` are those of `Gate.call`, and the options of `function`."""
        return self._way(self._switchgear, function, *args, **terms)


class CommandMixin(GateMixin):
    """Sends every command through the gate. What the client makes is put under the same gate."""

    _pipeline: ClassVar[type]
    _pubsub: ClassVar[type]

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, with the effect that is known of it."""
        parent: Any = super()  # the class of the client
        effect, name = self._switchgear.commands.effect_of(args), name_of(args)
        return self._call(parent.execute_command, *args, effect=effect, operation=name, **options)

    def pipeline(self, *args: Any, **options: Any) -> Any:
        """Return a pipeline under the gate."""
        parent: Any = super()  # the class of the client
        made = parent.pipeline(*args, **options)
        self._switchgear.put_under(self._pipeline, made)
        return made

    def pubsub(self, **options: Any) -> Any:
        """Return a subscription under the gate."""
        parent: Any = super()  # the class of the client
        made = parent.pubsub(**options)
        self._switchgear.put_under(self._pubsub, made)
        return made


class PipelineMixin(GateMixin):
    """Makes one call of a whole pipeline. What is read under WATCH is a call each, and never repeated."""

    command_stack: Any
    explicit_transaction: Any
    reset: Any
    scripts: Any
    watching: Any
    _twin_of: ClassVar[Callable[..., Any]]
    """Makes an empty pipeline of the same kind, which is under no gate."""

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command under WATCH: never twice, whatever it does."""
        parent: Any = super()  # the class of the client
        return self._call(
            parent.immediate_execute_command, *args, effect=Effect.OPAQUE, operation=name_of(args), **options
        )

    def _execute_watching(self, raise_on_error: bool) -> Any:
        parent: Any = super()  # the class of the client
        return self._call(parent.execute, raise_on_error, effect=Effect.OPAQUE, operation="PIPELINE")

    def _effect_of_stack(self) -> Effect:
        return self._switchgear.commands.effect_of_all(arguments for arguments, _ in self.command_stack)

    def _execute_stack(self, raise_on_error: bool, effect: Effect) -> Any:
        return self._call(self._execute_twin, raise_on_error, effect=effect, operation="PIPELINE")

    def _execute_twin(self, raise_on_error: bool) -> Any:
        """Execute on a copy.

        The client empties what it executes, which a repeat needs, and an attempt left behind may still use it.
        """
        twin = self._twin_of(self)
        twin.command_stack, twin.scripts = list(self.command_stack), set(self.scripts)
        twin.explicit_transaction = self.explicit_transaction
        return twin.execute(raise_on_error)


class PubSubMixin(GateMixin):
    """Subscribing is a call. Waiting for messages is none, but an error while waiting is a failure."""

    connection: Any

    def execute_command(self, *args: Any) -> Any:
        """Subscribe or unsubscribe. Sent within a guarded call, the command belongs to that call."""
        parent: Any = super()  # the class of the client
        if INSIDE.get():
            return parent.execute_command(*args)
        return self._call(parent.execute_command, *args, effect=Effect.NATURAL, operation=name_of(args))

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Wait for messages within the block. Raises `Rejected` before it when nothing may connect now."""
        self._switchgear.require_connection(self.connection)
        with inside():
            try:
                yield
            except Exception as error:
                self._switchgear.report(error)
                raise
