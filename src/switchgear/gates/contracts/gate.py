"""Stops a tool whose contract has changed, until somebody has accepted the change."""

from __future__ import annotations

from switchgear.core.codes import Code
from switchgear.core.errors import Rejected
from switchgear.gates.contracts.book import ContractBook
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, OneAnswer

_NOT_ACCEPTED = "is not what was accepted, and has the same version: raise it, or accept the change"


class ContractGate(OneAnswer):
    """A gate over what was accepted."""

    def __init__(self, book: ContractBook) -> None:
        """Go by `book`."""
        self._book = book

    def check(self, request: GateRequest) -> Conditions:
        """Raise `Rejected` when the tool, or the one that reverts it, may not run.

        TOOL_CHANGED: it is not what was accepted, or not for this intent. TOOL_UNREGISTERED: a time-box could not end,
        since what reverts it is not here.
        """
        tool = request.tool
        if self._book.changed(tool):
            raise _changed(f"{tool} {_NOT_ACCEPTED}")
        if request.agreed is not None and not self._book.goes_on(tool, request.agreed):
            raise _changed(f"{tool} has changed since this was accepted: accept the change, or cancel this")
        if request.undo is not None:
            self._check_undo(tool, request.undo)
        return NO_CONDITIONS

    def _check_undo(self, tool: str, undo: str) -> None:
        reverting = f"{undo}, which reverts {tool} at the end of its time-box,"
        if undo not in self._book.present:
            message = f"{reverting} is not registered here"
            raise Rejected(message, code=Code.TOOL_UNREGISTERED, policy="contract")
        if self._book.changed(undo):
            raise _changed(f"{reverting} {_NOT_ACCEPTED}")


def _changed(message: str) -> Rejected:
    return Rejected(f"{message} (switchgear tools accept)", code=Code.TOOL_CHANGED, policy="contract")
