"""A person's word that one attempt of a destructive action may leave although a dependency does not vouch. Pure.

It is good for what that person saw and for nothing else: these dependencies, this contract, this long, one dispatch.
No kill switch, budget or approval is overridden by it. What may not live here: who may say it.
"""

from __future__ import annotations

import msgspec

CLOCK_SLACK = 5.0
"""Seconds by which the wall clock may stand before the moment at which a force was given."""


class Overridden(msgspec.Struct, frozen=True, gc=False):
    """A dependency that did not vouch, and the state in which it was seen."""

    dependency: str
    state: str


class Force(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The word of `by`, given `at` and good `until`, in seconds since the epoch, for one dispatch under `contract`.

    `overrode` names what did not vouch when it was given. `used` says that a dispatch has consumed it.
    """

    by: str
    at: float
    until: float
    contract: str
    overrode: tuple[Overridden, ...]
    used: bool = False

    def covers(self, dependency: str, *, contract: str, at: float) -> bool:
        """Return whether it stands in for `dependency` at this moment, in seconds since the epoch.

        A clock that went back behind the moment it was given cannot tell, so the answer is no.
        """
        in_time = self.at - CLOCK_SLACK <= at < self.until
        return in_time and contract == self.contract and any(one.dependency == dependency for one in self.overrode)
