"""SCIM as data: what is asked for, what is read from answers, and when two states are the same."""

from __future__ import annotations

import json

import pytest

from switchgear.connectors.http import HttpConnection, HttpOperation
from switchgear.connectors.scim import OPERATIONS, ScimConnection
from switchgear.connectors.scim.messages import ERROR_SCHEMA, equals, patch, patching, stated_error
from switchgear.connectors.scim.states import UserState, ground_of_sameness, recorded_state, shown_state
from switchgear.core.effects import Effect
from switchgear.core.errors import Invalid, OptionError
from switchgear.execution.arguments import schema_problems, validate
from switchgear.execution.contract import Tool

HTTP = HttpConnection(name="idp", base_url="https://idp.example.com/scim/v2")
REVOKE = HttpOperation(method="POST", path="/Users/{user_id}/sessions:revoke", query=(), body="none", result="none")
ON, OFF = True, False
STATE = {"active": False, "version": 'W/"2"', "last_modified": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ada", 'userName eq "ada"'),
        ('a" or active eq true or userName eq "', r'userName eq "a\" or active eq true or userName eq \""'),
        ("back\\slash", r'userName eq "back\\slash"'),
        ("line\nend\x00", r'userName eq "line\nend\u0000"'),
        ("Zoë", 'userName eq "Zoë"'),
    ],
)
def test_no_value_leaves_its_filter(value: str, expected: str) -> None:
    """A filter's value is a JSON string (RFC 7644 §3.4.2.2): whatever it holds, it compares and never commands."""
    found = equals("userName", value)
    assert found == expected
    assert json.loads(found.removeprefix("userName eq ")) == value


@pytest.mark.parametrize(
    ("version", "condition"),
    [
        ('W/"3694e05e9dff590"', 'W/"3694e05e9dff590"'),
        ('"7"', '"7"'),
        ("7", None),
        ('"a" , "b"', None),
        ('"x"\r\nX-Evil: 1', None),
        ("*", None),
        (None, None),
    ],
)
def test_only_an_entity_tag_is_a_condition(version: str | None, condition: str | None) -> None:
    """``If-Match`` carries one entity tag (RFC 9110 §8.8.3); anything else is left out."""
    assert patch(version).headers.get("If-Match") == condition


@pytest.mark.parametrize(
    ("active", "operation"),
    [
        (False, {"op": "replace", "path": "active", "value": False}),
        (True, {"op": "replace", "path": "active", "value": True}),
        (None, {"op": "remove", "path": "active"}),
    ],
)
def test_a_patch_sets_one_attribute(active: bool | None, operation: dict[str, object]) -> None:  # noqa: FBT001 - a row
    """A change touches ``active`` and nothing else; an attribute that was not there is removed again."""
    assert patching("7", active=active)["Operations"] == [operation]


@pytest.mark.parametrize(
    ("user", "etag", "state"),
    [
        ({"active": True}, None, UserState(ON)),
        ({}, None, UserState(None)),
        ({"active": True, "meta": {"version": 'W/"1"', "lastModified": "t"}}, None, UserState(ON, 'W/"1"', "t")),
        ({"active": False, "meta": {"version": 'W/"1"'}}, 'W/"2"', UserState(OFF, 'W/"2"')),
        ({"active": False, "meta": None}, "", UserState(OFF)),
    ],
)
def test_a_user_is_read(user: dict[str, object], etag: str | None, state: UserState) -> None:
    """The header beats ``meta.version``; what a server does not give is not known."""
    assert shown_state(user, etag) == state


@pytest.mark.parametrize(
    "user", [None, [], "ada", {"active": "true"}, {"active": 1}, {"meta": 3}, {"meta": {"version": 1}}]
)
def test_a_user_that_cannot_be_read_is_no_user(user: object) -> None:
    """Nothing is guessed: text that reads like a truth value is none."""
    with pytest.raises(ValueError, match=r"no object|no text|neither true nor false"):
        shown_state(user)


LEFT = UserState(OFF, 'W/"2"', "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("left", "present", "ground"),
    [
        (LEFT, LEFT, "version"),
        (LEFT, UserState(OFF, '"2"', "2027-01-01T00:00:00Z"), "version"),
        (LEFT, UserState(OFF, 'W/"3"', LEFT.last_modified), None),
        (LEFT, UserState(ON, 'W/"2"', LEFT.last_modified), None),
        (LEFT, UserState(None, 'W/"2"', LEFT.last_modified), None),
        (LEFT, UserState(OFF, None, "2026-01-01T01:00:00+01:00"), "last_modified"),
        (LEFT, UserState(OFF, None, "2026-01-01T00:00:01Z"), None),
        (UserState(OFF, None, "then"), UserState(OFF, 'W/"9"', "then"), "last_modified"),
        (UserState(OFF, None, "then"), UserState(OFF, None, "later"), None),
        (LEFT, UserState(OFF), "value"),
        (UserState(OFF), LEFT, "value"),
        (UserState(OFF), UserState(ON), None),
    ],
)
def test_sameness_names_its_ground(left: UserState, present: UserState, ground: str | None) -> None:
    """The best evidence that both have decides; another value or version is never the same user."""
    assert ground_of_sameness(left, present) == ground


def test_a_recorded_state_comes_back() -> None:
    """What was recorded is what is compared with; null is a state that is not known."""
    assert recorded_state("now", LEFT.to_json()) == LEFT
    assert recorded_state("prior", None) is None
    with pytest.raises(Invalid, match="argument 'now' is no state of a user"):
        recorded_state("now", "inactive")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"schemas": [ERROR_SCHEMA], "scimType": "uniqueness", "detail": "taken", "status": "409"},
            "uniqueness: taken",
        ),
        ({"schemas": [ERROR_SCHEMA], "status": "404"}, ""),
        ({"schemas": 1}, None),
        ({"detail": "no"}, None),
        ([], None),
    ],
)
def test_a_scim_error_is_recognised(body: object, said: str | None) -> None:
    """Only what says that it is a SCIM error (RFC 7644 §3.12) speaks for the server."""
    assert stated_error(json.dumps(body).encode()) == said
    assert stated_error(b"<html>") is None


def test_sessions_are_ended_only_where_it_is_declared_how() -> None:
    """SCIM has no such request, so without a declaration the operation does not exist."""
    assert set(OPERATIONS) == {"lookup_user", "deactivate", "restore"}
    assert set(ScimConnection(http=HTTP).operations) == set(OPERATIONS)
    assert set(ScimConnection(http=HTTP, revoke_sessions=REVOKE).operations) == {*OPERATIONS, "revoke_sessions"}


@pytest.mark.parametrize(
    ("request_", "wrong"),
    [
        (HttpOperation(method="GET", path="/Users/{user_id}/logout", body="none"), "one of POST, PUT, PATCH, DELETE"),
        (HttpOperation(method="POST", path="/Users/{user_id}/logout"), "has no body"),
        (HttpOperation(method="DELETE", path="/sessions"), "needs {user_id} and no more"),
        (HttpOperation(method="DELETE", path="/{realm}/{user_id}"), "needs {user_id} and no more"),
        (
            HttpOperation(method="DELETE", path="https://other.example/{user_id}"),
            "hosts of the connector does not list",
        ),
    ],
)
def test_a_request_that_ends_sessions_is_checked_at_birth(request_: HttpOperation, wrong: str) -> None:
    """A wrong declaration is told when it is made, not when an account has to be contained."""
    with pytest.raises(OptionError, match=wrong):
        ScimConnection(http=HTTP, revoke_sessions=request_)


def test_operations_say_what_they_do() -> None:
    """Looking changes nothing; the others set a value, and name what they touch."""
    known = ScimConnection(http=HTTP, revoke_sessions=REVOKE).operations
    assert {name: (found.effect, found.resource) for name, found in known.items()} == {
        "lookup_user": (Effect.READ_ONLY, None),
        "deactivate": (Effect.NATURAL, "users/{user_id}"),
        "restore": (Effect.NATURAL, "users/{user_id}"),
        "revoke_sessions": (Effect.NATURAL, "users/{user_id}/sessions"),
    }


def test_another_request_is_another_contract() -> None:
    """Another server, operation or revocation gives another binding; the same gives the same."""
    plain, revoking = ScimConnection(http=HTTP), ScimConnection(http=HTTP, revoke_sessions=REVOKE)
    bindings = {plain.binding("restore"), plain.binding("deactivate"), revoking.binding("revoke_sessions")}
    assert len(bindings) == 3
    assert plain.binding("restore") == revoking.binding("restore")
    assert "sessions:revoke" in revoking.binding("revoke_sessions")


@pytest.mark.parametrize(
    ("operation", "arguments", "fits"),
    [
        ("deactivate", {"user_id": "7"}, True),
        ("deactivate", {"user_id": "7", "prior": STATE}, True),
        ("deactivate", {"user_id": ""}, False),
        ("deactivate", {"user_id": "7", "active": False}, False),
        ("restore", {"user_id": "7", "prior": {"active": True}, "now": STATE}, True),
        ("restore", {"user_id": "7", "prior": None, "now": None}, True),
        ("restore", {"user_id": "7"}, False),
        ("restore", {"user_id": "7", "prior": {}, "now": STATE}, False),
        ("lookup_user", {"user_name": "ada"}, True),
        ("lookup_user", {}, False),
        ("lookup_user", {"user_name": "ada", "user_id": "7"}, False),
    ],
)
def test_arguments_are_held_against_their_schema(operation: str, arguments: dict[str, object], *, fits: bool) -> None:
    """What an operation cannot carry out is refused at admission, before anything is recorded."""
    schema = OPERATIONS[operation].arguments_schema
    assert schema_problems(schema) == []
    tool = Tool(name="idp.tool", requires=("idp",), arguments_schema=schema)
    if fits:
        validate(tool, arguments)
        return
    with pytest.raises(Invalid):
        validate(tool, arguments)
