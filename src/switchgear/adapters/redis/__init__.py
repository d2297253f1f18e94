"""Redis under a guard: ``client = guarded(redis.Redis(...), guard)``, blocking and asynchronous.

outcomes           errors of the client → what they say: the table
commands           which commands may be sent twice; `read_only_commands.txt` is the knowledge behind it
gate               the logic that both clients share
mixins             the classes that both clients share, written once
blocking           what `redis.Redis` needs beside them
asynchronous       what `redis.asyncio.Redis` needs beside them
cluster            what cluster clients need: commands and subscriptions, no pipelines
probe              `RedisProbe`: asks a server whether it answers and takes writes
url_probe          `RedisUrlProbe`: the same by address, for where there is no client

The adapter changes no command and no answer. It switches the client's own retry off, since attempts would multiply.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from switchgear.adapters.gate import missing
from switchgear.adapters.redis import asynchronous, blocking, cluster
from switchgear.adapters.redis.commands import READ_ONLY_COMMANDS
from switchgear.adapters.redis.gate import RedisGate
from switchgear.adapters.redis.outcomes import OUTCOMES
from switchgear.adapters.redis.probe import RedisProbe
from switchgear.adapters.redis.url_probe import RedisUrlProbe
from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard

try:
    import redis
    import redis.asyncio
    import redis.asyncio.cluster
    import redis.cluster
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error

__all__ = ["OUTCOMES", "READ_ONLY_COMMANDS", "RedisProbe", "RedisUrlProbe", "guarded"]

C = TypeVar("C", bound="redis.Redis | redis.asyncio.Redis | redis.cluster.RedisCluster | redis.asyncio.RedisCluster")


def guarded(client: C, guard: Guard, *, repeatable: Iterable[str] = ()) -> C:
    """Put `client` under `guard` and return it: its commands, pipelines and subscriptions.

    client      a `redis.Redis`, `redis.asyncio.Redis` or a `RedisCluster` of either, or a subclass. It is changed in
                place. A cluster client has its commands and subscriptions guarded, and its pipelines refused.
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
    elif isinstance(client, redis.cluster.RedisCluster):
        cluster.switch_on(client, gate)
    elif isinstance(client, redis.asyncio.cluster.RedisCluster):
        cluster.switch_on_async(client, gate)
    else:
        raise OptionError(
            f"guarded() takes a redis.Redis, a redis.asyncio.Redis or a RedisCluster of either, not {client!r}"
        )
    return client
