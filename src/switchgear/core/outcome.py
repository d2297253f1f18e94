"""Results as values: what a policy learns of a call, and what a submitter learns of an intent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from switchgear.core.codes import Code


class Verdict(IntEnum):
    """What one call says about the dependency. Three-valued: an ignored call says nothing."""

    SUCCESS = 0
    FAILURE = 1
    IGNORED = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an intent stands: final state with value, or code and message.

    `state` is a state of the intent machine. `code` is None on success. `attempts` counts what was dispatched.
    `replayed` is True when this answers a repeat of an earlier request.
    """

    state: str
    value: Any = None
    code: Code | None = None
    message: str = ""
    attempts: int = 0
    replayed: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the action is known to have happened."""
        return self.state == "succeeded"
