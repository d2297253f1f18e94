"""Has the SQLite adapter file its lists after a handful of entries and rows, and not after many thousands."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from switchgear.storage.sqlite import filing, schema, store
from switchgear.storage.sqlite.filing import Filing
from switchgear.storage.sqlite.schema import schema_files

_SHIFT = ">> 10"


def file_at_once(patched: pytest.MonkeyPatch, *, shift: int = 1, blocks_max: int = 1, piece_max: int = 2) -> None:
    """Make blocks of 2 ** `shift` entries or rows, and file a piece after each group once there are `blocks_max`."""
    usual = schema_files()
    steps = [replace(step, text=step.text.replace(_SHIFT, f">> {shift}")) for step in usual]
    assert steps != usual
    patched.setattr(schema, "schema_files", lambda: steps)
    patched.setattr(store, "Filing", partial(Filing, blocks_max, piece_max))
    patched.setattr(filing, "GROUPS_BETWEEN", 1)
    patched.setattr(filing, "_GROUPS_WITHOUT_LOOKING", 1)
