"""What a SCIM server says of a user at one moment, and whether two such words describe the same untouched user.

Nothing but activity and version is kept: no name, no address. Nothing here sends anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from switchgear.core.errors import Invalid

Ground = Literal["version", "last_modified", "value"]
"""What a comparison rests on: the entity tag, the moment of the last change, or the value of ``active`` alone."""

STATE_SCHEMA: Mapping[str, Any] = {
    "type": ["object", "null"],
    "required": ["active"],
    "additionalProperties": False,
    "properties": {
        "active": {"type": ["boolean", "null"]},
        "version": {"type": ["string", "null"], "maxLength": 1_024},
        "last_modified": {"type": ["string", "null"], "maxLength": 64},
    },
}
"""JSON Schema of a recorded state. Null stands for a state that is not known."""


@dataclass(frozen=True, slots=True)
class UserState:
    """A user as a server shows it.

    `active` is None when the server shows no such attribute. `version` is the entity tag, `last_modified` the text of
    ``meta.lastModified``; each is None where the server gives none.
    """

    active: bool | None
    version: str | None = None
    last_modified: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return it as it is recorded."""
        return asdict(self)


def recorded_state(name: str, value: object) -> UserState | None:
    """Return a state that was recorded before, None for null.

    Raises `Invalid` that calls it `name` when it is no state.
    """
    if value is None:
        return None
    try:
        return _state(value, "version", "last_modified")
    except ValueError as error:
        raise Invalid(f"argument {name!r} is no state of a user: {error}", policy="arguments") from None


def shown_state(user: object, etag: str | None = None) -> UserState:
    """Return the state that a SCIM user shows. `etag` is the header of the answer; it beats ``meta.version``.

    Raises `ValueError` that says what is missing or of the wrong type.
    """
    fields = _object(user, "the user")
    meta = _object(fields.get("meta") or {}, "meta")
    shown = {"active": fields.get("active"), "version": meta.get("version"), "modified": meta.get("lastModified")}
    return _state(shown if etag is None else {**shown, "version": etag}, "version", "modified")


def ground_of_sameness(left: UserState, present: UserState) -> Ground | None:
    """Return what shows that nobody touched a user since it was `left`; None when somebody did.

    The entity tag decides where both have one, else the moment of the last change, else the value alone.
    """
    if left.active is not present.active:
        return None
    if left.version is not None and present.version is not None:
        return "version" if opaque_tag(left.version) == opaque_tag(present.version) else None
    if left.last_modified is not None and present.last_modified is not None:
        return "last_modified" if _moment(left.last_modified) == _moment(present.last_modified) else None
    return "value"


def opaque_tag(version: str) -> str:
    """Return an entity tag without its mark of weakness and its quotes (RFC 9110 §8.8.3)."""
    return version.strip().removeprefix("W/").strip('"')


def _state(value: object, version: str, last_modified: str) -> UserState:
    fields = _object(value, "it")
    active = fields.get("active")
    if not (active is None or isinstance(active, bool)):
        raise ValueError(f"active is neither true nor false but {type(active).__name__}")
    return UserState(active, _text(fields, version), _text(fields, last_modified))


def _object(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no object")  # noqa: TRY004 - a foreign value is wrong, not a type of ours
    return value


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if not (value is None or isinstance(value, str)):
        raise ValueError(f"{name} is no text but {type(value).__name__}")
    return value or None


def _moment(text: str) -> datetime | str:
    """Return the moment, or the text itself where it is none: two spellings of one moment are equal."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text
