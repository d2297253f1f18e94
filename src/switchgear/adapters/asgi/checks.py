"""Checks of the options of what limits requests, at birth. Each failure names the option and what to write instead.

Shared by the middleware and the FastAPI adapter. What a policy checks of its own options is not here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection
from typing import Any

from switchgear.core.errors import OptionError
from switchgear.guard.limiter import RateLimiter

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §5.6.2
_FIELD_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff]+\Z")

_PUBLISHED = re.compile(r"https?://[\x21\x22\x24-\x3e\x40-\x7e]+\Z")  # neither query nor fragment
_LIMITER_EXAMPLE = 'RateLimiter({"tenant": RateLimit(10)})'


def require_callable(option: str, value: object, *, example: str) -> None:
    """Raise `OptionError` for what cannot be called."""
    if not callable(value):
        raise OptionError(f"{option} takes something to call, not {value!r}; write for example {example}")


def require_reader(option: str, value: object, *, example: str) -> None:
    """Raise `OptionError` unless `value` is None or a plain function: what an async one returns is no name."""
    if value is None:
        return
    require_callable(option, value, example=example)
    called = getattr(type(value), "__call__", None)  # noqa: B004 - the method itself is asked, not whether it is there
    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(called):
        raise OptionError(f"{option} takes a plain function, not an async one; find the name out before, as {example}")


def require_kind(option: str, value: object, kind: type[Any], *, example: str) -> None:
    """Raise `OptionError` unless `value` is a `kind`."""
    if not isinstance(value, kind):
        raise OptionError(f"{option} takes a {kind.__name__}, not {value!r}; write for example {example}")


def require_name(option: str, value: object, *, example: str) -> None:
    """Raise `OptionError` unless `value` is None or a text that is not empty."""
    if value is not None and not (isinstance(value, str) and value):
        raise OptionError(f"{option} takes a name or None, not {value!r}; write for example {example!r}")


def require_header_name(option: str, value: object, *, example: str) -> None:
    """Raise `OptionError` unless `value` is None or the name of a header field."""
    if value is not None and not (isinstance(value, str) and _TOKEN.match(value)):
        raise OptionError(f"{option} takes the name of a header or None, not {value!r}; write for example {example!r}")


def require_header_value(option: str, value: object, *, example: str) -> None:
    """Raise `OptionError` unless `value` is a text that a header field can carry."""
    if not (isinstance(value, str) and _FIELD_VALUE.match(value)):
        raise OptionError(f"{option} takes what a header can carry, not {value!r}; write for example {example!r}")


def require_documentation(option: str, value: object) -> None:
    """Raise `OptionError` unless `value` is None or the address of a place that pages are published at."""
    if value is not None and not (isinstance(value, str) and _PUBLISHED.match(value)):
        example = "https://docs.example.com/switchgear"
        raise OptionError(f"{option} takes an address or None, not {value!r}; write for example {example!r}")


def require_limiter(option: str, value: object) -> None:
    """Raise `OptionError` unless `value` is a `RateLimiter`."""
    require_kind(option, value, RateLimiter, example=_LIMITER_EXAMPLE)


def require_tenants(limiter: RateLimiter, tenant_of: object, anonymous: str | None, *, reads: str) -> None:
    """Raise `OptionError` for a tenant level that no request could ever name. `reads` is what `tenant_of` reads."""
    if "tenant" in limiter.levels and tenant_of is None and anonymous is None:
        raise OptionError(f"limits with a tenant level need tenant_of=, a function of the {reads}")


def are_several(value: object) -> bool:
    """Return whether `value` is a collection. A text is one thing here, not many letters."""
    return isinstance(value, Collection) and not isinstance(value, str)


def checked_paths(paths: Collection[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return whole paths, and those that stand for everything below them. Raises `OptionError` for anything else."""
    if not are_several(paths) or not all(map(_is_path, paths)):
        raise OptionError(f'exempt= takes paths such as ("/livez", "/assets/"), not {paths!r}')
    return frozenset(paths), tuple(path for path in paths if path.endswith("/") and path != "/")


def _is_path(path: object) -> bool:
    return isinstance(path, str) and path.startswith("/")
