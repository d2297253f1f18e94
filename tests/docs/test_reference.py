"""The reference pages are current, and nothing that a user can meet is missing from them."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

import switchgear
import switchgear.health
from switchgear.assembly.configuration.loading import SECTIONS
from switchgear.assembly.configuration.sections import (
    BudgetTable,
    DependencyTable,
    FunctionConnectorTable,
    GuardTable,
    HttpConnectorTable,
    OutcomesTable,
    Section,
    ToolTable,
)
from switchgear.core.codes import Code
from switchgear.core.operations import OPERATIONS
from switchgear.execution.transitions import Kind, State
from switchgear.surfaces.cli.application import app
from switchgear.surfaces.rest import openapi_document
from tools.generate_docs import PAGES, main, stale_pages, write_pages

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = DOCS / "reference"


def _page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name: str) -> None:
    """A generated page says what the code says now: `make docs` has been run."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()


def test_a_stale_page_is_named(tmp_path: Path) -> None:
    """A page that was edited by hand, or is missing, is found and written again."""
    write_pages(tmp_path)
    assert stale_pages(tmp_path) == []
    (tmp_path / "reference" / "codes.md").write_text("edited", encoding="utf-8")
    (tmp_path / "reference" / "events.md").unlink()
    assert stale_pages(tmp_path) == ["reference/codes.md", "reference/events.md"]


def test_the_generator_refuses_what_it_does_not_know() -> None:
    """A mistyped option never writes anything."""
    assert main(["--chekc"]) == 2


def test_every_code_is_documented() -> None:
    """A code has a heading that links can name."""
    headings = _page("codes.md").splitlines()
    assert [code for code in Code if f"## {code}" not in headings] == []


def test_every_operation_has_a_row() -> None:
    """Every built-in wait is listed with its bound."""
    page = _page("timeouts.md")
    assert [name for name in OPERATIONS if f"| `{name}` |" not in page] == []


def test_every_event_and_state_is_documented() -> None:
    """An intent has no event and no state that the page does not name."""
    page = _page("events.md")
    assert [word for word in (*Kind, *State) if f"| `{word}` |" not in page] == []


def test_every_public_name_is_documented() -> None:
    """What `switchgear` offers has a heading."""
    headings = _page("library.md").splitlines()
    assert [name for name in switchgear.__all__ if name[0] != "_" and f"### {name}" not in headings] == []


def test_every_public_name_of_health_is_documented() -> None:
    """What `switchgear.health` offers has a heading, once."""
    headings = [line for line in _page("health.md").splitlines() if line.startswith("### ")]
    assert sorted(headings) == sorted(f"### {name}" for name in switchgear.health.__all__)


@pytest.mark.parametrize(
    "section",
    [
        *SECTIONS.values(),
        BudgetTable,
        HttpConnectorTable,
        FunctionConnectorTable,
        DependencyTable,
        GuardTable,
        OutcomesTable,
        ToolTable,
    ],
)
def test_every_configuration_key_is_documented(section: type[Section]) -> None:
    """A key that the file may hold is on the page."""
    page = _page("configuration.md")
    assert [key for key in section.model_fields if f"`{key}`" not in page] == []


def test_every_command_is_documented() -> None:
    """A command of the command line has a heading."""
    headings = _page("cli.md").splitlines()
    assert [path for path in _commands("switchgear", typer.main.get_command(app)) if f"## {path}" not in headings] == []


def test_every_route_is_documented() -> None:
    """A route that the OpenAPI document offers is on the page, with its method."""
    page = _page("rest.md")
    routes = [f"{method.upper()} {path}" for path, methods in openapi_document()["paths"].items() for method in methods]
    assert [route for route in routes if f"`{route}`" not in page] == []


def _commands(path: str, command: object) -> list[str]:
    children = getattr(command, "commands", None)
    if children is None:
        return [path]
    return [found for name, child in children.items() for found in _commands(f"{path} {name}", child)]
