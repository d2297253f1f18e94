"""What a Redis command does to the server: read from a data file of read-only commands, and from what users declare.

A command that neither says anything about is taken for a write that must not be sent twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files

from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError


def _read() -> frozenset[str]:
    text = files("switchgear.adapters.redis").joinpath("read_only_commands.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


READ_ONLY_COMMANDS = _read()
"""Names in capitals; those of two words with one space between."""


class Commands:
    """The effect of each command, as far as it is known."""

    __slots__ = ("_repeatable",)

    def __init__(self, repeatable: Iterable[str] = ()) -> None:
        """Take the writes that the user declares `repeatable`. Raises `OptionError` for what is no name."""
        if isinstance(repeatable, str):
            raise OptionError(f"repeatable takes several names; write repeatable=({repeatable!r},)")
        names = frozenset(name.upper() for name in repeatable)
        if any(not name.replace(" ", "").replace(".", "").replace("_", "").isalnum() for name in names):
            raise OptionError(f"repeatable takes names of commands, such as ('SET', 'EXPIRE'), not {sorted(names)}")
        self._repeatable = names

    def effect_of(self, arguments: Sequence[object]) -> Effect:
        """Return the effect of a command, given as it is sent: its name, then its arguments."""
        names = _names(arguments)
        if any(name in READ_ONLY_COMMANDS for name in names):
            return Effect.READ_ONLY
        return Effect.NATURAL if any(name in self._repeatable for name in names) else Effect.OPAQUE

    def effect_of_all(self, commands: Iterable[Sequence[object]]) -> Effect:
        """Return the effect of a pipeline: that of its most dangerous command."""
        effects = {self.effect_of(arguments) for arguments in commands}
        return next((effect for effect in (Effect.OPAQUE, Effect.NATURAL) if effect in effects), Effect.READ_ONLY)


def name_of(arguments: Sequence[object]) -> str:
    """Return what reports call a command: its first word, in capitals."""
    return _text(arguments[0]).upper() or "COMMAND"


def _names(arguments: Sequence[object]) -> tuple[str, ...]:
    """Return the name of a command, alone and with its second word, for commands such as ``OBJECT ENCODING``."""
    words = [_text(word).upper() for word in arguments[:2]]
    return (words[0],) if len(words) == 1 else (words[0], " ".join(words))


def _text(word: object) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
