"""Requests as SCIM words them: which path, which query, which body. Nothing here sends anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from switchgear.connectors.http import HttpOperation
from switchgear.connectors.values import parse_json

PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"

_ENTITY_TAG = re.compile(r'(W/)?"[!#-~]*"\Z')
_ACCEPT = {"Accept": "application/scim+json, application/json;q=0.9"}
_SHOWN = "active,meta"
_USER = "/Users/{user_id}"

READ = HttpOperation(method="GET", path=_USER, query=("attributes",), headers=_ACCEPT, result="json")
"""One user by id."""

FIND = HttpOperation(
    method="GET", path="/Users", query=("attributes", "count", "filter"), headers=_ACCEPT, result="json"
)
"""The users that a filter finds."""


def reading(user_id: object) -> dict[str, object]:
    """Return the arguments of `READ`: only what is needed is asked for (RFC 7644 §3.9)."""
    return {"user_id": user_id, "attributes": _SHOWN}


def finding(attribute: str, value: str) -> dict[str, object]:
    """Return the arguments of `FIND` for the users whose `attribute` equals `value`. Two are enough to be too many."""
    return {"filter": equals(attribute, value), "attributes": f"{attribute},{_SHOWN}", "count": 2}


def equals(attribute: str, value: str) -> str:
    """Return the filter ``attribute eq "value"``. The value is a JSON string (RFC 7644 §3.4.2.2)."""
    return f"{attribute} eq {json.dumps(value, ensure_ascii=False)}"


def patch(version: str | None) -> HttpOperation:
    """Return the operation that patches a user, on condition that it is still at `version`.

    A version that is no entity tag (RFC 9110 §8.8.3) cannot be a condition: then there is none.
    """
    condition = {"If-Match": version} if version is not None and _ENTITY_TAG.match(version) else {}
    headers = {**_ACCEPT, "Content-Type": "application/scim+json", **condition}
    return HttpOperation(
        method="PATCH",
        path=_USER,
        query=("attributes",),
        body=("schemas", "Operations"),
        headers=headers,
        result="auto",
    )


def patching(user_id: object, *, active: bool | None) -> dict[str, object]:
    """Return the arguments of `patch` that set ``active``, or remove it where `active` is None.

    Attributes are asked for, so that the server must answer with the user (RFC 7644 §3.5.2).
    """
    operation: dict[str, object] = {"op": "remove", "path": "active"}
    if active is not None:
        operation = {"op": "replace", "path": "active", "value": active}
    return {"user_id": user_id, "attributes": _SHOWN, "schemas": [PATCH_SCHEMA], "Operations": [operation]}


def stated_error(body: bytes) -> str | None:
    """Return what a SCIM error says (RFC 7644 §3.12), empty when it says nothing; None when `body` holds none."""
    try:
        error = parse_json(body)
    except ValueError:
        return None
    schemas = error.get("schemas") if isinstance(error, Mapping) else None
    if not isinstance(error, Mapping) or not isinstance(schemas, list) or ERROR_SCHEMA not in schemas:
        return None
    return ": ".join(str(error[name]) for name in ("scimType", "detail") if error.get(name))
