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


_PASSIVE = """
[connectors.vault]
kind = "http"
base_url = "http://127.0.0.1:9"

[dependencies.vault]
kind = "http"
probe = {probe}

[tools."vault.delete"]
connector = "vault"
method = "DELETE"
path = "/items/7"
destructive = true
"""
_READS = """
[tools."vault.{name}"]
connector = "vault"
method = "GET"
path = "/items/7"
effect = "read_only"
destructive = {destructive}
"""


@pytest.mark.parametrize(
    ("probe", "others", "warned"),
    [
        ("false", "", True),
        ("false", _READS.format(name="purge", destructive="true"), True),
        ("false", _READS.format(name="get", destructive="false"), False),
        ('{ url = "http://127.0.0.1:9/" }', "", False),
    ],
    ids=["nothing calls it", "only what waits for it calls it", "another tool calls it", "it is probed"],
)
def test_what_could_never_vouch_is_warned_of(tmp_path: Path, probe: str, others: str, *, warned: bool) -> None:
    """Without probe and calls nothing ever says that it is well: the tool would be held for ever."""
    file = tmp_path / "switchgear.toml"
    file.write_text(_PASSIVE.format(probe=probe) + others)
    told = "\n".join(load(file).warnings())
    assert ("dependencies.vault.probe: there is none" in told) is warned
    assert ("write a probe, such as probe = {" in told) is warned
