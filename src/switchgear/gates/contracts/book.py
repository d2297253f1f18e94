"""The contracts of tools that were accepted, and what it means when a tool comes with another. Pure.

A tool that was never seen is accepted as it is. One that comes with a new version is accepted too: whoever raised the
version meant it. One that comes with another contract under the same version has changed unseen, and nothing of it
leaves until somebody accepts it. Either way an intent that was accepted under an earlier contract waits until the
present one is accepted for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from switchgear.ledger.values import read_value

EARLIER_MAX = 32
"""Most earlier contracts of a tool that are known; the oldest are forgotten first, and their intents wait."""


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """The contract of a tool that was accepted, its version, and those before it.

    `followed` says that intents of the `earlier` contracts may go on under this one.
    """

    contract: str
    version: str
    earlier: tuple[str, ...] = ()
    followed: bool = False


UNREADABLE = Accepted("", "")
"""In place of what cannot be read: no tool has this contract, so nothing leaves until one is accepted."""


@dataclass(frozen=True, slots=True)
class Present:
    """A tool as it is registered now."""

    contract: str
    version: str


@dataclass(slots=True)
class ContractBook:
    """What was accepted and what is registered, by name of the tool."""

    accepted: dict[str, Accepted] = field(default_factory=dict)
    present: dict[str, Present] = field(default_factory=dict)

    def register(self, name: str, contract: str, version: str) -> None:
        """Note a tool as it is registered now."""
        self.present[name] = Present(contract, version)

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
        return Accepted(now.contract, now.version, earlier[-EARLIER_MAX:], followed)


def decoded(name: str, value: bytes) -> Accepted:
    """Return what a row says. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    return read_value(_decode, value, "the accepted contract of {!r}", name)


_decode = msgspec.json.Decoder(Accepted).decode
