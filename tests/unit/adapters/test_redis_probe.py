"""The Redis probe without a server: what each error of the client says, and what is refused at birth."""

from __future__ import annotations

from typing import Any

import pytest
import redis
import redis.asyncio
from redis import exceptions

from switchgear.adapters.redis import RedisProbe, guarded
from switchgear.adapters.redis.probe import POLARITIES, polarity_of_redis
from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard
from switchgear.health.evidence import Polarity
from switchgear.health.probe import ProbeFailed
from switchgear.policies.timeout import Timeout

ABSENT, NEGATIVE = Polarity.ABSENT, Polarity.NEGATIVE

ERRORS: list[tuple[Exception, Polarity]] = [
    (exceptions.ConnectionError("Connection refused"), ABSENT),
    (exceptions.ConnectionError("max number of clients reached"), NEGATIVE),
    (exceptions.TimeoutError("Timeout reading from socket"), ABSENT),
    (exceptions.MaxConnectionsError("Too many connections"), ABSENT),
    (exceptions.RedisClusterException("Redis Cluster cannot be connected"), ABSENT),
    (exceptions.SlotNotCoveredError("Slot 1 is not covered"), ABSENT),
    (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), NEGATIVE),
    (exceptions.AuthenticationError("invalid username-password pair"), NEGATIVE),
    (exceptions.AuthorizationError("no"), NEGATIVE),
    (exceptions.NoPermissionError("no permissions"), NEGATIVE),
    (exceptions.ReadOnlyError("You can't write against a read only replica."), NEGATIVE),
    (exceptions.OutOfMemoryError("command not allowed"), NEGATIVE),
    (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), NEGATIVE),
    (exceptions.ClusterDownError("CLUSTERDOWN The cluster is down"), NEGATIVE),
    (exceptions.MovedError("1 127.0.0.1:7000"), NEGATIVE),
    (exceptions.InvalidResponse("Protocol Error"), NEGATIVE),
    (exceptions.DataError("Invalid input of type"), NEGATIVE),
    (RuntimeError("a defect in the client"), NEGATIVE),
]


@pytest.mark.parametrize(("error", "polarity"), ERRORS, ids=lambda value: repr(value)[:60])
def test_each_error_says_what_it_says(error: Exception, polarity: Polarity) -> None:
    """Who says no has answered; who says nothing has not. Many answers of Redis are connection errors to the client."""
    assert polarity_of_redis(error) is polarity


def test_every_row_is_tried() -> None:
    """A row that nobody tries may say anything."""
    assert set(POLARITIES) <= {kind for error, _ in ERRORS for kind in type(error).__mro__}


def test_a_guarded_client_is_refused() -> None:
    """A probe behind a breaker would not be sent when it matters, and would count as traffic."""
    client = guarded(redis.asyncio.Redis(), Guard("cache", timeout=Timeout(1.0)))
    with pytest.raises(OptionError, match="without a guard"):
        RedisProbe(client)


@pytest.mark.parametrize(
    ("client", "options", "says"),
    [
        (redis.Redis(socket_timeout=None), {}, "socket_timeout"),
        ("redis://127.0.0.1", {}, "takes a redis.Redis"),
        (redis.asyncio.Redis(), {"timeout": 0}, "timeout"),
        (redis.asyncio.Redis(), {"expiry": 0}, "expiry"),
        (redis.asyncio.Redis(), {"namespace": ""}, "namespace"),
    ],
)
def test_what_cannot_work_is_refused(client: Any, options: dict[str, Any], says: str) -> None:  # noqa: ANN401 - wrong ones too
    """It is found at birth: a blocking client that nothing ends would keep a thread for ever."""
    with pytest.raises(OptionError, match=says):
        RedisProbe(client, **options)


def test_each_probe_has_a_key_of_its_own() -> None:
    """Two processes that probe one server never read each other's key."""
    keys = {RedisProbe(redis.asyncio.Redis(), namespace="mine").key for _ in range(10)}
    assert len(keys) == 10
    assert all(key.startswith("mine:") for key in keys)


class Other(redis.asyncio.Redis):
    """A client whose server says something else."""

    async def ping(self, **kwargs: object) -> str:  # type: ignore[override] # the case
        """Answer wrongly."""
        return "what?"


async def test_another_answer_than_pong_is_negative() -> None:
    """Only PONG is."""
    with pytest.raises(ProbeFailed, match="PONG"):
        await RedisProbe(Other())()
