"""Makes what came back fit into JSON and into the ledger, or says that it does not. It never guesses."""

from __future__ import annotations

import json

import msgspec

from switchgear.execution.attempt import unfit

MESSAGE_MAX = 300
"""The most characters of a foreign text that a message of ours carries."""

OWN_MESSAGE_MAX = 2_000
"""The most characters of a message that a tool's function chose itself, by raising one of our errors."""

_LOOKED_AT = 4  # so many times the limit of a text is read, since runs of spaces shrink


def is_plain(value: object) -> bool:
    """Return whether `value` is None, a bool or an int of usual size: kept as it is, and never too long."""
    if type(value) is int:
        return -(2**53) <= value <= 2**53
    return value is None or type(value) is bool


def as_json(value: object) -> object:
    """Return `value` as plain JSON values (dict, list, str, int, float, bool, None).

    Tuples become lists, keys become text as `json` words them. Raises `ValueError` for what JSON cannot carry: other
    types, NaN, infinities, lone surrogates, values nested too deep.
    """
    if is_plain(value):
        return value
    if (copy := _copy_of(value)) is not None:
        return copy
    try:
        decoded: object = msgspec.json.decode(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
        return decoded
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{type(value).__name__} does not fit into JSON: {error}") from None


def _copy_of(value: object) -> object:
    """Return a copy of what is made of plain JSON values all through, as most is; None when it may not be.

    It is several times faster than `json`, but takes more than JSON can say: only what comes back the same is sure.
    """
    try:
        copy: object = msgspec.json.decode(msgspec.json.encode(value))
        same = bool(copy == value)
    except Exception:  # noqa: BLE001 - a foreign comparison may raise anything; `json` decides then
        return None
    return copy if same else None


def recordable(value: object) -> object:
    """Return `value`, made of plain JSON values, or ``{"unrecorded": why}`` where the ledger has no room for it."""
    problem = unfit(value)
    return unrecorded(problem) if problem else value


def unrecorded(why: object) -> dict[str, str]:
    """Return the note that stands for a value that cannot be recorded: the action happened all the same."""
    return {"unrecorded": brief(why)}


def parse_json(text: bytes) -> object:
    """Return the JSON value that `text` holds. Raises `ValueError` when it holds none."""
    try:
        decoded: object = msgspec.json.decode(text)
        return decoded
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def brief(text: object, *, characters_max: int = MESSAGE_MAX) -> str:
    """Return foreign text on one line, without control characters, at most `characters_max` characters."""
    whole = str(text)
    start = whole[: _LOOKED_AT * characters_max]
    line = " ".join("".join(c if c.isprintable() else " " for c in start).split())
    if len(line) <= characters_max and len(start) == len(whole):
        return line
    return f"{line[: characters_max - 1]}…"


def brief_error(error: BaseException) -> str:
    """Return type and text of a foreign error, bounded as `brief` does. An error whose text fails has none."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything, and the type alone is a fair message
        text = ""
    return brief(f"{type(error).__name__}: {text}" if text else type(error).__name__)
