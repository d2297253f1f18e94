"""JSON that somebody wrote on a command line or into a file for it: read as strictly as a server reads it."""

from __future__ import annotations

import json
import math


def json_of(text: str) -> object:
    """Return the JSON value that `text` is. Raises `ValueError` with what is wrong: NaN and numbers without end too."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_constant(name: str) -> object:
    """Refuse NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"no number is as large as {text[:20]}")
    return number
