"""Links between pages of the documentation lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, name_of, pages

_LINK = re.compile(r"\]\((?P<target>[^)#\s]+)?(?:#(?P<anchor>[^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
_SOURCE = re.compile(r"`(?P<path>[a-z_]+(?:/[a-z_]+)*(?:\.py|/))`")
_BASES = (ROOT, ROOT / "src" / "switchgear", ROOT / "src" / "switchgear" / "surfaces")
_OUTSIDE = ("http://", "https://", "mailto:")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and a heading in it."""
    for found in _LINK.finditer(_prose(page)):
        target, anchor = found["target"] or "", found["anchor"]
        if not target.startswith(_OUTSIDE):
            aimed = (page.parent / target).resolve() if target else page
            assert aimed.exists(), f"{name_of(page)} links to {target}"
            assert anchor is None or anchor in _anchors(aimed), f"{name_of(page)} links to {target}#{anchor}"


def test_the_index_names_every_page() -> None:
    """A page that is neither in docs/index.md nor in an index that it names is not found."""
    index = ROOT / "docs" / "index.md"
    listed = _linked(index)
    for further in [page for page in listed if page.name == "index.md"]:
        listed |= _linked(further)
    assert set((ROOT / "docs").rglob("*.md")) - {index} <= listed


def test_the_index_names_a_page_once() -> None:
    """Whoever looks for a page knows where; what stands in two places is in neither."""
    named = [found["target"] for found in _LINK.finditer(_prose(ROOT / "docs" / "index.md"))]
    assert sorted(named) == sorted(set(named))


def test_the_architecture_names_what_is_there() -> None:
    """Every file and folder that ARCHITECTURE.md sends a reader to is there."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = {found["path"] for found in _SOURCE.finditer(text)}
    assert named
    assert [path for path in named if not any((base / path).exists() for base in _BASES)] == []


def _linked(page: Path) -> set[Path]:
    """Return what a page links to."""
    return {(page.parent / found["target"]).resolve() for found in _LINK.finditer(_prose(page)) if found["target"]}


def _prose(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """Return the anchors that headings of a page get: lower case, punctuation dropped, spaces to dashes."""
    texts = (found["text"] for found in _HEADING.finditer(page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}
