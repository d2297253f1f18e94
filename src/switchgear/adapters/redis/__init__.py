"""Redis under a guard: ``client = guarded(redis.Redis(...), guard)``, blocking and asynchronous.

outcomes           errors of the client → what they say: the table
commands           which commands may be sent twice; `read_only_commands.txt` is the knowledge behind it
gate               the logic that both clients share
mixins             the classes that both clients share, written once
blocking           what `redis.Redis` needs beside them
asynchronous       what `redis.asyncio.Redis` needs beside them

The adapter changes no command and no answer. It switches the client's own retry off, since attempts would multiply.
It does not cover cluster clients.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from switchgear.adapters.gate import missing
from switchgear.adapters.redis import asynchronous, blocking
from switchgear.adapters.redis.commands import READ_ONLY_COMMANDS
from switchgear.adapters.redis.gate import RedisGate
from switchgear.adapters.redis.outcomes import OUTCOMES
from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard

try:
    import redis
    import redis.asyncio
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error

__all__ = ["OUTCOMES", "READ_ONLY_COMMANDS", "guarded"]

C = TypeVar("C", bound="redis.Redis | redis.asyncio.Redis")


def guarded(client: C, guard: Guard, *, repeatable: Iterable[str] = ()) -> C:
    """Put `client` under `guard` and return it: its commands, pipelines and subscriptions.

    client      a `redis.Redis` or `redis.asyncio.Redis`, or a subclass of either. It is changed in place.
    repeatable  writes that may be sent twice, such as ``("SET", "EXPIRE")``. Read-only commands always may.

    The client's own retry is switched off. Raises `OptionError` for a client of another kind, one that is guarded
    already, and one whose calls nothing ends in time.
    """
    if hasattr(type(client), "_switchgear"):
        raise OptionError("this client is guarded already; give it one guard")
    gate = RedisGate(guard, repeatable)
    if isinstance(client, redis.Redis):
        blocking.switch_on(client, gate)
    elif isinstance(client, redis.asyncio.Redis):
        asynchronous.switch_on(client, gate)
    else:
        raise OptionError(f"guarded() takes a redis.Redis or redis.asyncio.Redis, not {client!r}")
    return client
