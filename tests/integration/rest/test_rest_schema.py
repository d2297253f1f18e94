"""The application against its own OpenAPI document: generated requests, valid and not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS
from switchgear.surfaces.rest import RestLimits, Traffic, create_app, openapi_document, serve
from tests.integration.rest.support import Upstream, register_tools

SCHEMA = schemathesis.openapi.from_dict(openapi_document())


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentIssuer:
    """Return the issuer that the server trusts."""
    return DevelopmentIssuer.create(tmp_path_factory.mktemp("issuer") / "key")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, issuer: DevelopmentIssuer) -> Iterator[str]:
    """Serve a gear from a thread of its own, since the generator is blocking code. Give its address."""
    server = _ServedFromThread(tmp_path_factory.mktemp("gear") / "gear.db", issuer)
    server.thread.start()
    assert server.listening.wait(60.0)
    yield server.url
    server.stop()
    server.thread.join(60.0)


@pytest.mark.integration
@SCHEMA.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_application_keeps_to_its_document(
    case: schemathesis.Case[Any], address: str, issuer: DevelopmentIssuer
) -> None:
    """Whatever is sent, the answer is one that the document describes, and never a defect."""
    token = issuer.issue(tenant="acme", accounts=["main"], actor="schema", scope=PERMISSIONS)
    response = case.call(base_url=address, headers={"Authorization": f"Bearer {token}"})
    assume(_is_sent_as_generated(case, response.request.url))
    unsayable: list[schemathesis.CheckFunction] = (
        [positive_data_acceptance] if _breaks_a_rule_of_no_schema(response) else []
    )
    case.validate_response(response, excluded_checks=unsayable)


def _breaks_a_rule_of_no_schema(response: schemathesis.Response) -> bool:
    """Say whether a saga was refused for what JSON Schema cannot say of a list: names that differ, and one pivot."""
    detail = response.json().get("detail", "") if response.status_code == HTTPStatus.BAD_REQUEST else ""
    return str(detail).startswith(("two steps are called", "one step can be the pivot"))


def _is_sent_as_generated(case: schemathesis.Case[Any], url: str | None) -> bool:
    """Say whether each generated query parameter is in the URL: an empty list or None leaves nothing to judge."""
    sent = {name for name, _ in parse_qsl(urlsplit(url or "").query, keep_blank_values=True)}
    return set(case.query or {}) <= sent


class _ServedFromThread:
    """A server in a thread with a loop of its own."""

    def __init__(self, store: Path, issuer: DevelopmentIssuer) -> None:
        self.url = ""
        self.listening = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._store = store
        self._issuer = issuer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._traffic: Traffic | None = None

    def stop(self) -> None:
        """Ask the server to stop, from another thread."""
        assert self._loop is not None
        assert self._traffic is not None
        self._loop.call_soon_threadsafe(self._traffic.stop)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._traffic = Traffic(RestLimits(grace=1.0))
        async with Switchgear.open(store=f"sqlite:///{self._store}") as gear:
            register_tools(gear, Upstream())
            app = create_app(gear.control, self._issuer.verifier(), traffic=self._traffic)
            await serve(app, self._traffic, host="127.0.0.1", port=0, ready=self._ready, drain=gear.drain)

    def _ready(self, url: str) -> None:
        self.url = url
        self.listening.set()
