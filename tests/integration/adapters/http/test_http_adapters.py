"""Every HTTP adapter, with its real client, against a real server on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.adapters.http.clients import SUBJECTS, opened
from tests.integration.adapters.http.conformance import HttpConformance, Make
from tests.integration.adapters.http.server import Server

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the scripted server."""
    with Server() as running:
        yield running


@pytest.fixture(params=SUBJECTS)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Return the maker of each client in turn."""
    with opened(request.param) as maker:
        yield maker


class TestHttpAdapters(HttpConformance):
    """The conformance suite over every client."""
