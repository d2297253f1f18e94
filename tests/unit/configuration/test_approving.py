"""The `[[approvals]]` of the file: read into rules in order, and every mistake told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.assembly.configuration import ConfigurationError, default, load
from switchgear.core.effects import Effect
from switchgear.gates.approval import ApprovalRule


def _file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "switchgear.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_rules_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """The first rule that fits counts, so their order means something; what is not given has the rule's default."""
    text = """
    [[approvals]]
    name = "refunds"
    tool = "bank.*"
    connector = "bank"
    actor = "agent:*"
    effects = ["opaque", "keyed"]
    destructive = true
    cost_above = 100
    quorum = 2
    expires = 600

    [[approvals]]
    name = "all"
    """
    first = ApprovalRule(
        name="refunds",
        tool="bank.*",
        connector="bank",
        actor="agent:*",
        effects=frozenset({Effect.OPAQUE, Effect.KEYED}),
        destructive=True,
        cost_above=100,
        quorum=2,
        expires=600.0,
    )
    assert load(_file(tmp_path, text), environment={}).approvals == (first, ApprovalRule(name="all"))


def test_without_rules_nothing_needs_approval() -> None:
    """Approval is asked for by rules alone."""
    assert default("memory://", environment={}).approvals == ()


ROWS = [
    ("approvals = 1", "approvals", "must be a list of tables", "[[approvals]]"),
    ('[approvals]\nname = "x"', "approvals", "must be a list of tables", "[[approvals]]"),
    ("approvals = [1]", "approvals[0]", "must be a table, not 1", "[[approvals]]"),
    ("[[approvals]]", "approvals[0].name", "is missing", 'name = "refunds"'),
    ('[[approvals]]\nname = ""', "approvals[0].name", 'cannot be ""', 'name = "refunds"'),
    ('[[approvals]]\nname = "a"\nquorum = 0', "approvals[0].quorum", "at least 1", "quorum = 1"),
    ('[[approvals]]\nname = "a"\nexpires = 0', "approvals[0].expires", "above 0", "expires = 3600.0"),
    ('[[approvals]]\nname = "a"\neffects = ["opaqe"]', "approvals[0].effects", "cannot be", "did you mean opaque?"),
    ('[[approvals]]\nname = "a"\neffects = []', "approvals[0].effects", "cannot be []", 'effects = ["opaque"'),
    ('[[approvals]]\nname = "a"\ncost_abov = 1', "approvals[0].cost_abov", "no such key", "did you mean cost_above?"),
    ('[[approvals]]\nname = "a"\n[[approvals]]\nname = "a"', "approvals[1].name", "an earlier rule", ""),
]


@pytest.mark.parametrize(("text", "key", "wrong", "write"), ROWS)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, text: str, key: str, wrong: str, write: str) -> None:
    """Which rule, which key, what is wrong, what to write."""
    with pytest.raises(ConfigurationError) as caught:
        load(_file(tmp_path, text), environment={})
    (problem,) = caught.value.problems
    assert problem.key == key
    assert wrong in problem.wrong
    assert write in problem.write
