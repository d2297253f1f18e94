"""Makes what came back fit into JSON, or says that it does not. It never guesses."""

from __future__ import annotations

import json

import msgspec

MESSAGE_MAX = 300
"""The most characters of a foreign text that a message of ours carries."""


def as_json(value: object) -> object:
    """Return `value` as plain JSON values (dict, list, str, int, float, bool, None).

    Tuples become lists, keys become text as `json` words them. Raises `ValueError` for what JSON cannot carry: other
    types, NaN, infinities, lone surrogates, values nested too deep.
    """
    try:
        decoded: object = msgspec.json.decode(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
        return decoded
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{type(value).__name__} does not fit into JSON: {error}") from None


def parse_json(text: bytes) -> object:
    """Return the JSON value that `text` holds. Raises `ValueError` when it holds none."""
    try:
        decoded: object = msgspec.json.decode(text)
        return decoded
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def brief(text: object) -> str:
    """Return foreign text on one line, without control characters, at most `MESSAGE_MAX` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= MESSAGE_MAX else f"{line[: MESSAGE_MAX - 1]}…"


def brief_error(error: BaseException) -> str:
    """Return type and text of a foreign error, bounded as `brief` does. An error whose text fails has none."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything, and the type alone is a fair message
        text = ""
    return brief(f"{type(error).__name__}: {text}" if text else type(error).__name__)
