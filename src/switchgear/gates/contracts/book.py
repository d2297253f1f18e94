"""The contracts of tools that were accepted, and what it means when a tool comes with another. Pure.

A tool that was never seen is accepted as it is. One that comes with a new version is accepted too: whoever raised the
version meant it. One that comes with another contract under the same version has changed unseen, and nothing of it
leaves until somebody accepts it. Either way an intent that was accepted under an earlier contract waits until the
present one is accepted for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from switchgear.ledger.values import read_value

EARLIER_MAX = 32
"""Most earlier contracts of a tool that are known; the oldest are forgotten first, and their intents wait."""


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """The contract of a tool that was accepted, its version, and those before it.

    `followed` says that intents of the `earlier` contracts may go on under this one. `parts` says what the contract is
    made of, `previous` the same of the newest of the earlier ones; empty where that is not on record.
    """

    contract: str
    version: str
    earlier: tuple[str, ...] = ()
    followed: bool = False
    parts: dict[str, str] = {}
    previous: dict[str, str] = {}

    def previous_of(self, contract: str | None) -> dict[str, str]:
        """Return what `contract` was made of, if it is the newest of the earlier ones; else nothing."""
        return self.previous if self.earlier and self.earlier[-1] == contract else {}


UNREADABLE = Accepted("", "")
"""In place of what cannot be read: no tool has this contract, so nothing leaves until one is accepted."""


@dataclass(frozen=True, slots=True)
class Present:
    """A tool as it is registered now."""

    contract: str
    version: str
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContractDifference:
    """A part of a contract that has changed. `before` is None where it is new, `after` where it is gone."""

    part: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class ContractBook:
    """What was accepted and what is registered, by name of the tool."""

    accepted: dict[str, Accepted] = field(default_factory=dict)
    present: dict[str, Present] = field(default_factory=dict)

    def register(self, name: str, contract: str, version: str, parts: Mapping[str, str] | None = None) -> None:
        """Note a tool as it is registered now, and what its contract is made of where that is known."""
        self.present[name] = Present(contract, version, parts or {})

    def changed(self, name: str) -> bool:
        """Return whether a tool is not what was accepted, and its version does not own up to it."""
        known, now = self.accepted.get(name), self.present.get(name)
        if known is None or now is None:
            return False
        return known.contract != now.contract and known.version in (now.version, UNREADABLE.version)

    def goes_on(self, name: str, contract: str) -> bool:
        """Return whether an intent that was accepted under `contract` may leave under the present one."""
        now = self.present.get(name)
        if now is None or now.contract == contract:
            return True
        known = self.accepted.get(name)
        return known is not None and known.contract == now.contract and known.followed and contract in known.earlier

    def differences(self, name: str, contract: str | None = None) -> list[ContractDifference]:
        """Return in which parts the present contract differs from an earlier one, by default from the accepted one.

        Empty also where it is not on record what that one was made of.
        """
        known, now = self.accepted.get(name), self.present.get(name)
        if known is None or now is None or contract == now.contract:
            return []
        before = known.parts if contract in (None, known.contract) else known.previous_of(contract)
        return list(_differences(before, now.parts)) if before and now.parts else []

    def unrecorded(self) -> dict[str, Accepted]:
        """Return what is accepted without anybody's word and not on record yet: new tools, and new versions."""
        found: dict[str, Accepted] = {}
        for name, now in self.present.items():
            known = self.accepted.get(name)
            if known is None or (known.contract != now.contract and not self.changed(name)):
                found[name] = self.succession(name, followed=False)
        return found

    def succession(self, name: str, *, followed: bool) -> Accepted:
        """Return the present contract of a tool as accepted, after those before it."""
        now, known = self.present[name], self.accepted.get(name, UNREADABLE)
        chain = dict.fromkeys((*known.earlier, known.contract))
        earlier = tuple(contract for contract in chain if contract not in ("", now.contract))
        previous = known.previous if known.contract == now.contract else known.parts
        return Accepted(now.contract, now.version, earlier[-EARLIER_MAX:], followed, dict(now.parts), previous)


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[ContractDifference]:
    for part in dict.fromkeys((*before, *after)):
        if before.get(part) != after.get(part):
            yield ContractDifference(part, before.get(part), after.get(part))


def decoded(name: str, value: bytes) -> Accepted:
    """Return what a row says. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    return read_value(_decode, value, "the accepted contract of {!r}", name)


_decode = msgspec.json.Decoder(Accepted).decode
