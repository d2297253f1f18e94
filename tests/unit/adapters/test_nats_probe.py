"""The NATS probe without a server: what each error of the client says, and what is refused at birth."""

from __future__ import annotations

from typing import Any

import pytest
from nats import errors
from nats.js import errors as stream_errors

from switchgear.adapters.nats import NatsProbe
from switchgear.adapters.nats.probe import POLARITIES, polarity_of_nats
from switchgear.core.errors import OptionError
from switchgear.health.evidence import Polarity

ABSENT, NEGATIVE = Polarity.ABSENT, Polarity.NEGATIVE

ERRORS: list[tuple[Exception, Polarity]] = [
    (errors.TimeoutError(), ABSENT),
    (errors.FlushTimeoutError(), ABSENT),
    (errors.NoServersError(), ABSENT),
    (errors.StaleConnectionError(), ABSENT),
    (errors.UnexpectedEOF(), ABSENT),
    (errors.ConnectionClosedError(), ABSENT),
    (errors.ConnectionReconnectingError(), ABSENT),
    (stream_errors.NoStreamResponseError(), ABSENT),
    (TimeoutError(), ABSENT),
    (ConnectionRefusedError(), ABSENT),
    (OSError("no route to host"), ABSENT),
    (errors.Error("nats: empty response from server when expecting INFO message"), NEGATIVE),
    (errors.AuthorizationError(), NEGATIVE),
    (errors.NoRespondersError(), NEGATIVE),
    (errors.ProtocolError(), NEGATIVE),
    (stream_errors.ServiceUnavailableError(code=503), NEGATIVE),
    (stream_errors.ServerError(code=500), NEGATIVE),
    (stream_errors.BucketNotFoundError(), NEGATIVE),
    (stream_errors.APIError(code=409), NEGATIVE),
    (RuntimeError("a defect in the client"), NEGATIVE),
]


@pytest.mark.parametrize(("error", "polarity"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_error_says_what_it_says(error: Exception, polarity: Polarity) -> None:
    """Who says no has answered; who says nothing has not."""
    assert polarity_of_nats(error) is polarity


def test_every_row_is_tried() -> None:
    """A row that nobody tries may say anything."""
    assert set(POLARITIES) <= {kind for error, _ in ERRORS for kind in type(error).__mro__}


@pytest.mark.parametrize(
    ("servers", "options", "says"),
    [
        ([], {}, "needs an address"),
        ("nats://127.0.0.1", {"timeout": 0}, "timeout"),
        ("nats://127.0.0.1", {"client": {"error_cb": print}}, "error_cb"),
        ("nats://127.0.0.1", {"bucket": "probes", "jetstream": False}, "bucket"),
    ],
)
def test_what_cannot_work_is_refused(servers: Any, options: dict[str, Any], says: str) -> None:  # noqa: ANN401 - wrong ones too
    """It is found at birth."""
    with pytest.raises(OptionError, match=says):
        NatsProbe(servers, **options)
