"""Every store that comes with the package, the one for simulations too, under the public conformance suite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from switchgear.core.clock import Timer, VirtualClock
from switchgear.storage.abilities import Seal, Store
from switchgear.storage.opening import open_store
from switchgear.testing.faulty_store import FaultyStore, StoreFaults
from switchgear.testing.storage import StoreConformance
from tests.small_blocks import file_at_once


class TestMemoryStore(StoreConformance):
    """The adapter that forgets."""

    durable = False

    async def open(self, seal: Seal) -> Store:
        """Open an empty store."""
        return await open_store("memory://", seal=seal)


class TestSqliteStore(StoreConformance):
    """One file of SQLite."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    async def open(self, seal: Seal) -> Store:
        """Open the file of this test."""
        return await open_store(f"sqlite:///{self.path}", seal=seal)


class TestFilingSqliteStore(TestSqliteStore):
    """The same, which files its lists after a handful of entries and rows."""

    @pytest.fixture(autouse=True)
    def _small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        file_at_once(monkeypatch)


class TestFaultyStore(StoreConformance):
    """The store for simulations, without faults."""

    durable = False

    async def open(self, seal: Seal) -> Store:
        """Open an empty store."""
        return FaultyStore(seal, clock=VirtualClock())


class Hurried(VirtualClock):
    """A clock that moves on to each timer by itself."""

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Let the time come in the next turn of the loop."""
        asyncio.get_running_loop().call_soon(lambda: self.advance(max(0.0, when - self.monotonic())))
        return super().call_at(when, callback)


class TestFaultyStoreInFlight(StoreConformance):
    """The store for simulations, when every append takes its time and none is at fault."""

    durable = False

    async def open(self, seal: Seal) -> Store:
        """Open an empty store on a clock that hurries."""
        return FaultyStore(seal, clock=Hurried(), faults=StoreFaults(slow=0.2, sync_seconds=(0.0, 0.01)))
