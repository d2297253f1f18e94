"""What keeps the ledger of one gear: its key, its checkpoints on a schedule, and the use cases over them."""

from __future__ import annotations

from pathlib import Path

from switchgear.assembly.configuration.sections import LedgerSettings
from switchgear.control.ledger_keeping import LedgerKeeping
from switchgear.core.clock import Clock
from switchgear.core.errors import Invalid, OptionError
from switchgear.core.ids import IdSource
from switchgear.execution.engine import Engine
from switchgear.ledger.checkpoints import Cadence, Checkpointer
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.keys import SigningKey, read_key_file
from switchgear.storage.abilities import Store

SWEEP_EVERY = 60.0
"""Seconds between two looks for chains that are due to be signed."""


class LedgerKeeper:
    """Signs the chains of one store, where the configuration names a key."""

    def __init__(
        self, settings: LedgerSettings, store: Store, *, clock: Clock, ids: IdSource, encoder: EventEncoder
    ) -> None:
        """Read the key. Raises `OptionError` when there is none in the file that the configuration names."""
        cadence = Cadence(entries=settings.checkpoint_entries, seconds=settings.checkpoint_seconds)
        self._clock = clock
        self._checkpointer: Checkpointer | None = None
        if settings.key is not None:
            key = _key_in(Path(settings.key))
            self._checkpointer = Checkpointer(store, key, clock=clock, ids=ids, encoder=encoder, cadence=cadence)
        self._keeping = LedgerKeeping(store, clock=clock, ids=ids, encoder=encoder, checkpointer=self._checkpointer)

    def join(self, engine: Engine) -> LedgerKeeping:
        """Have chains signed while `engine` runs, and return the use cases."""
        if self._checkpointer is not None:
            engine.run_beside(self._run)
        return self._keeping

    async def _run(self) -> None:
        assert self._checkpointer is not None  # else it would not run
        while True:
            await self._clock.sleep_async(SWEEP_EVERY)
            await self._checkpointer.sweep()


def _key_in(file: Path) -> SigningKey:
    try:
        return read_key_file(file)
    except OSError as error:
        why = f"{file}: {error.strerror}; make a key with `switchgear ledger key {file} --name NAME`"
        raise OptionError(f"[ledger] key: {why}") from error
    except Invalid as error:
        raise OptionError(f"[ledger] key: {error.message}") from error
