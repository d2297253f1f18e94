"""A probe of NATS: a connection, a round trip, JetStream's account, and a key of a bucket if you name one.

Each question has a connection of its own, which is closed afterwards. So it proves that a new client would be served,
and what became of an earlier connection cannot mislead it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from switchgear.adapters.gate import missing
from switchgear.adapters.nats.link import abort
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
from switchgear.health.evidence import Polarity
from switchgear.health.probe import ProbeFailed, as_probe_error, polarity_in
from switchgear.health.probes.bounding import require_timeout, within

try:
    from nats import errors
    from nats.aio.client import Client
    from nats.js import errors as stream_errors
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error

POLARITIES: Mapping[type[Exception], Polarity] = {
    errors.Error: Polarity.NEGATIVE,
    errors.TimeoutError: Polarity.ABSENT,
    errors.NoServersError: Polarity.ABSENT,
    errors.StaleConnectionError: Polarity.ABSENT,
    errors.ConnectionClosedError: Polarity.ABSENT,
    errors.ConnectionReconnectingError: Polarity.ABSENT,
    stream_errors.NoStreamResponseError: Polarity.ABSENT,
    OSError: Polarity.ABSENT,
}
"""Error of the client → what it says to a probe, by the nearest parent class."""

_CLOSE_SECONDS = 1.0
_RETRY_SECONDS: Any = 0.01
_OURS = frozenset(
    {"allow_reconnect", "closed_cb", "connect_timeout", "error_cb", "max_reconnect_attempts", "reconnect_time_wait"}
)


class NatsProbe:
    """Asks a NATS server, or one of a cluster, whether it serves.

    servers    addresses, such as ``nats://broker:4222``; at least one.
    jetstream  whether JetStream has to answer for this account too; default: yes.
    bucket     a key-value bucket made for probes, in which a key of the probe's own is written and read back; default:
               none. The key is drawn once and written again each time, and nothing is deleted: give the bucket a
               ``ttl``.
    timeout    seconds for all of it, above 0; default 2.
    client     other options of `nats.connect`, such as ``user`` or ``tls``.

    Calling it raises `ProbeFailed` for a wrong answer, `TimeoutError` or `ConnectionError` when nothing came back.
    Raises `OptionError` for options that cannot work.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        *,
        jetstream: bool = True,
        bucket: str | None = None,
        timeout: float = 2.0,
        client: Mapping[str, Any] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Prepare; nothing is opened."""
        require_timeout(self, timeout)
        self._servers = [servers] if isinstance(servers, str) else list(servers)
        self._options = dict(client or {})
        if not self._servers:
            raise OptionError('NatsProbe(servers) needs an address; write for example "nats://127.0.0.1:4222"')
        if taken := _OURS & set(self._options):
            raise OptionError(f"NatsProbe sets {', '.join(sorted(taken))} itself")
        if bucket is not None and not jetstream:
            raise OptionError("a bucket is part of JetStream; write NatsProbe(servers, bucket=...) without jetstream=")
        self.key = f"switchgear.probe.{secrets.token_hex(8)}"
        self._jetstream = jetstream
        self._bucket = bucket
        self._timeout: Any = timeout  # the client's types say whole seconds, and it takes any number
        self._clock = clock

    async def __call__(self) -> str:
        """Ask once."""
        client, heard = Client(), list[Exception]()
        try:
            return await within(self._timeout, self._asked(client, heard), clock=self._clock)
        except TimeoutError as error:
            raise _translated(heard[-1] if heard else error) from error
        except tuple(POLARITIES) as error:
            nowhere = isinstance(error, errors.NoServersError)
            raise _translated(heard[-1] if nowhere and heard else error) from error
        finally:
            await self._closed(client)

    async def _asked(self, client: Client, heard: list[Exception]) -> str:
        await self._connect(client, heard)
        await client.flush(timeout=self._timeout)
        if not self._jetstream:
            return "answers"
        streams = client.jetstream(timeout=self._timeout)
        await streams.account_info()
        if self._bucket is None:
            return "answers, JetStream too"
        written = secrets.token_hex(8).encode()
        bucket = await streams.key_value(self._bucket)
        await bucket.put(self.key, written)
        if (await bucket.get(self.key)).value != written:
            raise ProbeFailed("a key that was written does not read back")
        return "answers, and a key that was written reads back"

    async def _connect(self, client: Client, heard: list[Exception]) -> None:
        async def hear(error: Exception) -> None:
            """Keep what the client reports beside the call; in the end it only says that no server was left."""
            heard.append(error)

        await client.connect(
            **self._options,
            servers=self._servers,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=_RETRY_SECONDS,
            connect_timeout=self._timeout,
            error_cb=hear,
        )

    async def _closed(self, client: Client) -> None:
        """Close the connection, within a second. What the server does not take any more is given up."""
        try:
            with suppress(OSError, errors.Error):
                await within(_CLOSE_SECONDS, client.close(), clock=self._clock)
        finally:
            abort(client)


def polarity_of_nats(error: Exception) -> Polarity:
    """Return what an error of the client says to a probe."""
    return polarity_in(POLARITIES, error)


def _translated(error: Exception) -> Exception:
    return as_probe_error(error, polarity_of_nats(error), late=isinstance(error, TimeoutError))
