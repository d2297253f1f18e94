"""The `[[budgets]]` of a file become the budgets of the gate, and what is wrong with them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.assembly.configuration import load
from switchgear.assembly.configuration.problems import ConfigurationError
from switchgear.gates.budget import Budget
from switchgear.gates.budget_names import Period


def test_every_key_is_read(tmp_path: Path) -> None:
    """A table says all of it; a name alone is a budget that only counts."""
    file = tmp_path / "switchgear.toml"
    file.write_text(
        '[[budgets]]\nname = "agents"\nlimit = 5\nperiod = "hour"\ntenant = "eu-*"\naccount = "main"\n'
        'connector = "crm"\ntool = "crm.*"\neach = ["tool"]\nsoft = 0.5\n[[budgets]]\nname = "all"\n',
        encoding="utf-8",
    )
    assert load(file, environment={}).budgets.all == (
        Budget(
            name="agents",
            limit=5,
            period=Period.HOUR,
            tenant="eu-*",
            account="main",
            connector="crm",
            tool="crm.*",
            each=("tool",),
            soft=0.5,
        ),
        Budget(name="all"),
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[budgets]\nname = 1", "budgets: must be a list of tables"),
        ("budgets = [1]", "budgets[0]: must be a table"),
        ("[[budgets]]\nlimit = 1", "budgets[0].name: is missing"),
        ('[[budgets]]\nname = "a/b"', "budgets[0].name"),
        ('[[budgets]]\nname = "a"\nlimit = -1', "budgets[0].limit: must be at least 0"),
        ('[[budgets]]\nname = "a"\nlimit = 1.5', "budgets[0].limit"),
        ('[[budgets]]\nname = "a"\nperiod = "week"', "budgets[0].period"),
        ('[[budgets]]\nname = "a"\nsoft = 0', "budgets[0].soft: must be above 0"),
        ('[[budgets]]\nname = "a"\neach = ["tenant"]', "budgets[0].each"),
        ('[[budgets]]\nname = "a"\nlimits = 1', "did you mean limit?"),
        ('[[budgets]]\nname = "a"\n[[budgets]]\nname = "a"', "the name of an earlier budget"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, wrong: str) -> None:
    """Whoever wrote the file learns which key of which budget to correct."""
    file = tmp_path / "switchgear.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load(file, environment={})
    assert wrong in str(refused.value)
