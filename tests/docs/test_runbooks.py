"""The runbooks as pages: an example from each surface, and a page for each code."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import SwitchgearError
from switchgear.runbooks import PAGES, SECTIONS, page_of
from switchgear.surfaces.cli.failures import failure_of_error
from switchgear.surfaces.rest.problems import problem_document
from tests.docs.snippets import ROOT, snippets_of
from tools.reference.runbook_examples import Met, Refusals, examples

FOLDER = ROOT / "docs" / "runbooks"


def _text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def test_every_code_has_a_page() -> None:
    """A new code lands with its runbook, or not at all."""
    assert {path.stem for path in FOLDER.glob("*.md")} == {*PAGES, "index"}
    index = _text("index")
    assert [code for code in Code if f"`{code}`" not in index] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_every_section(name: str) -> None:
    """The skeleton is the same on every page, and every code of a family is named."""
    lines = _text(name).splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == list(SECTIONS)
    assert [code for code in PAGES[name] if code not in _text(name)] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_surface_is_shown(name: str) -> None:
    """Whoever sees a code anywhere recognises it on the page: Python, REST, command line, ledger."""
    example, text = examples()[name], _text(name)
    code = example.error.code
    assert page_of(code) == name
    assert f"{type(example.error).__name__}: {example.error}" in text
    assert "In the ledger:" in text
    (document, *_) = [*map(json.loads, _json(name)), None]
    if example.met is Met.ACTION:
        assert (document["code"], document["state"]) == (code, example.action().state)
        assert f"      reason  {code}" in text
        return
    assert f"exit code {int(FACTS[code].exit_code)}:\n" in text
    assert f"  see switchgear explain {code}\n" in text
    if example.met is Met.REFUSAL:
        assert (document["code"], document["type"]) == (code, f"urn:switchgear:code:{code}")
    else:
        assert document is None


def test_what_the_ledger_keeps_names_the_code() -> None:
    """Law 8: the ledger holds the refusal under the same code as the caller was told."""
    for example in examples().values():
        if isinstance(example.recorded, Refusals):
            assert example.recorded.facts["code"] == example.error.code
        elif not isinstance(example.recorded, str):
            assert example.error.code in {change.facts.get("code") for change in example.recorded}


@pytest.mark.parametrize("code", list(Code))
def test_one_wording_a_code(code: Code) -> None:
    """Where nothing more is said, Python, REST and the command line say what the code table says, word for word."""
    error = SwitchgearError(code=code)
    facts = FACTS[code]
    document, failure = problem_document(error, "0" * 32), failure_of_error(error)
    assert str(error) == f"{code}: {facts.meaning}"
    assert (document["title"], document["detail"], document["advice"]) == (facts.meaning, facts.meaning, facts.advice)
    told = failure.document()
    assert (told["title"], told["detail"], told["advice"]) == (facts.meaning, facts.meaning, facts.advice)


def _json(name: str) -> Iterator[str]:
    yield from (found.source for found in snippets_of(FOLDER / f"{name}.md") if found.language == "json")
