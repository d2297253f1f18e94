"""Paths with ``{names}``, filled so that an argument stays inside the segment that was meant for it.

Values are percent-encoded whole. A filled path that is empty in a segment, or climbs (``..``), also once decoded, is
refused: it would reach another resource than the one declared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from switchgear.core.errors import Invalid, OptionError

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*\Z")
_CLIMB = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A path such as ``/contacts/{contact_id}``. Raises `OptionError` when it is none."""

    text: str
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Check the text and find the names."""
        object.__setattr__(self, "names", tuple(dict.fromkeys(_NAME.findall(self.text))))
        literal = _NAME.sub("", self.text)
        if not self.text.startswith("/") or not _LITERAL.match(literal):
            raise OptionError(
                f"path {self.text!r} must start with / and hold only path characters and {{names}}; "
                "write a query as query = [names]"
            )
        if _climbs(_NAME.sub("x", self.text)) or "//" in self.text:
            raise OptionError(f"path {self.text!r} must not hold //, . or .. segments")

    def fill(self, arguments: Mapping[str, object]) -> str:
        """Return the path with every name replaced. Raises `Invalid` for a value that cannot stand in a path."""
        path = _NAME.sub(lambda match: _segment(match[1], arguments), self.text)
        if _climbs(path):
            raise Invalid(f"the arguments {', '.join(self.names)} would leave the path {self.text}")
        return path


def scalar_text(name: str, value: object) -> str:
    """Return text, number or truth value as the text that stands in a URL.

    Raises `Invalid` for other types and for text that UTF-8 cannot carry.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        raise Invalid(f"argument {name!r} must be text, a number or a truth value to stand in a URL")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(f"argument {name!r} contains a lone surrogate") from None
    return text


def _segment(name: str, arguments: Mapping[str, object]) -> str:
    if arguments.get(name) is None:
        raise Invalid(f"argument {name!r} is missing; the path needs it")
    text = scalar_text(name, arguments[name])
    if not text:
        raise Invalid(f"argument {name!r} is empty; the path needs it")
    return quote(text, safe="")


def _climbs(path: str) -> bool:
    segments = re.split(r"[/\\]", unquote(unquote(path)))
    return not _CLIMB.isdisjoint(segment.strip() for segment in segments)
