"""The shape of one row in the table of operations, and of the pieces that rows share. No row is here.

A row says what an operation is called, who may use it, what it takes and what it may answer. It stands beside the
handler that answers, in the module of its subject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from switchgear.control.intents import STATES
from switchgear.control.paging import PAGE_MAX
from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.ledger.reasons import REASON_CHARACTERS_MAX
from switchgear.surfaces.rest.exchange import Handler
from switchgear.surfaces.rest.queries import Query, Whole

_IN_PATH = re.compile(r"{(\w+)}")

NAME = "[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}"
"""What a tool or an account is called."""
NAME_IN_WORDS = "a name of 1 to 128 characters: letters, digits and ._:@/+-, the first a letter or digit"
INTENT_ID = "int_[0-9a-f]{32}"
"""What the id of an intent looks like."""
INTENT_ID_IN_WORDS = "the id of an intent, such as int_0190…, with 32 hex digits"
DIGEST = "[0-9a-f]{64}"
"""A SHA-256 in hex."""
STATE = f"({'|'.join(STATES)})"
"""A state of an intent, where a body names one."""
NOT_BLANK = r"[^\s\x00-\x1f\x85\ufeff]"
"""What a text has that says something: a character that is no space in any dialect of regular expressions."""
FORMS = {
    NOT_BLANK: "text that says something",
    f"^{NAME}$": NAME_IN_WORDS,
    f"^{DIGEST}$": "64 hex digits in lower case",
    f"^{INTENT_ID}$": INTENT_ID_IN_WORDS,
    f"^{STATE}$": f"one of {', '.join(STATES)}",
}
"""Patterns of bodies in words, for who has written something else."""
AFTER = Whole("after", "Only entries above this sequence number.", 0, 2**53 - 1, 0)
"""Where a page of ledger entries begins."""
EarlierIntent = Annotated[str, Meta(pattern=f"^{INTENT_ID}$", description="`next_cursor` of the answer before.")]
"""Where a page of intents goes on, in a body."""

Reason = Annotated[
    str, Meta(min_length=1, max_length=REASON_CHARACTERS_MAX, pattern=NOT_BLANK, description="Recorded in the ledger.")
]
"""Why somebody does something that needs a reason."""
Remark = Annotated[str, Meta(min_length=1, max_length=REASON_CHARACTERS_MAX, description="Recorded in the ledger.")]
"""Why somebody does something that needs none."""

CHANGE_REFUSALS = (Code.NOT_FOUND, Code.ILLEGAL_TRANSITION, Code.PAYLOAD_TOO_LARGE, Code.TIMEOUT_JOURNAL_APPEND)
"""What a change of one thing is refused with, whatever it is."""


def page_limit(default: int) -> Whole:
    """Return the parameter that says how long a page may be, `default` items when it is not sent."""
    return Whole("limit", "How many at most.", 1, PAGE_MAX, default)


@dataclass(frozen=True, slots=True)
class Header:
    """A header that a request may carry, or has to where it is `needed`."""

    name: str
    description: str
    pattern: str
    needed: bool = False


@dataclass(frozen=True, slots=True)
class PathWord:
    """A part of the path that names one thing, such as ``{intent_id}``. `Exchange.path_word` reads it.

    `pattern` is what it looks like as a whole, None where anything may stand that the use case then does not find.
    """

    name: str
    description: str
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row. `answers` maps a status to the type of its body, None for a stream of JSON Lines.

    `also` names the media types that a body may come in instead of JSON, where the caller asks for one.
    `words` are the words of the path, in order. Raises `OptionError` when the path has others.
    """

    id: str
    method: str
    path: str
    summary: str
    description: str
    permission: str
    handle: Handler
    answers: Mapping[int, type | None]
    also: tuple[str, ...] = ()
    words: tuple[PathWord, ...] = ()
    query: tuple[Query, ...] = ()
    headers: tuple[Header, ...] = ()
    body: type | None = None
    refusals: tuple[Code, ...] = ()

    def __post_init__(self) -> None:
        """Check that every word of the path is described."""
        described = [word.name for word in self.words]
        if _IN_PATH.findall(self.path) != described:
            raise OptionError(f"{self.id}: the path {self.path} has other words than {described}")
