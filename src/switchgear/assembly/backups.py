"""Backups of one gear: where they go, and their face in Python."""

from __future__ import annotations

from pathlib import Path

from switchgear.assembly.configuration.sections import StoreSettings
from switchgear.control.backups import BackupList, BackupView, ThawedView
from switchgear.control.use_cases import Control
from switchgear.core.errors import OptionError
from switchgear.core.scope import Principal
from switchgear.storage.manifest import manifest_path
from switchgear.storage.opening import checked_url
from switchgear.storage.sqlite.store import path_of

_SQLITE = "sqlite:"
_FOLDER = "backups"


def folder_of(settings: StoreSettings) -> Path | None:
    """Return the folder of the backups of a store: the configured one, or that beside its file; None without a file."""
    if settings.backups is not None:
        return Path(settings.backups)
    return path_of(settings.url).parent / _FOLDER if settings.url.startswith(_SQLITE) else None


def store_folder(settings: StoreSettings) -> Path | None:
    """Return the folder that the file of a store lies in; None for a store without a file."""
    return path_of(settings.url).parent if settings.url.startswith(_SQLITE) else None


def check_is_no_backup(settings: StoreSettings) -> None:
    """Raise `OptionError` when the store is a backup: as it is, it would act as if nothing had happened since."""
    checked_url(settings.url)
    if settings.url.startswith(_SQLITE) and manifest_path(path_of(settings.url)).exists():
        file = path_of(settings.url)
        raise OptionError(f"{file} is a backup; bring it back with `switchgear ledger restore {file} --into FILE`")


class BackupDesk:
    """Backups as the platform sees them: ``gear.acting_as_platform(actor="user:ops").backups``."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Act through `control`."""
        self._control = control
        self._principal = principal

    async def make(self) -> BackupView:
        """Copy the store while it runs. Raises `Conflict` while another copy is under way, `Invalid`, `StoreError`."""
        return await self._control.backups.make(self._principal)

    async def list(self) -> BackupList:
        """Return the backups that there are, and whether this store is frozen after a restore."""
        return await self._control.backups.list(self._principal)

    async def thaw(self, *, since: float, reason: str) -> ThawedView:
        """Let a restored store go on; what may have been executed from `since` (epoch seconds) on is in doubt.

        Raises `Denied`, `Invalid`, `Conflict` when it is not frozen, `StoreError`.
        """
        return await self._control.backups.thaw(self._principal, since=since, reason=reason)
