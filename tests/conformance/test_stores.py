"""Every store adapter that comes with the package, under the public conformance suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.storage.abilities import Seal, Store
from switchgear.storage.opening import open_store
from switchgear.testing.storage import StoreConformance


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
