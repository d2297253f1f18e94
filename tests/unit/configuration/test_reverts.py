"""What undoes a tool of a file, as its `revert` or `compensate`."""

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
{key} = "{undone_by}"

[tools."idp.restore"]
connector = "idp"
operation = "restore"

[tools."idp.lookup_user"]
connector = "idp"
operation = "lookup_user"
"""


def file_with(folder: Path, key: str, undone_by: str) -> Path:
    """Write a configuration whose tool names under `key` what undoes it."""
    path = folder / "switchgear.toml"
    path.write_text(FILE.format(key=key, undone_by=undone_by), encoding="utf-8")
    return path


@pytest.mark.parametrize("key", ["revert", "compensate"])
def test_a_tool_names_what_undoes_it(tmp_path: Path, key: str) -> None:
    """It is part of its contract."""
    load(file_with(tmp_path, key, "idp.restore"), environment={})


@pytest.mark.parametrize("key", ["revert", "compensate"])
@pytest.mark.parametrize(
    ("undone_by", "wrong"),
    [
        ("idp.restor", "did you mean idp.restore?"),
        ("crm.undo", "there is no tool 'crm.undo' in this file"),
        ("idp.lookup_user", "changes nothing"),
    ],
)
def test_what_cannot_undo_is_named(tmp_path: Path, key: str, undone_by: str, wrong: str) -> None:
    """No tool of the file, or one that changes nothing: the problem names the key."""
    with pytest.raises(ConfigurationError) as caught:
        load(file_with(tmp_path, key, undone_by), environment={})
    (problem,) = caught.value.problems
    assert "idp.deactivate" in str(problem)
    assert f"{key}: " in str(problem)
    assert wrong.replace("'", '"') in str(problem).replace("'", '"')


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    """A revert and a compensation that do not exist are two problems of one check."""
    with pytest.raises(ConfigurationError) as caught:
        load(file_with(tmp_path, 'compensate = "crm.gone"\nrevert', "crm.undo"), environment={})
    assert ["crm.undo" in str(caught.value), "crm.gone" in str(caught.value)] == [True, True]
    assert len(caught.value.problems) == 2
