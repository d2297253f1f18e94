"""Where a suspended coroutine waits, in words for error messages. Decides nothing."""

from __future__ import annotations

from pathlib import Path
from types import FrameType
from typing import Any

_DEPTH_MAX = 1_000


def place_of(coroutine: object) -> str:
    """Return where `coroutine` is suspended: ``function (file.py:12)`` of its innermost frame, or ``unknown``."""
    innermost: FrameType | None = None
    inner: Any = coroutine
    for _ in range(_DEPTH_MAX):
        frame = _attribute(inner, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            break
        innermost = frame
        inner = _attribute(inner, "cr_await", "gi_yieldfrom", "ag_await")
    if innermost is None:
        return "unknown"
    code = innermost.f_code
    return f"{code.co_qualname} ({Path(code.co_filename).name}:{innermost.f_lineno})"


def name_of(coroutine: object) -> str:
    """Return the qualified name of a coroutine, or of its type when it has none."""
    return str(getattr(coroutine, "__qualname__", type(coroutine).__qualname__))


def _attribute(inner: object, *names: str) -> Any:  # noqa: ANN401 - a frame or any awaitable
    """Return the first of the attributes that is there and not None."""
    return next((found for name in names if (found := getattr(inner, name, None)) is not None), None)
