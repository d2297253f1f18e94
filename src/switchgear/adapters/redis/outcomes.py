"""Errors of the Redis client → what they say: one table, a test for each row.

The question for each row is: would less traffic change the answer? An answer such as WRONGTYPE comes from a server
that works. A refusal such as LOADING, READONLY or OOM comes from one that cannot do its job now.
"""

from __future__ import annotations

from collections.abc import Mapping

from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED, UNSAID, WORKS, Row, missing, row_in

try:
    from redis import exceptions
except ModuleNotFoundError as error:
    raise missing(error, "redis", "redis") from error

OUTCOMES: Mapping[type[Exception], Row] = {
    exceptions.ConnectionError: FAILED,  # also "max number of clients reached"
    exceptions.TimeoutError: FAILED,
    exceptions.BusyLoadingError: FAILED,
    exceptions.InvalidResponse: FAILED,
    exceptions.ReadOnlyError: FAILED,
    exceptions.OutOfMemoryError: FAILED,
    exceptions.ClusterDownError: FAILED,
    exceptions.MasterDownError: FAILED,
    exceptions.TryAgainError: FAILED,
    exceptions.ResponseError: WORKS,
    exceptions.AuthenticationError: WORKS,
    exceptions.AuthorizationError: WORKS,
    exceptions.NoPermissionError: WORKS,
    exceptions.WatchError: WORKS,
    exceptions.ExecAbortError: WORKS,
    exceptions.MovedError: WORKS,
    exceptions.NoScriptError: UNSAID,
    exceptions.MaxConnectionsError: NOT_SENT,
    exceptions.SlotNotCoveredError: UNREACHED,
    exceptions.RedisClusterException: NOT_SENT,  # a command that a cluster cannot take, such as keys of several slots
    exceptions.DataError: NOT_SENT,
    exceptions.PubSubError: NOT_SENT,
}
"""Error → row, by the nearest parent class. An error that has none is a failure."""

FAILING_PREFIXES = frozenset({"BUSY", "MISCONF", "NOREPLICAS"})
"""First words of a plain `ResponseError` that mean: the server cannot do its job now."""

LOST_CLUSTER = ("Redis Cluster cannot be connected", "All slots are not covered")
"""How a `RedisClusterException` begins that means: the nodes cannot be found, perhaps after something was sent."""


def row_of(error: Exception) -> Row:
    """Return what `error` says."""
    if isinstance(error, exceptions.RedisClusterException) and str(error).startswith(LOST_CLUSTER):
        return FAILED
    if type(error) is exceptions.ResponseError and str(error).partition(" ")[0] in FAILING_PREFIXES:
        return FAILED
    return row_in(OUTCOMES, error)
