"""The contracts of tools in Python: what is registered, and a person's word on one that has changed.

Registering a tool is `Switchgear.tool`. Everything here goes through `control`.
"""

from __future__ import annotations

from collections.abc import Sequence

from switchgear.control.tools import ToolView
from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal


class ToolDesk:
    """The registered tools as one principal sees them: ``acme.tools.list()``."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Act through `control`."""
        self._control = control
        self._principal = principal

    def list(self) -> Sequence[ToolView]:
        """Return the registered tools by name, each beside the contract of it that was accepted last."""
        return self._control.tools.list(self._principal)

    async def accept(self, name: str, *, contract: str) -> ToolView:
        """Accept a tool that has changed. `contract` is the one that you looked at, from `list`.

        Raises `Denied` for whoever is not the platform (PERMISSION_DENIED) and for a tool that is not there
        (NOT_FOUND), `Conflict` (TOOL_CHANGED) when it is at another contract, `StoreError` when it was not recorded.
        """
        return await self._control.tools.accept(self._principal, name, contract=contract)
