"""Collects everything that is wrong with a configuration, and words it: file, key, what is wrong, what to write.

All problems are reported at once. It knows nothing of what the keys mean.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from switchgear.core.errors import OptionError

PROBLEMS_MAX = 50
"""The most problems that one error words; the rest is counted."""
_SHOWN_MAX = 60
"""Characters of a value that a problem quotes, for a line of a terminal."""

Part = str | int
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `where` is a file, or an environment variable; `key` is dotted, or empty."""

    where: str
    key: str
    wrong: str
    write: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"{self.where}: {self.key}" if self.key else self.where
        return f"{place}: {self.wrong}{f'; {self.write}' if self.write else ''}"


class ConfigurationError(OptionError):
    """A configuration that cannot work. `problems` holds all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Word the problems, one a line."""
        lines = [str(problem) for problem in problems[:PROBLEMS_MAX]]
        if len(problems) > PROBLEMS_MAX:
            lines.append(f"and {len(problems) - PROBLEMS_MAX} more")
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)

    def facts(self) -> dict[str, Any]:
        """Return the problems, each with where, key, wrong and write."""
        return {
            "problems": [{"where": p.where, "key": p.key, "wrong": p.wrong, "write": p.write} for p in self.problems]
        }


class Problems:
    """Gathers problems of one file. Keys set by an environment variable are reported under its name."""

    def __init__(self, file: str) -> None:
        """Start with none."""
        self.file = file
        self.found: list[Problem] = []
        self._variables: dict[str, str] = {}

    def set_by(self, variable: str, key: Sequence[Part]) -> None:
        """Note that `key` came from an environment variable."""
        self._variables[dotted(key)] = variable

    def add(self, key: Sequence[Part], wrong: str, write: str = "") -> None:
        """Add one problem."""
        name = dotted(key)
        if name in self._variables:
            self.found.append(Problem(f"environment variable {self._variables[name]}", "", wrong, write))
        else:
            self.found.append(Problem(self.file, name, wrong, write))

    def unknown(self, key: Sequence[Part], known: Iterable[str]) -> None:
        """Add a key that does not exist, with the nearest one that does."""
        self.add(key, "there is no such key", suggestion(str(key[-1]), known))

    def told_of(self, key: Sequence[Part]) -> bool:
        """Return whether something is known to be wrong with `key` or below it: what follows from that is not told."""
        name = dotted(key)
        return any(known.key == name or known.key.startswith((f"{name}.", f"{name}[")) for known in self.found)

    def finish(self) -> None:
        """Raise `ConfigurationError` when there is any problem."""
        if self.found:
            raise ConfigurationError(self.found)


def dotted(key: Sequence[Part]) -> str:
    """Return a key as TOML writes it: ``tools."crm.update_contact".path``; list items as ``[0]``."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.match(part) else f'"{part}"')
    return text


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return what to write instead of `word`: the nearest known word, or all of them."""
    words = sorted(known)
    for near in nearest(word, words):
        return f"did you mean {near}?"
    return f"known are {', '.join(words)}" if words else ""


def nearest(word: str, known: Sequence[str]) -> list[str]:
    """Return the one of `known` that `word` was probably meant to be; empty when there is none."""
    return difflib.get_close_matches(word, known, n=1, cutoff=0.6)


def shown(value: object) -> str:
    """Return a value as TOML writes it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 1]}…"
