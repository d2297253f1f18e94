"""Every snippet of the documentation runs, or says why it does not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, Snippet, name_of, pages, run_page, snippets_of

RUN_BY_THEIR_OWN_TEST = {
    "docs/tutorial.md": "tests/integration/cli/test_tutorial.py",
    "docs/tutorial-survive-a-kill.md": "tests/integration/cli/test_tutorial.py",
    "docs/how-to/act-as-two-people.md": "tests/integration/cli/test_tutorial.py",
    "docs/how-to/give-the-second-word.md": "tests/integration/cli/test_tutorial.py",
    "docs/how-to/call-it-over-rest.md": "tests/integration/rest/test_rest_how_to.py",
}
"""Pages that need a server or a process to kill."""

_LANGUAGES = ("python", "console")
_RUN_HERE = [
    page
    for page in pages()
    if name_of(page) not in RUN_BY_THEIR_OWN_TEST and any(s.language in _LANGUAGES for s in snippets_of(page))
]
_TOML = [s for page in pages() for s in snippets_of(page) if s.language == "toml"]


def _place(snippet: Snippet) -> str:
    return f"{snippet.page}:{snippet.line}"


@pytest.mark.parametrize("page", _RUN_HERE, ids=name_of)
def test_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run in order, and print what the page shows."""
    monkeypatch.chdir(tmp_path)
    run_page(snippets_of(page), tmp_path)


@pytest.mark.parametrize("snippet", _TOML, ids=_place)
def test_toml_blocks_are_toml(snippet: Snippet) -> None:
    """What a reader copies into a configuration file can be read."""
    assert tomllib.loads(snippet.source)


@pytest.mark.parametrize(("page", "test"), RUN_BY_THEIR_OWN_TEST.items(), ids=RUN_BY_THEIR_OWN_TEST)
def test_the_other_pages_have_a_test_of_their_own(page: str, test: str) -> None:
    """A page that is not run here is run by the test that is named for it."""
    assert (ROOT / page).is_file()
    assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")


def test_what_is_not_executed_says_why() -> None:
    """A reason has words; nothing is skipped in silence."""
    skipped = [snippet for page in pages() for snippet in snippets_of(page) if snippet.reason is not None]
    assert all(len(snippet.reason.split()) >= 3 for snippet in skipped if snippet.reason is not None)


def test_the_readme_can_be_pasted_into_a_file() -> None:
    """Its programs are whole: nobody has to know of a shell that takes `await` at the top."""
    programs = [snippet.source for snippet in snippets_of(ROOT / "README.md") if snippet.language == "python"]
    assert len(programs) == 2
    assert all(compile(program, "README.md", "exec") for program in programs)
