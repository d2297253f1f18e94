"""Stops a tool whose contract has changed, until somebody has accepted the change."""

from __future__ import annotations

from switchgear.core.codes import Code
from switchgear.core.errors import Rejected
from switchgear.gates.contracts.book import ContractBook
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, OneAnswer


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
            raise _changed(f"{tool} {self._not_accepted(tool)}")
        if request.agreed is not None and not self._book.goes_on(tool, request.agreed):
            what = f"has changed since this was accepted{self._what(tool, request.agreed)}"
            raise _changed(f"{tool} {what}: accept the change, or cancel this")
        if request.undo is not None:
            self._check_undo(tool, request.undo)
        return NO_CONDITIONS

    def _check_undo(self, tool: str, undo: str) -> None:
        reverting = f"{undo}, which reverts {tool} at the end of its time-box,"
        if undo not in self._book.present:
            message = f"{reverting} is not registered here"
            raise Rejected(message, code=Code.TOOL_UNREGISTERED, policy="contract")
        if self._book.changed(undo):
            raise _changed(f"{reverting} {self._not_accepted(undo)}")

    def _not_accepted(self, tool: str) -> str:
        what = f"is not what was accepted{self._what(tool)}"
        return f"{what}, and has the same version: raise it, or accept the change"

    def _what(self, tool: str, contract: str | None = None) -> str:
        """Name what differs. Before and after are for those who may see tools, and no part of a refusal."""
        found = self._book.differences(tool, contract)
        names = tuple(dict.fromkeys(one.part.partition(".")[0] for one in found))
        return f" ({', '.join(names)} {'differs' if len(names) == 1 else 'differ'})" if names else ""


def _changed(message: str) -> Rejected:
    return Rejected(f"{message} (switchgear tools accept)", code=Code.TOOL_CHANGED, policy="contract")
