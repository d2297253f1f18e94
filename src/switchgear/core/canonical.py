"""Canonical JSON (RFC 8785, JCS) and the payload digest built on it.

Two payloads have the same digest if and only if they are the same JSON value. What JSON cannot say exactly
(NaN, infinities, integers beyond 2^53, lone surrogates, non-string keys, other types) is refused.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring

from switchgear.core.errors import Invalid

_EXACT_INTEGER_MAX = 2**53 - 1
_DEPTH_MAX = 64
_PLAIN_DIGITS_MAX = 21
_PLAIN_ZEROS_MAX = 6


def canonical_json(value: object) -> bytes:
    """Return the canonical UTF-8 bytes of `value` (dict, list, tuple, str, int, float, bool, None).

    Raises `Invalid` when the value has no canonical form or is nested deeper than 64 levels.
    """
    try:
        return "".join(_pieces(value, 0)).encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("text contains a lone surrogate, which JSON cannot carry") from None


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical JSON of `value`, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _pieces(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield encode_basestring(value)
    elif value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, int):
        yield _integer(value)
    elif isinstance(value, float):
        yield _number(value)
    else:
        yield from _container(value, depth)


def _container(value: object, depth: int) -> Iterator[str]:
    if depth >= _DEPTH_MAX:
        raise Invalid(f"nested deeper than {_DEPTH_MAX} levels")
    if isinstance(value, Mapping):
        yield from _members(value, depth)
    elif isinstance(value, (list, tuple)):
        yield "["
        for index, item in enumerate(value):
            yield "," if index else ""
            yield from _pieces(item, depth + 1)
        yield "]"
    else:
        raise Invalid(f"{type(value).__name__} is not a JSON type")


def _members(value: Mapping[object, object], depth: int) -> Iterator[str]:
    yield "{"
    for index, (key, item) in enumerate(sorted(map(_text_keyed, value.items()), key=_utf16_of_key)):
        yield f"{',' if index else ''}{encode_basestring(key)}:"
        yield from _pieces(item, depth + 1)
    yield "}"


def _text_keyed(member: tuple[object, object]) -> tuple[str, object]:
    key, item = member
    if not isinstance(key, str):
        raise Invalid(f"object keys must be text, not {type(key).__name__}")
    return key, item


def _utf16_of_key(member: tuple[str, object]) -> bytes:
    return member[0].encode("utf-16-be")


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
