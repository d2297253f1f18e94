"""One call makes one request, the same bytes every time, and every argument has a place in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from switchgear.connectors.credentials import Credentials, PerTenant, Reference
from switchgear.connectors.http.request import Prepared, prepare
from switchgear.connectors.http.specification import HttpConnection, HttpOperation
from switchgear.core.errors import Invalid, OptionError
from tests.unit.connectors.calling import call_of

CREDENTIALS = Credentials({"TOKEN": "s3cret-token", "ACME": "acme-token"}, Path())


def _prepared(
    operation: HttpOperation, *, headers: dict[str, Any] | None = None, key: str = "key-1", **arguments: object
) -> Prepared:
    connection = HttpConnection(name="crm", base_url="https://api.example.com/v2/", headers=headers or {})
    return prepare(connection, operation, call_of(key=key, arguments=arguments), CREDENTIALS)


def test_path_query_and_body_share_the_arguments() -> None:
    """Path and query take theirs, the body takes the rest, as canonical JSON."""
    operation = HttpOperation(method="POST", path="/contacts/{id}", query=("dry_run",))
    request = _prepared(operation, id="7", dry_run=True, name="b", email="a")
    assert request.url == "https://api.example.com/v2/contacts/7?dry_run=true"
    assert request.content == b'{"email":"a","name":"b"}'
    assert request.headers["content-type"] == "application/json"


def test_without_a_body_the_rest_goes_into_the_query() -> None:
    """A GET puts what the path leaves into the query; lists repeat, None is left out."""
    operation = HttpOperation(method="GET", path="/search")
    request = _prepared(operation, q="a&b=c", tags=["x", "y z"], page=None)
    assert request.url == "https://api.example.com/v2/search?q=a%26b%3Dc&tags=x&tags=y%20z"
    assert request.content is None


def test_listed_members_make_the_body() -> None:
    """A listed body holds its members; what is listed but absent is left out."""
    operation = HttpOperation(method="PUT", path="/c/{id}", body=("email", "name"))
    assert _prepared(operation, id="7", email="a").content == b'{"email":"a"}'


@pytest.mark.parametrize(
    "operation",
    [
        HttpOperation(method="PUT", path="/c/{id}", body=("email",)),
        HttpOperation(method="GET", path="/c/{id}", query=("email",)),
        HttpOperation(method="POST", path="/c/{id}", body="none", query=()),
    ],
)
def test_an_argument_without_a_place_is_refused(operation: HttpOperation) -> None:
    """Nothing is dropped silently."""
    with pytest.raises(Invalid, match="stray"):
        _prepared(operation, id="7", stray=1)


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], "\ud800"])
def test_a_query_holds_plain_values_only(value: object) -> None:
    """What has no plain text cannot stand in a URL."""
    with pytest.raises(Invalid):
        _prepared(HttpOperation(method="GET", path="/search"), q=value)


def test_a_full_url_leaves_the_base() -> None:
    """An operation may stand on another listed host."""
    operation = HttpOperation(method="GET", path="https://files.example.com/x/{id}")
    assert _prepared(operation, id="7").url == "https://files.example.com/x/7"
    assert operation.host == "files.example.com"


def test_headers_come_from_connection_and_operation() -> None:
    """References are read, the operation's headers win, and secrets are known for hiding."""
    operation = HttpOperation(method="POST", path="/c", headers={"x-a": "2"}, idempotency_header="Idempotency-Key")
    headers = {"X-A": "1", "Authorization": Reference("env", "TOKEN", "Bearer ")}
    request = _prepared(operation, headers=headers)
    assert request.headers["x-a"] == "2"
    assert request.headers["authorization"] == "Bearer s3cret-token"
    assert request.headers["idempotency-key"] == "key-1"
    assert request.secrets == ("s3cret-token",)
    assert "s3cret" not in repr(request)


def test_each_tenant_has_its_own_credential() -> None:
    """A tenant's value is used for it, and a tenant that is not listed gets none: nothing is sent."""
    operation = HttpOperation(method="GET", path="/c")
    own = {"Authorization": PerTenant({"acme": Reference("env", "ACME")})}
    assert _prepared(operation, headers=own).headers["authorization"] == "acme-token"
    with pytest.raises(OptionError, match="this tenant"):
        _prepared(operation, headers={"Authorization": PerTenant({"other": Reference("env", "ACME")})})


@pytest.mark.parametrize("key", ["", "a\r\nX: 1", "é", " a"])
def test_a_key_that_cannot_stand_in_a_header_is_refused(key: str) -> None:
    """No header can be injected through an idempotency key."""
    operation = HttpOperation(method="POST", path="/c", idempotency_header="Idempotency-Key")
    with pytest.raises(Invalid, match="key"):
        _prepared(operation, key=key)
