"""The NATS adapter without a server: the table of errors, options, comparing streams, a subscription by itself."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import cast

import pytest
from nats import errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as ClientSubscription
from nats.js import errors as stream_errors
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED, WORKS, Row
from switchgear.adapters.nats import OUTCOMES, ConsumerOptions, GuardedNats, SubscriptionOptions
from switchgear.adapters.nats.outcomes import row_of
from switchgear.adapters.nats.streams import differences
from switchgear.adapters.nats.subscriptions import Handler, Subscription, is_worth_a_line
from switchgear.core.clock import VirtualClock
from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard
from tests.turns import turns

ERRORS: list[tuple[Exception, Row]] = [
    (errors.Error("anything else"), FAILED),
    (errors.TimeoutError(), FAILED),
    (errors.FlushTimeoutError(), FAILED),
    (errors.StaleConnectionError(), FAILED),
    (errors.UnexpectedEOF(), FAILED),
    (errors.ProtocolError(), FAILED),
    (errors.NoRespondersError(), UNREACHED),
    (errors.NoServersError(), UNREACHED),
    (errors.ConnectionClosedError(), UNREACHED),
    (errors.ConnectionReconnectingError(), UNREACHED),
    (errors.OutboundBufferLimitError(), UNREACHED),
    (errors.AuthorizationError(), WORKS),
    (errors.ConnectionDrainingError(), NOT_SENT),
    (errors.BadSubjectError(), NOT_SENT),
    (errors.BadHeaderError("a b"), NOT_SENT),
    (errors.BadSubscriptionError(), NOT_SENT),
    (errors.MaxPayloadError(), NOT_SENT),
    (errors.MsgAlreadyAckdError(), NOT_SENT),
    (errors.NotJSMessageError(), NOT_SENT),
    (stream_errors.APIError(code=409), WORKS),
    (stream_errors.NotFoundError(code=404), WORKS),
    (stream_errors.BadRequestError(code=400), WORKS),
    (stream_errors.KeyNotFoundError(), WORKS),
    (stream_errors.KeyWrongLastSequenceError("wrong last sequence: 3"), WORKS),
    (stream_errors.ServiceUnavailableError(code=503), FAILED),
    (stream_errors.ServerError(code=500), FAILED),
    (stream_errors.NoStreamResponseError(), UNREACHED),
    (stream_errors.InvalidKeyError(), NOT_SENT),
    (stream_errors.InvalidBucketNameError(), NOT_SENT),
    (ConnectionRefusedError(), UNREACHED),
    (OSError("no route to host"), FAILED),
    (ConnectionResetError(), FAILED),
    (ValueError("nats: stream name is required"), NOT_SENT),
]


@pytest.mark.parametrize(("error", "row"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_error_has_its_row(error: Exception, row: Row) -> None:
    """An answer of JetStream is a success, no connection means that nothing left, a bad subject is our mistake."""
    assert row_of(error) == row


def test_every_row_of_the_table_is_tested() -> None:
    """A row without an example is a guess."""
    assert set(OUTCOMES) <= {type(error) for error, _ in ERRORS}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"servers": ()}, "needs an address"),
        ({"reconnect_attempts": 0}, "reconnect_attempts"),
        ({"reconnect_attempts": -1}, "reconnect_attempts"),
        ({"reconnect_wait": 0}, "reconnect_wait"),
        ({"drain_seconds": float("inf")}, "drain_seconds"),
        ({"client": {"allow_reconnect": False, "user": "me"}}, "sets allow_reconnect itself"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object], message: str) -> None:
    """Nothing is unbounded: reconnecting for ever cannot be asked for."""
    with pytest.raises(OptionError, match=message):
        GuardedNats(Guard("nats"), **options)  # type: ignore[arg-type] # what is refused


def test_options_of_subscriptions_and_consumers_are_checked() -> None:
    """Every queue has a maximum, every handler a bound."""
    for bad in ({"pending_max": 0}, {"concurrency": 0}, {"handler_seconds": 0}, {"when_full": "grow"}):
        with pytest.raises(OptionError):
            SubscriptionOptions(**bad)
    for bad_number in ({"in_flight": 0}, {"batch": 0}, {"wait": 0}, {"nak_delay": -1}, {"deliveries_max": 0}):
        with pytest.raises(OptionError):
            ConsumerOptions(**bad_number)


async def test_a_consumer_cannot_wait_longer_than_its_operation() -> None:
    """Otherwise each empty wait would be a timeout."""
    with pytest.raises(OptionError, match="shorter than the operation consume"):
        await GuardedNats(Guard("nats")).consumer("orders", "worker", wait=9.5)


async def test_before_connecting_nothing_is_sent() -> None:
    """An operation without a connection says so, and closing does nothing."""
    nats = GuardedNats(Guard("nats"))
    with pytest.raises(errors.ConnectionClosedError):
        await nats.publish("subject")
    assert nats.state == "new"
    await nats.close()


def test_only_what_is_said_of_a_stream_is_compared() -> None:
    """Order of subjects and the type of a word do not matter; what is left alone is the server's business."""
    present = StreamConfig(
        name="orders",
        subjects=["a", "b"],
        storage=cast("StorageType", "file"),
        retention=cast("RetentionPolicy", "limits"),
        max_age=60.0,
        num_replicas=1,
    )
    wanted = StreamConfig(name="orders", subjects=["b", "a"], storage=StorageType.FILE)
    assert differences(wanted, present) == ()
    assert differences(wanted.evolve(max_age=30.0, num_replicas=3), present) == ("max_age", "num_replicas")
    assert differences(wanted.evolve(retention=RetentionPolicy.WORK_QUEUE), present) == ("retention",)


# -- A subscription by itself ----------------------------------------------------------------------------------------


class Source:
    """Stands for the client's subscription."""

    def __init__(self) -> None:
        self._closed = False

    async def unsubscribe(self) -> None:
        """End it."""
        self._closed = True


def started(handler: Handler, clock: VirtualClock, **options: object) -> Subscription:
    """Return a running subscription without a server."""
    subscription = Subscription("topic", handler, SubscriptionOptions(**options), clock)  # type: ignore[arg-type] # a test's own
    subscription.start(cast("ClientSubscription", Source()))
    return subscription


def message(number: int) -> Msg:
    """Return a message."""
    return cast("Msg", SimpleNamespace(data=number))


async def test_taking_a_message_never_waits_for_the_handler() -> None:
    """The client's reader is never held up: not by a hanging handler, not by a full queue."""
    clock = VirtualClock()

    async def hang(_: Msg) -> None:
        await asyncio.Event().wait()

    subscription = started(hang, clock, pending_max=3, handler_seconds=10.0)
    for number in range(10):
        await asyncio.wait_for(subscription.offer(message(number)), 60.0)
        await turns()  # so that the worker has taken the first
    assert (subscription.statistics().dropped, subscription.statistics().pending) == (6, 3)
    await clock.elapse(100.0)
    assert subscription.statistics().failed == 4
    await subscription.stop()


async def test_stopping_is_bounded_even_when_a_handler_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """What is left is said, and the workers are gone."""
    clock = VirtualClock()
    cancelled: list[int] = []

    async def hang(found: Msg) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(cast("int", found.data))

    subscription = started(hang, clock, handler_seconds=1_000.0)
    await subscription.offer(message(1))
    await subscription.offer(message(2))
    stopping = asyncio.ensure_future(subscription.stop(seconds=5.0))
    await clock.elapse(6.0)
    await stopping
    assert cancelled == [1]
    assert "stopped with 1 messages unhandled" in caplog.text
    await subscription.stop()


async def test_failures_and_drops_are_counted_each_and_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """A flood of errors is no flood of lines, and no error is uncounted."""

    async def broken(_: Msg) -> None:
        raise RuntimeError("a defect")

    subscription = started(broken, VirtualClock(), pending_max=100)
    for number in range(100):
        await subscription.offer(message(number))
    with caplog.at_level(logging.ERROR):
        await subscription.stop()
    assert subscription.statistics().failed == 100
    assert len([record for record in caplog.records if "handler failed" in record.message]) == 7


def test_the_lines_that_are_logged() -> None:
    """The first, and then at each doubling."""
    assert [count for count in range(1, 20) if is_worth_a_line(count)] == [1, 2, 4, 8, 16]


def test_without_the_client_the_import_says_what_to_install() -> None:
    """A clear error with the pip command."""
    program = "import sys; sys.modules['nats'] = None\nimport switchgear.adapters.nats"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    assert 'pip install "switchgear[nats]"' in finished.stderr
