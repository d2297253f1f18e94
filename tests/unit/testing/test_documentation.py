"""The page of the test kit leaves nothing out."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear import testing
from switchgear.testing import PolicyConformance, pytest_plugin

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "testing.md").read_text(encoding="utf-8")
FIXTURES = (
    pytest_plugin.virtual_clock,
    pytest_plugin.simulated_loop,
    pytest_plugin.simulation_seed,
    pytest_plugin.switchgear_clock,
    pytest_plugin.fake_upstream,
    pytest_plugin.guard_factory,
)


@pytest.mark.parametrize("name", testing.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    """What the kit offers has a heading."""
    assert f"### {name}\n" in PAGE


def test_every_rule_of_the_policy_suite_is_documented() -> None:
    """A test that a subclass inherits is on the page."""
    rules = [name for name in dir(PolicyConformance) if name.startswith("test_")]
    assert [name for name in rules if f"| `{name}` |" not in PAGE] == []


def test_every_fixture_is_documented() -> None:
    """A fixture that the plugin gives is on the page."""
    assert [one.__name__ for one in FIXTURES if f"| `{one.__name__}` |" not in PAGE] == []
