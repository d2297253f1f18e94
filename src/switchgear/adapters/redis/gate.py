"""The logic that the blocking and the asynchronous adapter share: a gate that knows commands, and its rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from switchgear.adapters.gate import Gate
from switchgear.adapters.redis.commands import Commands
from switchgear.adapters.redis.outcomes import row_of
from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard

INSIDE: ContextVar[bool] = ContextVar("switchgear_redis_inside", default=False)
"""Whether a guarded call of a subscription is running: what the client sends within it belongs to that call."""


class Connection(Protocol):
    """What is asked of a connection of the client."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a socket."""


class RedisGate(Gate):
    """A gate, and what each command does."""

    __slots__ = ("_classes", "commands")

    def __init__(self, guard: Guard, repeatable: Iterable[str]) -> None:
        """Guard with `guard`; `repeatable` names writes that may be sent twice."""
        super().__init__(guard, row_of)
        self.commands = Commands(repeatable)
        self._classes: dict[tuple[type, type], type] = {}

    def put_under(self, parent: type, target: object) -> None:
        """Give `target` the behaviour of `parent`, a class of ours, on top of its own class."""
        kind = type(target)
        found = self._classes.get((parent, kind))
        if found is None:
            found = type(f"Guarded{kind.__name__}", (parent, kind), {"_switchgear": self})
            self._classes[parent, kind] = found
        target.__class__ = found

    def require_connection(self, connection: Connection | None) -> None:
        """Raise `Rejected` when a connection would have to be made anew and the guard lets nothing in."""
        if connection is not None and not connection.is_connected:
            self.require_passing()


def require_bound(guard: Guard, options: Mapping[str, Any]) -> None:
    """Raise `OptionError` when neither the guard nor the client ends a call in time."""
    if guard.timeout_seconds is None and options.get("socket_timeout", 0) is None:
        raise OptionError(
            f"nothing ends a call of {guard.name} in time; write Guard(timeout=Timeout(2.0)) "
            "or make the client with socket_timeout=2.0"
        )
