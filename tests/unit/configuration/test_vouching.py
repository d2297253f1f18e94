"""Destructive tools of a file: each dependency that they require is declared there."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear import OptionError
from switchgear.assembly.configuration import load

_FILE = """
[connectors.vault]
kind = "http"
base_url = "http://127.0.0.1:9"

[tools."vault.delete"]
connector = "vault"
method = "DELETE"
path = "/items/7"
effect = "opaque"
destructive = {destructive}
"""


@pytest.mark.parametrize(("destructive", "declared"), [("true", False), ("true", True), ("false", False)])
def test_a_destructive_tool_needs_its_dependency_in_the_file(
    tmp_path: Path, destructive: str, *, declared: bool
) -> None:
    """Nothing could vouch for a dependency that is not declared: the check names tool, dependency and what to write."""
    file = tmp_path / "switchgear.toml"
    text = _FILE.format(destructive=destructive)
    file.write_text(text + ('[dependencies.vault]\nkind = "function"\nprobe = false\n' if declared else ""))
    if destructive == "false" or declared:
        assert load(file).tools
        return
    with pytest.raises(OptionError, match=r"vault\.delete.*destructive: .*'vault'.*write \[dependencies\.vault\]"):
        load(file)
