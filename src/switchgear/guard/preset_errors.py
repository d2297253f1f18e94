"""Exceptions by the names that a file of presets gives them. What they lead to is the business of the policies.

A name without a dot is a built-in exception or an error of Switchgear. A name with dots is that of a class in a module,
which is imported for it: ``httpx2.TransportError``. So a file of presets is to be trusted as code is.
"""

from __future__ import annotations

import builtins
import pkgutil

from switchgear.core import errors as own
from switchgear.guard.preset_words import Place

_ADVICE = 'write a built-in one such as "OSError", or module and class such as "httpx2.TransportError"'


def errors_named(names: object, place: Place) -> tuple[type[Exception], ...]:
    """Return the exception classes that a list names. Raises `OptionError` for what is none, and as `error_named`."""
    if not isinstance(names, list) or not names:
        wrong = f"must be a list of names of exceptions, not {names!r}"
        raise place.error(wrong, f'write for example {place.keys[-1]} = ["ConnectionError", "TimeoutError"]')
    return tuple(error_named(name, place) for name in names)


def error_named(name: object, place: Place) -> type[Exception]:
    """Return the exception class of a name, importing its module where it has dots.

    Raises `OptionError` for what cannot be imported and for what is no `Exception`. What else a module raises while it
    is imported comes out as it is.
    """
    if not isinstance(name, str) or "." not in name:
        return _without_module(name, place)
    found = _imported(name, place)
    if isinstance(found, type) and issubclass(found, Exception):
        return found
    raise place.error(f"{name!r} is no Exception class, but {found!r}", _ADVICE)


def _without_module(name: object, place: Place) -> type[Exception]:
    for module in (builtins, own):
        found = getattr(module, name, None) if isinstance(name, str) else None
        if isinstance(found, type) and issubclass(found, Exception):
            return found
    raise place.error(f"{name!r} is neither a built-in Exception nor an error of Switchgear", _ADVICE)


def _imported(name: str, place: Place) -> object:
    if not all(part.isidentifier() for part in name.split(".")):
        raise place.error(f"{name!r} is no dotted name", _ADVICE)
    try:
        return pkgutil.resolve_name(name)
    except ModuleNotFoundError as error:
        raise place.error(
            f"{name!r} cannot be imported: {error}", f"install what brings {error.name}, or leave the name out"
        ) from error
    except (ImportError, AttributeError) as error:
        raise place.error(f"{name!r} cannot be imported: {error}", _ADVICE) from error
