"""SCIM operations against a real SCIM server on loopback: scim2-server, which knows nothing of Switchgear."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx2
import pytest
from scim2_models import ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import load_default_resource_types, load_default_schemas, load_default_service_provider_config

from switchgear.connectors.credentials import Credentials, Reference
from switchgear.connectors.http import HttpConnection
from switchgear.connectors.scim import ScimConnection, ScimConnector
from switchgear.connectors.scim.messages import PATCH_SCHEMA
from switchgear.core.codes import Code
from switchgear.execution.contract import Refused, Result, Succeeded
from tests.unit.connectors.calling import call_of

pytestmark = pytest.mark.integration

TOKEN = "opensesame"
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"


class _Quiet(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Idp:
    """A running identity provider, and an administrator of it."""

    url: str
    versioned: bool
    administrator: httpx2.Client

    def add(self, name: str, **attributes: object) -> str:
        """Add a user and return its id."""
        user = {"schemas": [USER_SCHEMA], "userName": name, **attributes}
        answer = self.administrator.post("/Users", json=user).raise_for_status()
        return str(answer.json()["id"])

    def change(self, user_id: str, **attributes: object) -> None:
        """Change attributes of a user."""
        operations = [{"op": "replace", "path": path, "value": value} for path, value in attributes.items()]
        body = {"schemas": [PATCH_SCHEMA], "Operations": operations}
        self.administrator.patch(f"/Users/{user_id}", json=body).raise_for_status()

    def active(self, user_id: str) -> object:
        """Return whether a user is active, None when that is not said."""
        return self.administrator.get(f"/Users/{user_id}").raise_for_status().json().get("active")


@pytest.fixture(scope="module", params=[True, False], ids=["versions", "no-versions"])
def provider(request: pytest.FixtureRequest) -> ScimProvider:
    """Return what the server speaks; once with entity tags and once without. It takes half a second to make."""
    config = load_default_service_provider_config()
    assert config.etag is not None
    config.etag.supported = request.param
    return ScimProvider.from_discovery(
        load_default_schemas().values(), load_default_resource_types().values(), config=config
    )


@pytest.fixture
def idp(provider: ScimProvider) -> Iterator[Idp]:
    """Return a running server without users."""
    assert provider.config is not None
    assert provider.config.etag is not None
    application = BearerTokenApplication(InMemoryStorage(), provider, bearer_tokens=[TOKEN])
    with make_server("127.0.0.1", 0, application, WSGIServer, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/v2"
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as administrator:
            yield Idp(url, bool(provider.config.etag.supported), administrator)
        server.shutdown()
        thread.join()


@pytest.fixture
async def scim(idp: Idp) -> AsyncIterator[ScimConnector]:
    """Return a connector to the server."""
    connector = _connector(idp, TOKEN)
    yield connector
    await connector.close()


def _connector(idp: Idp, token: str) -> ScimConnector:
    http = HttpConnection(name="idp", base_url=idp.url, headers={"Authorization": Reference("env", "TOKEN", "Bearer ")})
    connector = ScimConnector(ScimConnection(http=http), Credentials({"TOKEN": token}, Path()))
    for operation in ("lookup_user", "deactivate", "restore"):
        connector.register(operation, operation)
    return connector


async def _value(scim: ScimConnector, operation: str, **arguments: object) -> dict[str, Any]:
    result = await _result(scim, operation, **arguments)
    assert isinstance(result, Succeeded), result
    return dict(result.value)


async def _result(scim: ScimConnector, operation: str, **arguments: object) -> Result:
    return await scim.execute(call_of(operation, arguments=arguments))


async def test_a_user_is_contained_and_restored(idp: Idp, scim: ScimConnector) -> None:
    """What deactivate returns is all that restore needs, with versions and without."""
    ada = idp.add("ada", active=True)
    done = await _value(scim, "deactivate", user_id=ada)
    assert idp.active(ada) is False
    assert (done["prior"]["active"], done["now"]["active"]) == (True, False)
    assert (done["now"]["version"] is not None) is idp.versioned
    back = await _value(scim, "restore", user_id=ada, **done)
    assert idp.active(ada) is True
    assert back["now"]["active"] is True
    assert back["compared"] == ("version" if idp.versioned else "last_modified")


async def test_a_user_that_never_said_so_is_put_back_as_it_was(idp: Idp, scim: ScimConnector) -> None:
    """A user without ``active`` has none again after its restoration."""
    ada = idp.add("ada")
    done = await _value(scim, "deactivate", user_id=ada)
    assert (done["prior"]["active"], idp.active(ada)) == (None, False)
    await _value(scim, "restore", user_id=ada, **done)
    assert idp.active(ada) is None


@pytest.mark.parametrize("change", [{"active": True}, {"displayName": "Ada"}, {"active": False, "title": "Left"}])
async def test_what_somebody_else_changed_stays(idp: Idp, scim: ScimConnector, change: dict[str, object]) -> None:
    """Any change in between, of ``active`` or of anything else, leaves the decision to a person."""
    ada = idp.add("ada", active=True)
    done = await _value(scim, "deactivate", user_id=ada)
    idp.change(ada, **change)
    before = idp.active(ada)
    result = await _result(scim, "restore", user_id=ada, **done)
    assert isinstance(result, Refused)
    assert (result.code, result.retryable) == (Code.CHANGED_MEANWHILE, False)
    assert result.message.startswith("changed meanwhile")
    assert idp.active(ada) is before


async def test_deactivating_twice_changes_nothing_more(idp: Idp, scim: ScimConnector) -> None:
    """The effect is natural: the second call leaves the version, and so the way back, as it was."""
    ada = idp.add("ada", active=True)
    first = await _value(scim, "deactivate", user_id=ada)
    second = await _value(scim, "deactivate", user_id=ada)
    assert second["now"] == first["now"]
    assert second["prior"] == first["now"]


@pytest.mark.parametrize("name", ["ada", "ADA", 'o"hara \\ & sons', "zoë", "a b+c%20d"])
async def test_a_user_is_found_by_any_name(idp: Idp, scim: ScimConnector, name: str) -> None:
    """Names with quotes, signs and letters beyond ASCII are found, whatever their case; nobody else is."""
    idp.add("bob", externalId="x-bob")
    known = idp.add(name.lower(), externalId=name)
    expected = {"found": True, "user_id": known}
    by_name = await _value(scim, "lookup_user", user_name=name)
    assert expected.items() <= by_name.items()
    assert await _value(scim, "lookup_user", external_id=name) == by_name
    assert await _value(scim, "lookup_user", user_id=known) == by_name


async def test_nobody_is_found_where_nobody_is(idp: Idp, scim: ScimConnector) -> None:
    """The server's own word that there is no such user is an answer."""
    idp.add("bob", externalId="x-bob")
    absent = {"found": False, "user_id": None, "now": None}
    assert await _value(scim, "lookup_user", user_name='" or active eq true or userName eq "') == absent
    assert await _value(scim, "lookup_user", external_id="X") == absent
    assert await _value(scim, "lookup_user", user_id="none") == {**absent, "user_id": "none"}


async def test_several_users_are_nobody_in_particular(idp: Idp, scim: ScimConnector) -> None:
    """An external id that two users have names neither of them."""
    idp.add("ada", externalId="x")
    idp.add("bob", externalId="x")
    result = await _result(scim, "lookup_user", external_id="x")
    assert isinstance(result, Refused)
    assert result.message == "2 users have this externalId; look up by user_id"


async def test_a_missing_user_and_a_wrong_token_are_refusals(idp: Idp, scim: ScimConnector) -> None:
    """The server's own words reach the person who asked, and nothing is in doubt."""
    missing = await _result(scim, "deactivate", user_id="none")
    assert isinstance(missing, Refused)
    assert missing.message.startswith("answered 404: ")
    stranger = _connector(idp, "wrong")
    refused = await _result(stranger, "deactivate", user_id="none")
    await stranger.close()
    assert isinstance(refused, Refused)
    assert (refused.code, refused.retryable) == (Code.TOOL_FAILED, False)
    assert refused.message.startswith("answered 401: ")
