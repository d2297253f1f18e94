"""A probe of a Redis server by its address, for where there is no client: each question has a connection of its own.

So it proves that a new client would be served, takes up a rotated password, and leaves nothing open. What is asked
is the business of `probe`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from switchgear.adapters.gate import missing
from switchgear.adapters.redis.probe import RedisProbe
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError

try:
    import redis.asyncio
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error


class RedisUrlProbe:
    """Asks the server at `url` (``redis://``, ``rediss://`` or ``unix://``) whether it answers and takes writes.

    sign_in    returns `username` and `password`, as far as the server wants them; called for each question.
    namespace  how the probe's key begins; default "switchgear:probe".
    timeout    seconds for all of it, above 0; default 2.

    Calling it raises what `RedisProbe` raises, and what `sign_in` does. Raises `OptionError` for options that cannot
    work.
    """

    def __init__(
        self,
        url: str,
        *,
        sign_in: Callable[[], Mapping[str, str]] = dict,
        namespace: str = "switchgear:probe",
        timeout: float = 2.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Prepare; nothing is opened."""
        self._url, self._sign_in = url, sign_in
        self._options: dict[str, Any] = {"namespace": namespace, "timeout": timeout, "clock": clock}
        self._key = RedisProbe(self._client({}), **self._options).key

    async def __call__(self) -> str:
        """Ask once."""
        client = self._client(self._sign_in())
        probe = RedisProbe(client, **self._options)
        probe.key = self._key
        try:
            return await probe()
        finally:
            await client.aclose()

    def _client(self, who: Mapping[str, str]) -> redis.asyncio.Redis:
        try:
            return redis.asyncio.Redis.from_url(self._url, **cast("dict[str, Any]", who))
        except ValueError as error:
            raise OptionError(f'RedisUrlProbe(url): {error}; write for example "redis://127.0.0.1:6379/0"') from error
