"""Tools of a file whose effect promises more than they can keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.assembly.configuration import load

FILE = """
[connectors.crm]
kind = "http"
base_url = "https://crm.example.com"

[tools."crm.set"]
connector = "crm"
method = "PUT"
path = "/contacts/7"
{lines}

[tools."crm.get"]
connector = "crm"
method = "GET"
path = "/contacts/7"
effect = "read_only"
"""
LOOKUP = 'lookup = "crm.get"'


@pytest.mark.parametrize(
    ("lines", "lacks"),
    [
        ('effect = "reconcilable"', "lookup"),
        ('effect = "natural"', "resource"),
        (f'effect = "reconcilable"\n{LOOKUP}', None),
        (f'effect = "natural"\n{LOOKUP}', None),
        ('effect = "natural"\nresource = "contact/7"', None),
        ('effect = "opaque"', None),
    ],
)
def test_a_tool_that_cannot_settle_its_doubts_is_warned_of(tmp_path: Path, lines: str, lacks: str | None) -> None:
    """It works, but every doubt of it is a person's job: no failure, and what is missing is named."""
    file = tmp_path / "switchgear.toml"
    file.write_text(FILE.format(lines=lines), encoding="utf-8")
    told = [line for line in load(file, environment={}).warnings() if "crm.set" in line]
    assert len(told) == (lacks is not None)
    assert all(f"{lacks}: there is none, so each doubt" in line for line in told)
