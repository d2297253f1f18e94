"""Query parameters as values: each says its name, its range, how it is read, and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from switchgear.surfaces.rest.problems import FieldError, MalformedRequest, malformed

_FIELDS_MAX = 32


_DIGITS_MAX = 20


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `minimum` to `maximum`; `default` when it is not sent."""

    name: str
    description: str
    minimum: int
    maximum: int
    default: int

    def read(self, text: str) -> int:
        """Return the number in `text`. Raises `MalformedRequest`."""
        written = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
        if not (written and self.minimum <= int(text) <= self.maximum):
            raise malformed(f"query:{self.name}", f"must be a whole number from {self.minimum} to {self.maximum}")
        return int(text)

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {
            "type": "integer",
            "minimum": self.minimum,
            "maximum": self.maximum,
            "default": self.default,
        }


@dataclass(frozen=True, slots=True)
class Word:
    """A short text that matches `pattern` as a whole; None when it is not sent. `forms` says the pattern in words.

    One that is `needed` has to be sent.
    """

    name: str
    description: str
    pattern: str
    forms: str = ""
    needed: bool = False
    default: None = None

    def read(self, text: str) -> str:
        """Return `text`. Raises `MalformedRequest` when it does not match."""
        if not re.fullmatch(self.pattern, text):
            raise malformed(
                f"query:{self.name}", f"must be {self.forms}" if self.forms else f"must match {self.pattern}"
            )
        return text

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "string", "pattern": f"^{self.pattern}$"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of `choices`; None when it is not sent."""

    name: str
    description: str
    choices: tuple[str, ...]
    default: None = None

    def read(self, text: str) -> str:
        """Return `text`. Raises `MalformedRequest` when it is not a choice."""
        if text not in self.choices:
            raise malformed(f"query:{self.name}", f"must be one of {', '.join(self.choices)}")
        return text

    def schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "string", "enum": list(self.choices)}


Query = Whole | Word | Choice


def read_query(query_string: bytes, known: Sequence[Query]) -> dict[str, Any]:
    """Return the value of each `known` parameter, its default where it was not sent.

    Raises `MalformedRequest` that lists unknown parameters, repeated ones, missing ones and bytes that are not UTF-8.
    """
    sent = _pairs(query_string)
    names = [name for name, _ in sent]
    wrong = [
        FieldError(f"query:{name}", "is not known here" if names.count(name) == 1 else "must be sent once")
        for name in dict.fromkeys(names)
        if names.count(name) > 1 or name not in {query.name for query in known}
    ]
    wrong += [FieldError(f"query:{query.name}", "is missing") for query in known if _is_needed(query, names)]
    if wrong:
        raise MalformedRequest(f"{wrong[0].where} {wrong[0].message}", errors=wrong)
    texts = dict(sent)
    return {query.name: query.read(texts[query.name]) if query.name in texts else query.default for query in known}


def _is_needed(query: Query, names: Sequence[str]) -> bool:
    return isinstance(query, Word) and query.needed and query.name not in names


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX
        )
    except ValueError:  # UnicodeDecodeError is one
        raise malformed("query", f"must be UTF-8 with at most {_FIELDS_MAX} parameters") from None
