"""How backups, restores and thaws are drawn for people, and how a time is read."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from switchgear.surfaces.cli.backups import draw_backups, draw_restored, draw_thawed

LINE: dict[str, Any] = {"file": "gear-[x].db", "created_at": 0.0, "bytes": 4096, "sha256": "ab" * 32, "problem": None}
LIST: dict[str, Any] = {"folder": "backups", "items": [LINE], "under_way": None, "frozen": False, "restored_from": None}


def drawn(draw: Any, document: dict[str, Any]) -> str:  # noqa: ANN401 - any of the drawing functions
    """Return what is printed."""
    console = Console(file=io.StringIO(), width=160)
    draw(console, document)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_backup_is_a_row() -> None:
    """Name, moment, size, and the beginning of its digest."""
    text = drawn(draw_backups, LIST)
    for word in ("gear-[x].db", "1970-01-01T00:00:00.000Z", "4,096", "abababababab"):
        assert word in text
    assert "frozen" not in text


def test_damage_and_state_are_said() -> None:
    """What is wrong with a backup, which one is being made, and that this store is frozen itself."""
    damaged = {**LINE, "created_at": None, "bytes": None, "sha256": None, "problem": "LEDGER_CORRUPT"}
    text = drawn(
        draw_backups, {**LIST, "items": [damaged], "under_way": "gear-2.db", "frozen": True, "restored_from": 0.0}
    )
    for word in ("LEDGER_CORRUPT", "gear-2.db is being made", "1970-01-01T00:00:00.000Z and is frozen"):
        assert word in text


def test_nothing_is_said_in_words() -> None:
    """An empty table would look like a defect."""
    assert drawn(draw_backups, {**LIST, "items": []}) == "no backups in backups\n"


def test_a_restore_says_what_comes_next() -> None:
    """The command to come is printed with its time."""
    text = drawn(draw_restored, {"file": "new.db", "backup_at": 0.0})
    assert "new.db is the store as it was at 1970-01-01T00:00:00.000Z, and frozen" in text
    assert "thaw --since 1970-01-01T00:00:00.000Z" in text


def test_a_thaw_says_what_waits_for_whom() -> None:
    """Only what there is."""
    nothing = {"in_doubt": 0, "sagas": 0, "time_boxes": 0, "unreadable": 0}
    assert len(drawn(draw_thawed, nothing).splitlines()) == 1
    text = drawn(draw_thawed, {"in_doubt": 7, "sagas": 1, "time_boxes": 2, "unreadable": 3})
    for word in ("7 actions are in doubt", "1 saga and 2 time-boxes", "3 records cannot be read"):
        assert word in text
