"""Stored histories: whatever events become, what every release recorded is read, verified and folded as it was then."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from switchgear.execution.transitions import TRANSITIONS
from switchgear.ledger import standalone
from switchgear.ledger.archiving import ARCHIVED
from switchgear.ledger.checkpoints import CHECKPOINT
from switchgear.ledger.erasure import ERASED
from switchgear.ledger.events import read
from switchgear.ledger.export import ExportReader
from switchgear.ledger.keys import VerifyingKey
from switchgear.ledger.verify import verify_exports
from tools.write_history import FOLDER, STATE_FILE, described_state, history, main

RELEASES = sorted(path.name for path in FOLDER.iterdir())
CHAINS = [
    (release, tenant)
    for release in RELEASES
    for tenant in json.loads((FOLDER / release / STATE_FILE).read_text(encoding="utf-8"))["chains"]
]


def stored(release: str) -> dict[str, Any]:
    """Return what a release says of its history."""
    found: dict[str, Any] = json.loads((FOLDER / release / STATE_FILE).read_text(encoding="utf-8"))
    return found


def files_of(release: str, tenant: str) -> list[bytes]:
    """Return the files of one chain, oldest first."""
    names = stored(release)["chains"][tenant]["files"]
    return [(FOLDER / release / name).read_bytes() for name in names]


def types_in(files: list[bytes]) -> set[str]:
    """Return the types of all events, and check that each can be read."""
    exports = [ExportReader(content.decode().splitlines()) for content in files]
    return {read(entry).type for export in exports for entry in export}


@pytest.mark.parametrize(("release", "tenant"), CHAINS)
async def test_a_stored_history_folds_to_the_state_of_its_release(release: str, tenant: str) -> None:
    """Today's code makes of old events what the release that wrote them did, in every field that it knew."""
    state = stored(release)
    found = await described_state(files_of(release, tenant), state["fields"])
    expected = state["chains"][tenant]
    assert found == {name: expected[name] for name in found}


@pytest.mark.parametrize(("release", "tenant"), CHAINS)
def test_a_stored_history_verifies(release: str, tenant: str) -> None:
    """Old exports stay readable and right, for both verifiers, with the key of their time where they are signed."""
    key = stored(release)["key"]
    lines = [content.decode().splitlines() for content in files_of(release, tenant)]
    signed = any(json.loads(file[0])["checkpoint"] for file in lines)
    ours = verify_exports(lines, keys=[VerifyingKey.read(key)] if signed else [])
    theirs = standalone.verify(lines, [standalone.read_key(key)] if signed else [])
    assert (ours.problem, theirs.problems) == ("", ())
    assert ours.head.hash.hex() == stored(release)["chains"][tenant]["head"]


async def test_the_history_of_this_release_has_every_event() -> None:
    """An event that is recorded today stands in today's history: delete it and run `python -m tools.write_history`."""
    files = [content for name, content in (await history()).items() if name != STATE_FILE]
    kept = [path.read_bytes() for path in sorted((FOLDER / version("switchgear")).glob("*.jsonl"))]
    assert types_in(kept) == types_in(files)
    assert types_in(kept) >= {*map(str, TRANSITIONS), CHECKPOINT, ERASED, ARCHIVED}


def test_a_history_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same code writes the same bytes, and never over those of a release."""
    assert main([str(tmp_path / "one")]) == 0
    assert main([str(tmp_path / "two")]) == 0
    assert main([str(tmp_path / "one")]) == 1
    assert "never written again" in capsys.readouterr().out
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
