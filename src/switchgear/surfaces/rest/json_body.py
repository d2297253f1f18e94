"""Read a request's JSON body: bounded in bytes and time, and strict (RFC 8259, I-JSON RFC 7493).

Refused: other media types, too many bytes, bytes that come too slowly, invalid UTF-8, NaN and infinities,
members that occur twice, lone surrogates, nesting beyond what can be parsed, unknown or ill-typed members.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from functools import cache
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

import msgspec
from jsonschema import Draft202012Validator
from starlette.requests import ClientDisconnect, Request

from switchgear.core.codes import Code
from switchgear.execution.arguments import PROBLEMS_MAX
from switchgear.execution.schema_words import misfits
from switchgear.surfaces.rest.body_types import with_whole_numbers
from switchgear.surfaces.rest.limits import RestLimits
from switchgear.surfaces.rest.operation import FORMS
from switchgear.surfaces.rest.problems import FieldError, MalformedRequest, malformed

T = TypeVar("T")

_MEDIA_TYPE = re.compile(r'application/(?:[\w.-]+\+)?json\s*(?:;\s*charset="?utf-8"?\s*)?\Z', re.IGNORECASE)


async def read_body(request: Request, kind: type[T], limits: RestLimits) -> T:
    """Return the request's body as a `kind`. Raises `MalformedRequest` for whatever is wrong with it."""
    _check_media_type(request)
    value = parse_json(await _read(request, limits))
    try:
        return msgspec.convert(with_whole_numbers(value, kind), kind)
    except msgspec.ValidationError as error:
        raise refusal_of(error, kind, value) from None


def parse_json(content: bytes) -> object:
    """Return the JSON value in `content`. Raises `MalformedRequest` when it is not exactly one."""
    try:
        value = json.loads(
            content.decode(), object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_finite
        )
    except UnicodeDecodeError:
        raise malformed("body", "is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"{error.msg} at character {error.pos}" if content.strip() else "it is empty"
        raise malformed("body", f"is not JSON: {where}") from None
    except RecursionError:
        raise malformed("body", "is nested too deeply") from None
    except ValueError:
        raise malformed("body", "has a number with too many digits") from None
    if b"\\u" in content:
        _check_surrogates(value)
    return value


def refusal_of(error: msgspec.ValidationError, kind: type, value: object) -> MalformedRequest:
    """Return the refusal in the words of JSON: what the decoder has refused is held against the schema of `kind`."""
    found = misfits(_validator_of(kind).iter_errors(value), PROBLEMS_MAX, FORMS)
    errors = [FieldError(misfit.pointer or "/", misfit.words) for misfit in found]
    if not errors:  # a rule that no schema has, in words of its own
        return malformed("/", str(error))
    return MalformedRequest("; ".join(f"{one.where}: {one.message}" for one in errors), errors=errors)


async def _read(request: Request, limits: RestLimits) -> bytes:
    announced = _announced(request)
    if announced is not None and announced > limits.body_limit_bytes:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.body_timeout):
            content = await _collect(request, limits)
    except TimeoutError:
        raise MalformedRequest("the body came too slowly", status=HTTPStatus.REQUEST_TIMEOUT) from None
    if announced is not None and announced != len(content):
        raise malformed("header:Content-Length", "differs from the length of the body")
    return content


async def _collect(request: Request, limits: RestLimits) -> bytes:
    content = bytearray()
    try:
        async for piece in request.stream():
            content += piece
            if len(content) > limits.body_limit_bytes:
                raise _too_large(limits)
    except ClientDisconnect:
        raise MalformedRequest("the client went away before the body was whole") from None
    return bytes(content)


def _announced(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise malformed("header:Content-Length", "is not a whole number")
    return int(text[:20])


def _check_media_type(request: Request) -> None:
    text = request.headers.get("content-type", "")
    if not _MEDIA_TYPE.match(text.strip()):
        raise MalformedRequest(
            "the body must be application/json in UTF-8",
            errors=[FieldError("header:Content-Type", "must be application/json")],
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )


def _too_large(limits: RestLimits) -> MalformedRequest:
    return MalformedRequest(f"the body is longer than {limits.body_limit_bytes} bytes", code=Code.PAYLOAD_TOO_LARGE)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise malformed("body", "has an object with the same member twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise malformed("body", f"has {name}, which is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise malformed("body", "has a number beyond what a double can hold")
    return value


def _check_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise malformed("body", "has a lone surrogate, which no text can carry") from None


@cache
def _validator_of(kind: type) -> Draft202012Validator:
    return Draft202012Validator(msgspec.json.schema(kind))
