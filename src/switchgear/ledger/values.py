"""Reads what the value of a row says, for all who keep rows; how a store reads its own file is its own matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError

T = TypeVar("T")


def read_value(decode: Callable[[bytes], T], value: bytes, what: str, *names: object) -> T:
    """Return what `decode` makes of a row's value.

    `what` names the row for people, with a ``{}`` for each of `names`: ``"the row of {}", row.key``. Raises
    `StoreError` (LEDGER_CORRUPT) when `decode` raises `msgspec.MsgspecError` or `Invalid`.
    """
    try:
        return decode(value)
    except (msgspec.MsgspecError, Invalid) as error:
        message = f"{what.format(*names)} cannot be read: {error}"
        raise StoreError(message, code=Code.LEDGER_CORRUPT) from error
