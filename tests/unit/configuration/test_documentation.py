"""The pages about configuration are true: the reference is what the models say, the examples load."""

from __future__ import annotations

import re
from pathlib import Path

from switchgear.assembly.configuration import configuration_reference, load
from switchgear.assembly.configuration.loading import SECTIONS
from switchgear.assembly.configuration.sections import (
    DependencyTable,
    FunctionConnectorTable,
    GuardTable,
    HttpConnectorTable,
    OutcomesTable,
    Section,
    ToolTable,
)

TABLES: tuple[type[Section], ...] = (
    HttpConnectorTable,
    FunctionConnectorTable,
    DependencyTable,
    GuardTable,
    OutcomesTable,
    ToolTable,
)
DOCS = Path(__file__).parents[3] / "docs"


def test_the_reference_page_is_the_generated_one() -> None:
    """Nobody edits it by hand, and no key is missing from it."""
    page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert page == configuration_reference()


def test_every_key_has_a_meaning() -> None:
    """A setting without a word of documentation does not exist."""
    for model in (*SECTIONS.values(), *TABLES):
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name} says nothing"


def test_the_how_to_about_http_tools_loads(tmp_path: Path) -> None:
    """All examples of the page together are one configuration that works."""
    page = (DOCS / "how-to" / "declare-an-http-tool.md").read_text(encoding="utf-8")
    file = tmp_path / "switchgear.toml"
    file.write_text("\n".join(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)), encoding="utf-8")
    loaded = load(file, environment={})
    assert [declared.tool.name for declared in loaded.tools] == ["crm.update_contact", "crm.place_order"]
