"""The pages of the package: whole, and with the words of the code table."""

from __future__ import annotations

from importlib.resources import files

import pytest

from switchgear.core.codes import FACTS
from switchgear.runbooks import PAGES, SECTIONS, runbook

WRITTEN = SECTIONS[1:]
LINE_MAX = 120


def test_there_is_a_file_for_each_page_and_no_other() -> None:
    """A code without a page fails here, and so does a page whose code is gone."""
    found = {entry.name for entry in files("switchgear.runbooks").joinpath("pages").iterdir()}
    assert found == {f"{page}.md" for page in PAGES}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_the_one_skeleton(name: str) -> None:
    """Whoever knows one page knows where to look on all of them."""
    source = files("switchgear.runbooks").joinpath("pages", f"{name}.md").read_text(encoding="utf-8")
    headings = [line[3:] for line in source.splitlines() if line.startswith("## ")]
    assert headings == list(WRITTEN)
    page = runbook(name)
    assert tuple(page.sections) == SECTIONS
    assert all(len(words.split()) >= 4 for words in page.sections.values())
    assert max(map(len, source.splitlines())) <= LINE_MAX


@pytest.mark.parametrize("name", PAGES)
def test_the_meaning_comes_from_the_code_table(name: str) -> None:
    """One wording a code for people: a page says what the table says, for each of its codes."""
    page = runbook(name)
    meaning = page.sections["What it means"]
    for code in page.codes:
        facts = FACTS[code]
        assert facts.meaning in meaning
        assert facts.advice in meaning
        assert f"HTTP status {facts.http_status}, exit code {int(facts.exit_code)}" in meaning
        assert (f"### {code}" in meaning) is (len(page.codes) > 1)


@pytest.mark.parametrize("name", PAGES)
def test_first_look_names_commands(name: str) -> None:
    """The first minutes need something to type, not something to think about."""
    assert "```sh\n" in runbook(name).sections["First look"]


def test_more_is_put_at_the_end_of_its_section() -> None:
    """The documentation adds its examples; the words of the package stay as they are."""
    text = runbook("circuit-open").text({"Who sees it": "An example."})
    before, _, after = text.partition("\n\nAn example.\n\n")
    assert before.endswith("`intent.deferred`.")
    assert after.startswith("## Is anything at risk")


def test_an_unknown_page_is_refused() -> None:
    """A name is looked up in the table, never in the file system."""
    with pytest.raises(KeyError):
        runbook("../__init__")
