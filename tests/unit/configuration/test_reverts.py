"""The revert that a tool of a file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.assembly.configuration import load
from switchgear.assembly.configuration.problems import ConfigurationError

FILE = """
[connectors.idp]
kind = "scim"
base_url = "https://idp.example.com/scim/v2"

[tools."idp.deactivate"]
connector = "idp"
operation = "deactivate"
revert = "{revert}"

[tools."idp.restore"]
connector = "idp"
operation = "restore"

[tools."idp.lookup_user"]
connector = "idp"
operation = "lookup_user"
"""


def file_with(folder: Path, revert: str) -> Path:
    """Write a configuration whose tool names `revert`."""
    path = folder / "switchgear.toml"
    path.write_text(FILE.format(revert=revert), encoding="utf-8")
    return path


def test_a_tool_names_what_undoes_it(tmp_path: Path) -> None:
    """It is part of its contract."""
    load(file_with(tmp_path, "idp.restore"), environment={})


@pytest.mark.parametrize(
    ("revert", "wrong"),
    [
        ("idp.restor", "did you mean idp.restore?"),
        ("crm.undo", "there is no tool 'crm.undo' in this file"),
        ("idp.lookup_user", "changes nothing"),
    ],
)
def test_a_revert_that_cannot_work_is_named(tmp_path: Path, revert: str, wrong: str) -> None:
    """No tool of the file, or one that changes nothing: the problem names the key."""
    with pytest.raises(ConfigurationError) as caught:
        load(file_with(tmp_path, revert), environment={})
    (problem,) = caught.value.problems
    assert "idp.deactivate" in str(problem)
    assert "revert" in str(problem)
    assert wrong.replace("'", '"') in str(problem).replace("'", '"')
