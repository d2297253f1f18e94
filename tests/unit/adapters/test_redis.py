"""The Redis adapter without a server: the table of errors, the knowledge of commands, what is refused at birth."""

from __future__ import annotations

import subprocess
import sys

import pytest
import redis
import redis.asyncio
from redis import exceptions

from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED, UNSAID, WORKS, Row
from switchgear.adapters.redis import OUTCOMES, guarded
from switchgear.adapters.redis.commands import Commands
from switchgear.adapters.redis.outcomes import row_of
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard
from switchgear.policies.timeout import Timeout

ERRORS: list[tuple[Exception, Row]] = [
    (exceptions.ConnectionError("Connection refused"), FAILED),
    (exceptions.ConnectionError("max number of clients reached"), FAILED),
    (exceptions.TimeoutError("Timeout reading from socket"), FAILED),
    (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), FAILED),
    (exceptions.InvalidResponse("Protocol Error"), FAILED),
    (exceptions.ReadOnlyError("You can't write against a read only replica."), FAILED),
    (exceptions.OutOfMemoryError("command not allowed"), FAILED),
    (exceptions.ClusterDownError("CLUSTERDOWN The cluster is down"), FAILED),
    (exceptions.MasterDownError("MASTERDOWN Link with MASTER is down"), FAILED),
    (exceptions.TryAgainError("TRYAGAIN"), FAILED),
    (exceptions.ResponseError("BUSY Redis is busy running a script."), FAILED),
    (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), FAILED),
    (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), FAILED),
    (exceptions.ResponseError("WRONGTYPE Operation against a key"), WORKS),
    (exceptions.AuthenticationError("invalid username-password pair"), WORKS),
    (exceptions.AuthorizationError("no"), WORKS),
    (exceptions.NoPermissionError("no permissions"), WORKS),
    (exceptions.WatchError("Watched variable changed."), WORKS),
    (exceptions.ExecAbortError("Transaction discarded"), WORKS),
    (exceptions.MovedError("1 127.0.0.1:7000"), WORKS),
    (exceptions.NoScriptError("No matching script."), UNSAID),
    (exceptions.MaxConnectionsError("Too many connections"), NOT_SENT),
    (exceptions.DataError("Invalid input of type"), NOT_SENT),
    (exceptions.AskError("1 127.0.0.1:7000"), WORKS),
    (exceptions.ClusterError("TTL exhausted."), FAILED),
    (exceptions.SlotNotCoveredError("Slot 1 is not covered by the cluster."), UNREACHED),
    (exceptions.RedisClusterException("MGET - all keys must map to the same key slot"), NOT_SENT),
    (exceptions.RedisClusterException("Redis Cluster cannot be connected. Please provide"), FAILED),
    (exceptions.RedisClusterException("All slots are not covered after query all startup_nodes."), FAILED),
    (exceptions.PubSubError("misuse"), NOT_SENT),
    (RuntimeError("a defect in the client"), FAILED),
]


@pytest.mark.parametrize(("error", "row"), ERRORS, ids=lambda value: repr(value)[:50])
def test_each_error_has_its_row(error: Exception, row: Row) -> None:
    """An answer is a success, a server that cannot do its job is a failure, a limit of ours is neither."""
    assert row_of(error) == row


def test_every_row_of_the_table_is_tested() -> None:
    """A row without an example is a guess."""
    assert set(OUTCOMES) <= {type(error) for error, _ in ERRORS}


COMMANDS: list[tuple[tuple[object, ...], Effect]] = [
    (("GET", "key"), Effect.READ_ONLY),
    (("get", "key"), Effect.READ_ONLY),
    ((b"GET", b"key"), Effect.READ_ONLY),
    (("OBJECT", "ENCODING", "key"), Effect.READ_ONLY),
    (("OBJECT ENCODING", "key"), Effect.READ_ONLY),
    (("PING",), Effect.READ_ONLY),
    (("CONFIG", "SET", "x", "y"), Effect.OPAQUE),
    (("INCR", "key"), Effect.OPAQUE),
    (("SORT", "key"), Effect.OPAQUE),
    (("EXPIRE", "key", 5), Effect.NATURAL),
    (("SET", "key", "value"), Effect.NATURAL),
    (("MODULE.THING", "key"), Effect.OPAQUE),
]


@pytest.mark.parametrize(("arguments", "effect"), COMMANDS, ids=str)
def test_the_effect_of_a_command(arguments: tuple[object, ...], effect: Effect) -> None:
    """Known reads may be repeated, declared writes as well; anything else never."""
    assert Commands(("set", "EXPIRE")).effect_of(arguments) is effect


def test_a_pipeline_is_as_dangerous_as_its_worst_command() -> None:
    """One write that must not run twice makes the whole pipeline one."""
    commands = Commands(("SET",))
    assert commands.effect_of_all([("GET", "a"), ("TTL", "a")]) is Effect.READ_ONLY
    assert commands.effect_of_all([("GET", "a"), ("SET", "a", 1)]) is Effect.NATURAL
    assert commands.effect_of_all([("GET", "a"), ("SET", "a", 1), ("INCR", "a")]) is Effect.OPAQUE


@pytest.mark.parametrize("repeatable", ["SET", ("",), ("SET;",)])
def test_names_that_are_none_are_refused(repeatable: tuple[str, ...]) -> None:
    """A typing mistake must not silently forbid or allow a repeat."""
    with pytest.raises(OptionError):
        Commands(repeatable)


@pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
def test_a_call_that_nothing_ends_is_refused(kind: type) -> None:
    """Every wait is bounded: by the client's socket timeout or by the guard."""
    with pytest.raises(OptionError, match="nothing ends a call of cache in time"):
        guarded(kind(socket_timeout=None), Guard("cache"))
    guarded(kind(socket_timeout=None), Guard("cache", timeout=Timeout(1.0)))
    guarded(kind(), Guard("cache"))


@pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
def test_the_clients_own_retry_is_off(kind: type) -> None:
    """Attempts of the client and of the guard would multiply."""
    client = guarded(kind(), Guard("cache"))
    assert client.connection_pool.connection_kwargs["retry"].get_retries() == 0


def test_one_guard_for_one_client() -> None:
    """Two guards would count each call twice; another kind of client cannot be guarded."""
    client = guarded(redis.Redis(), Guard("cache"))
    with pytest.raises(OptionError, match="guarded already"):
        guarded(client, Guard("cache"))
    with pytest.raises(OptionError, match=r"redis\.asyncio\.Redis"):
        guarded(object(), Guard("cache"))  # type: ignore[type-var] # what is refused
    with pytest.raises(OptionError, match=r'write for example Guard\("cache"\)'):
        guarded(redis.Redis(), "cache")  # type: ignore[arg-type] # what is refused


def test_without_the_client_the_import_says_what_to_install() -> None:
    """A clear error with the pip command."""
    program = "import sys; sys.modules['redis'] = None\nimport switchgear.adapters.redis"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    assert 'pip install "switchgear[redis]"' in finished.stderr
