"""Presets: guards by name, with options that stand in a TOML file. Reads and checks such files; decides nothing.

What the options mean and which values they take is the business of the policies, which check themselves. Here their
errors only get a place (`preset_words`): file, preset, key. What needs code stays in code: faults, and functions of an
error. Those are given as changes when a guard is made. The errors of a client library have names (`preset_errors`).
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from importlib.resources import files
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from switchgear.core.errors import OptionError
from switchgear.guard.guard import Guard
from switchgear.guard.preset_errors import error_named, errors_named
from switchgear.guard.preset_words import Place, nearest
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.checks import require_seconds
from switchgear.policies.fallback import Fallback
from switchgear.policies.hedge import Hedge
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry
from switchgear.policies.retry_budget import RetryBudget
from switchgear.policies.shedding import Shedding
from switchgear.policies.timeout import Timeout

FILE_BYTES_MAX = 1_000_000
"""The largest file of presets that is read."""

POLICIES: Mapping[str, type] = MappingProxyType(
    {
        "retry": Retry,
        "breaker": Breaker,
        "rate_limit": RateLimit,
        "bulkhead": Bulkhead,
        "shedding": Shedding,
        "hedge": Hedge,
        "fallback": Fallback,
    }
)
"""The tables of a preset, and the policy that each of them makes."""

VALUES = ("timeout", "deadline", "effect", "dry_run", "keys_max")
"""The other keys of a preset, which have plain values."""

IN_CODE = ("faults", "clock", "random")
"""What a guard takes and no file can say."""


def preset(name: str, /, **changes: object) -> Guard:
    """Return a new guard with the options of a preset that comes with Switchgear.

    `changes` are options of `Guard`. Each takes the place of the whole option of the preset; None takes a policy away;
    `name` calls the guard something else than the preset. Every call makes a guard with a state of its own, so make it
    once and keep it. Raises `OptionError` for a name or an option that there is not, and for options that cannot work.
    """
    return Presets.built_in().guard(name, **changes)


@dataclass(frozen=True, slots=True)
class Presets:
    """The presets of one file, read and checked.

    file     what errors call it.
    options  preset to the options that its guard gets.
    """

    file: str
    options: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Presets:
        """Read a file of presets, and check all of it. The modules of the exceptions that it names are imported.

        Raises `OptionError`, with file, preset, key, and what to write, for a file that cannot be read or is above
        1,000,000 bytes, for what is no TOML, and for names and options that there are not or that cannot work.
        """
        try:
            with Path(path).open("rb") as source:
                text = source.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise OptionError(f"{path}: cannot be read: {error}; write the path of a TOML file") from error
        return cls(str(path), _presets_of(text, Place(str(path))))

    @classmethod
    @functools.cache
    def built_in(cls) -> Presets:
        """Return the presets that come with Switchgear."""
        text = files("switchgear.guard").joinpath("presets.toml").read_bytes()
        return cls(_BUILT_IN, _presets_of(text, Place(_BUILT_IN)))

    @property
    def names(self) -> tuple[str, ...]:
        """The presets in the order of the file."""
        return tuple(self.options)

    def guard(self, name: str, /, **changes: object) -> Guard:
        """Return a new guard with the options of a preset, and `changes` as `preset` takes them."""
        if name not in self.options:
            raise Place(self.file, ("presets", str(name))).error("there is no such preset", nearest(name, self.options))
        for option in changes:
            if option not in _CHANGEABLE:
                raise OptionError(
                    f"preset({name!r}) takes no {option!r}; {nearest(option, _CHANGEABLE)}; a policy is changed as a "
                    f"whole, for example preset({name!r}, breaker=Breaker(failures=3))"
                )
        options: dict[str, Any] = {"name": name, **self.options[name], **changes}
        return Guard(**options)


_BUILT_IN = "switchgear/guard/presets.toml"
_CHANGEABLE = ("name", *VALUES, *POLICIES, *IN_CODE)
_REQUIRED = {
    "retry": ("on", 'on = ["ConnectionError", "TimeoutError"]'),
    "rate_limit": ("limit", "limit = 10"),
    "bulkhead": ("limit", "limit = 32"),
}


def _presets_of(text: bytes, place: Place) -> Mapping[str, Mapping[str, Any]]:
    """Return the options of each preset in the text of a file."""
    document = _parsed(text, place)
    for key in document:
        if key != "presets":
            raise place.at(key).error("there is no such key", "write every preset as [presets.NAME]")
    presets = document.get("presets")
    if not isinstance(presets, Mapping) or not presets:
        raise place.error("there are no presets in it", "write [presets.NAME], and options under it")
    within = place.at("presets")
    return MappingProxyType({name: _options_of(name, table, within.at(name)) for name, table in presets.items()})


def _parsed(text: bytes, place: Place) -> Mapping[str, Any]:
    if len(text) > FILE_BYTES_MAX:
        raise place.error(f"is above {FILE_BYTES_MAX:,} bytes", "write fewer presets in a file")
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise place.error(f"is no TOML: {error}", "write it as TOML, in UTF-8") from error


def _options_of(name: str, table: object, place: Place) -> Mapping[str, Any]:
    """Return what `Guard` takes for one preset. A guard is made of it, to check that all goes together."""
    options: dict[str, Any] = {}
    for key, value in _table(table, place).items():
        options[key] = _option(key, value, place)
    try:
        Guard(name, **options)
    except OptionError as error:
        raise place.translated(error, "Guard", _CHANGEABLE) from error
    return MappingProxyType(options)


def _option(key: str, value: object, place: Place) -> object:
    if key in POLICIES:
        return _policy(key, POLICIES[key], value, place.at(key))
    if key == "timeout":
        return _timeout(value, place)
    if key == "dry_run" and not isinstance(value, bool):
        raise place.at(key).error(f"must be true or false, not {value!r}", "write dry_run = true")
    if key in VALUES:
        return value
    if key in IN_CODE:
        raise place.at(key).error("is nothing that a file can say", f"leave it out, and write preset(…, {key}=…)")
    raise place.at(key).error("there is no such key", nearest(key, (*VALUES, *POLICIES)))


def _timeout(value: Any, place: Place) -> Timeout:
    try:
        require_seconds("Guard(timeout)", value, example=10.0)
    except OptionError as error:
        raise place.translated(error, "Guard", VALUES) from error
    return Timeout(value)


def _table(value: object, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise place.error(f"must be a table, not {value!r}", f"write {place.keys[-1]} = {{ … }}")
    return value


def _policy(key: str, policy: type, value: object, place: Place) -> object:
    """Return the policy that a table asks for."""
    table = _table(value, place)
    known = {option.name: option for option in fields(policy) if option.init and _reader(option) is not None}
    for option in table:
        if option not in known:
            raise place.at(option).error("there is no such key", nearest(option, known))
    needed, write = _REQUIRED.get(key, ("", ""))
    if needed and needed not in table:
        raise place.at(needed).error("is missing", f"write for example {write}")
    given = {option: (_reader(known[option]) or _as_it_is)(said, place.at(option)) for option, said in table.items()}
    try:
        return policy(**given)
    except OptionError as error:
        raise place.translated(error, policy.__name__, tuple(known)) from error
    except TypeError as error:  # a policy compares its numbers before it has looked at all of them
        raise _no_number(table, known, place) from error


def _no_number(table: Mapping[str, Any], known: Mapping[str, Field[Any]], place: Place) -> OptionError:
    """Return the error for the option that should be a number and is none."""
    for name, value in table.items():
        if _kind(known[name]) in {"int", "float"} and not isinstance(value, (int, float)):
            return place.at(name).error(f"must be a number, not {value!r}", f"write for example {name} = 10")
    return place.error(f"cannot be made of {dict(table)!r}", f"known are {', '.join(known)}")


def _kind(option: Field[Any]) -> str:
    """Return the first word of an option's annotation: ``float | None`` is a float."""
    return re.split(r"[^\w]", str(option.type), maxsplit=1)[0]


def _reader(option: Field[Any]) -> Callable[[Any, Place], object] | None:
    """Return how the value of an option is read, or None when only code can give it."""
    return _READERS.get(_kind(option))


def _as_it_is(value: object, _place: Place) -> object:
    return value


def _costs(value: object, place: Place) -> dict[type[Exception], Any]:
    return {error_named(name, place): cost for name, cost in _table(value, place).items()}


def _budget(value: object, place: Place) -> object:
    """Return the retry budget of a table, or None for false."""
    return None if value is False else _policy("budget", RetryBudget, value, place)


_READERS: Mapping[str, Callable[[Any, Place], object]] = {
    "int": _as_it_is,
    "float": _as_it_is,
    "Any": _as_it_is,
    "Backoff": _as_it_is,
    "Mode": _as_it_is,
    "Mapping": _table,
    "ErrorFilter": errors_named,
    "Costs": _costs,
    "RetryBudget": _budget,
}
"""How values are read, by the first word of an option's annotation. What is not here can only be given in code."""
