"""Errors of the NATS client → what they say: one table, a test for each row.

An answer of JetStream such as "not found" or "wrong last sequence" comes from a server that works. Nothing leaves
while the client has no connection; a timeout after that may have happened.
"""

from __future__ import annotations

from collections.abc import Mapping

from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED, WORKS, Row, missing, row_in

try:
    from nats import errors
    from nats.js import errors as stream_errors
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error

OUTCOMES: Mapping[type[Exception], Row] = {
    errors.Error: FAILED,
    errors.TimeoutError: FAILED,
    errors.StaleConnectionError: FAILED,
    errors.ProtocolError: FAILED,
    errors.NoRespondersError: UNREACHED,
    errors.NoServersError: UNREACHED,
    errors.ConnectionClosedError: UNREACHED,
    errors.ConnectionReconnectingError: UNREACHED,
    errors.OutboundBufferLimitError: UNREACHED,
    errors.AuthorizationError: WORKS,
    errors.ConnectionDrainingError: NOT_SENT,
    errors.BadSubjectError: NOT_SENT,
    errors.BadHeaderError: NOT_SENT,
    errors.BadSubscriptionError: NOT_SENT,
    errors.MaxPayloadError: NOT_SENT,
    errors.MsgAlreadyAckdError: NOT_SENT,
    errors.NotJSMessageError: NOT_SENT,
    stream_errors.APIError: WORKS,
    stream_errors.ServiceUnavailableError: FAILED,
    stream_errors.ServerError: FAILED,
    stream_errors.NoStreamResponseError: UNREACHED,
    stream_errors.InvalidKeyError: NOT_SENT,
    stream_errors.InvalidBucketNameError: NOT_SENT,
    ConnectionRefusedError: UNREACHED,
    OSError: FAILED,
    ValueError: NOT_SENT,
}
"""Error → row, by the nearest parent class. An error that has none is a failure."""


def row_of(error: Exception) -> Row:
    """Return what `error` says."""
    return row_in(OUTCOMES, error)
