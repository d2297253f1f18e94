"""Canonical JSON (RFC 8785, JCS) and the payload digest built on it.

Two payloads have the same digest if and only if they are the same JSON value. What JSON cannot say exactly
(NaN, infinities, integers beyond 2^53, lone surrogates, non-string keys, other types) is refused.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

from switchgear.core.errors import Invalid

_EXACT_INTEGER_MAX = 2**53 - 1
_DEPTH_MAX = 64
_PLAIN_DIGITS_MAX = 21
_PLAIN_ZEROS_MAX = 6
_WORDS = {None: "null", True: "true", False: "false"}


def canonical_json(value: object) -> bytes:
    """Return the canonical UTF-8 bytes of `value` (dict, list, tuple, str, int, float, bool, None).

    Raises `Invalid` when the value has no canonical form or is nested deeper than 64 levels.
    """
    pieces: list[str] = []
    _write(value, 0, pieces)
    try:
        return "".join(pieces).encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("text contains a lone surrogate, which JSON cannot carry") from None


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical JSON of `value`, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _write(value: object, depth: int, pieces: list[str]) -> None:
    """Add the canonical text of `value` to `pieces`."""
    text_of = _TEXTS.get(value.__class__)
    if text_of is not None:
        pieces.append(text_of(value))
    elif isinstance(value, dict):
        _write_members(value, depth + 1, pieces)
    elif isinstance(value, (list, tuple)):
        _write_items(value, depth + 1, pieces)
    elif (kind := next((kind for kind in (str, int, float) if isinstance(value, kind)), None)) is not None:
        pieces.append(_TEXTS[kind](value))  # it has a class of its own, as a word of an enumeration has
    elif isinstance(value, Mapping):  # last: a protocol is asked slowly
        _write_members(value, depth + 1, pieces)
    else:
        raise Invalid(f"{type(value).__name__} is not a JSON type")


def _write_items(values: Sequence[object], depth: int, pieces: list[str]) -> None:
    if depth > _DEPTH_MAX:
        raise _too_deep()
    opening = "["
    for value in values:
        pieces.append(opening)
        _write(value, depth, pieces)
        opening = ","
    pieces.append("[]" if opening == "[" else "]")


def _write_members(members: Mapping[Any, object], depth: int, pieces: list[str]) -> None:
    if depth > _DEPTH_MAX:
        raise _too_deep()
    opening = "{"
    for key in _in_order(members):
        value = members[key]
        text_of = _TEXTS.get(value.__class__)
        if text_of is not None:
            pieces.append(f"{opening}{encode_basestring(key)}:{text_of(value)}")
        else:
            pieces.append(f"{opening}{encode_basestring(key)}:")
            _write(value, depth, pieces)
        opening = ","
    pieces.append("{}" if opening == "{" else "}")


def _too_deep() -> Invalid:
    return Invalid(f"nested deeper than {_DEPTH_MAX} levels")


def _in_order(members: Mapping[Any, object]) -> list[str]:
    """Return the keys by their UTF-16 code units; for ASCII that is the order of text."""
    keys: list[str] = list(members)
    try:
        plain = "".join(keys).isascii()
    except TypeError:
        other = next(key for key in members if not isinstance(key, str))
        raise Invalid(f"object keys must be text, not {type(other).__name__}") from None
    keys.sort(key=None if plain else _utf16)
    return keys


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _integer(value: int) -> str:
    if abs(value) > _EXACT_INTEGER_MAX:
        raise Invalid("an integer beyond 2^53 is not exact in JSON; send it as text")
    return str(value)


def _number(value: float) -> str:
    """Format as ECMAScript's Number::toString does, which RFC 8785 prescribes."""
    if not math.isfinite(value):
        raise Invalid("NaN and infinities are not JSON numbers")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    digits, exponent = _shortest(abs(value))
    return sign + _place(digits, exponent)


def _shortest(value: float) -> tuple[str, int]:
    """Return the shortest round-trip digits, and where the decimal point stands counted from their start."""
    mantissa, _, power = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    written = whole + fraction
    leading_zeros = len(written) - len(written.lstrip("0"))
    return written.strip("0"), len(whole) + int(power or 0) - leading_zeros


def _place(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= _PLAIN_DIGITS_MAX:
        return digits + "0" * (point - count)
    if 0 < point <= _PLAIN_DIGITS_MAX:
        return f"{digits[:point]}.{digits[point:]}"
    if -_PLAIN_ZEROS_MAX < point <= 0:
        return f"0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{'+' if power >= 0 else '-'}{abs(power)}"


_TEXTS: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: _integer,
    float: _number,
    bool: _WORDS.__getitem__,
    type(None): _WORDS.__getitem__,
}
"""What makes the text of a value that holds no others, by its class."""
