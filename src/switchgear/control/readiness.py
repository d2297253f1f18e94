"""The use case of readiness: may work be sent here. It needs no permission, so it tells nothing of a tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from switchgear.control.kill_switches import KillSwitches
from switchgear.control.permissions import Permissions
from switchgear.control.self_test import SelfTest
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError
from switchgear.execution.engine import Engine
from switchgear.storage.abilities import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessView:
    """Whether this process can accept and record work, part by part: name -> "ok" or what is wrong."""

    ready: bool
    parts: dict[str, str]


class Readiness:
    """What anybody may ask about this process."""

    permissions: ClassVar[Permissions] = Permissions()

    def __init__(self, engine: Engine, store: Store, kill_switches: KillSwitches) -> None:
        """Look at `engine`, its `store` and its `kill_switches`."""
        self._kill_switches = kill_switches
        self._engine = engine
        self._store = store
        self.self_test = SelfTest()
        """What each surface that is up has to refuse before this process is ready."""

    async def check(self) -> ReadinessView:
        """Say whether this process can accept and record work. Never asks anybody else's service.

        What the self-test has not proven yet is tried again.
        """
        await self.self_test.run()
        parts = {
            "admission": "stopping" if self._engine.admission.stopping else "ok",
            "engine": "ok" if self._engine.defect is None else "a loop has ended; see the log",
            "kill_switches": "ok" if self._kill_switches.readable else str(Code.KILL_SWITCH_UNREADABLE),
            "restore": str(Code.RESTORE_PENDING) if self._engine.resting else "ok",
            "queue": "full" if self._engine.queue.full else "ok",
            "self_test": self.self_test.state,
            "ledger": "ok",
        }
        try:
            await self._store.check()
        except StoreError as error:
            parts["ledger"] = str(error.code)
        return ReadinessView(ready=all(state == "ok" for state in parts.values()), parts=parts)
