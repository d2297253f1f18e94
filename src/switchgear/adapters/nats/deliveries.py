"""What a consumer is told and what it hands out: its options, its statistics, one delivered message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from switchgear.adapters.gate import missing
from switchgear.policies.checks import require_count, require_seconds

try:
    from nats.aio.msg import Msg
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
    """How one consumer works.

    in_flight       messages that are handled at once, and that the server lets be unacknowledged; default 16.
    batch           messages asked for at once at most; default 16.
    wait            seconds that the server holds a request while there is nothing, above 0; default 2. It counts as
                    time of a call, so a breaker's `slow_after` has to be longer.
    ack_wait        seconds after which the server delivers an unacknowledged message again; default 30. A handler
                    that takes longer is cancelled, since another one may have the message by then.
    nak_delay       seconds before a message comes again whose handler failed; default 1.
    deliveries_max  times that a failing message is delivered at most; then it is ended, counted and logged.
                    Default None: for ever.
    retry_wait      seconds before asking again after the server could not be asked; default 1.

    Raises `OptionError` for options that cannot work.
    """

    in_flight: int = 16
    batch: int = 16
    wait: float = 2.0
    ack_wait: float = 30.0
    nak_delay: float = 1.0
    deliveries_max: int | None = None
    retry_wait: float = 1.0

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("consume(in_flight)", self.in_flight, example=16)
        require_count("consume(batch)", self.batch, example=16)
        for name in ("wait", "ack_wait", "retry_wait"):
            require_seconds(f"consume({name})", getattr(self, name), example=2.0)
        require_seconds("consume(nak_delay)", self.nak_delay, zero=True, example=1.0)
        if self.deliveries_max is not None:
            require_count("consume(deliveries_max)", self.deliveries_max, example=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerStatistics:
    """How a consumer stands.

    `returned` come again, `terminated` do not. Of `unsettled` the server could not be told, so they come again as well.
    """

    received: int
    acknowledged: int
    returned: int
    terminated: int
    unsettled: int
    in_flight: int


class Delivery:
    """One delivered message. Settle it yourself, or let the consumer do it by how the handler ends."""

    def __init__(self, message: Msg) -> None:
        """Wrap the client's message."""
        self.message = message
        self.subject = message.subject
        self.data = message.data
        self.headers = dict(message.headers or {})
        self.deliveries = message.metadata.num_delivered
        self.sequence = message.metadata.sequence.stream
        self.settled = ""

    async def ack(self) -> None:
        """Say that the message is done with."""
        await self._settle("ack", self.message.ack)

    async def nak(self, delay: float = 0.0) -> None:
        """Ask for it again after `delay` seconds."""
        await self._settle("nak", lambda: self.message.nak(delay=delay or None))

    async def term(self) -> None:
        """Say that it can never be handled: it is not delivered again."""
        await self._settle("term", self.message.term)

    async def in_progress(self) -> None:
        """Ask the server for another `ack_wait`."""
        await self.message.in_progress()

    async def _settle(self, how: str, send: Callable[[], Awaitable[None]]) -> None:
        if not self.settled:
            await send()
            self.settled = how
