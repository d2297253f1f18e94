"""Streams and consumers that are made sure of: made when missing, compared when there, changed when they differ.

Only what you say is compared. A field left at its default is nobody's wish, and stays as the server has it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Literal

from switchgear.adapters.gate import missing
from switchgear.adapters.nats.link import Link
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError

try:
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig
    from nats.js.errors import APIError, BadRequestError, NotFoundError
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error

Found = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class EnsuredStream:
    """What was found and done: `changed` names the fields that differed."""

    name: str
    found: Found
    changed: tuple[str, ...] = ()


async def ensure_stream(link: Link, wanted: StreamConfig) -> EnsuredStream:
    """Make sure of one stream. Doing it again changes nothing.

    Raises `OptionError` when the server will not change what differs, and for a stream without a name.
    """
    if not wanted.name:
        raise OptionError('a stream needs a name; write for example StreamConfig(name="orders", subjects=["orders.>"])')
    return await link.run("stream.ensure", lambda: _ensure(link.streams, wanted), effect=Effect.NATURAL)


def differences(wanted: StreamConfig, present: StreamConfig) -> tuple[str, ...]:
    """Return the names of the fields in which `present` is not as `wanted` says."""
    said = [each.name for each in fields(StreamConfig) if getattr(wanted, each.name) != each.default]
    return tuple(name for name in said if _plain(getattr(wanted, name)) != _plain(getattr(present, name)))


async def _ensure(streams: JetStreamContext, wanted: StreamConfig) -> EnsuredStream:
    name = str(wanted.name)
    try:
        present = (await streams.stream_info(name)).config
    except NotFoundError:
        made = await _created(streams, wanted)
        if made is not None:
            return made
        present = (await streams.stream_info(name)).config
    changed = differences(wanted, present)
    if not changed:
        return EnsuredStream(name, "unchanged")
    await _update(streams, wanted, present, changed)
    return EnsuredStream(name, "updated", changed)


async def _created(streams: JetStreamContext, wanted: StreamConfig) -> EnsuredStream | None:
    """Make the stream. Return None when somebody else made it in between."""
    try:
        await streams.add_stream(wanted)
    except BadRequestError as error:
        if error.err_code != _NAME_IN_USE:
            raise
        return None
    return EnsuredStream(str(wanted.name), "created")


async def _update(
    streams: JetStreamContext, wanted: StreamConfig, present: StreamConfig, changed: tuple[str, ...]
) -> None:
    wish: dict[str, Any] = {name: getattr(wanted, name) for name in changed}
    try:
        await streams.update_stream(present.evolve(**wish))
    except APIError as error:
        if not isinstance(error, BadRequestError) and error.err_code != _CANNOT_CHANGE:
            raise
        raise OptionError(
            f"stream {wanted.name} differs in {', '.join(changed)}, and the server does not change it: "
            f"{error.description}; give the new stream another name"
        ) from error


def _plain(value: object) -> object:
    """Return a value so that the order of subjects and the type of a word do not matter."""
    if isinstance(value, list):
        return sorted(map(repr, value))
    return value.value if isinstance(value, Enum) else value


_NAME_IN_USE = 10058  # codes of JetStream
_CANNOT_CHANGE = 10052
