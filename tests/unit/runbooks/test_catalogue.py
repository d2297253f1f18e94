"""Which code stands on which page, and what leads there."""

from __future__ import annotations

import pytest

from switchgear.core.codes import Code
from switchgear.core.problems import problem_type
from switchgear.runbooks import PAGES, address_of, page_named, page_of

BASE = "https://docs.example.com/switchgear"


def test_every_code_stands_on_exactly_one_page() -> None:
    """Whoever meets a code finds one answer, not none and not two."""
    assert sorted(code for codes in PAGES.values() for code in codes) == sorted(Code)
    assert all(code in PAGES[page_of(code)] for code in Code)


def test_a_page_of_one_code_has_its_name() -> None:
    """The name of a page can be guessed from the code at three in the morning."""
    alone = {page: codes[0] for page, codes in PAGES.items() if len(codes) == 1}
    assert alone
    assert [page for page, code in alone.items() if page != code.lower().replace("_", "-")] == []


@pytest.mark.parametrize("code", list(Code))
def test_the_type_of_a_problem_is_stable_and_leads_to_its_page(code: Code) -> None:
    """RFC 9457 §3.1.1: the type names the code; it does not change, and `explain` takes it as it was sent."""
    assert address_of(code) == problem_type(code) == f"urn:switchgear:code:{code}"
    assert page_named(address_of(code)) == page_of(code)
    assert page_named(address_of(code, BASE)) == page_of(code)


def test_addresses_are_one_a_code() -> None:
    """A type identifies a code, so codes that share a page still have types of their own."""
    assert len({address_of(code, BASE) for code in Code}) == len(Code)
    assert address_of(Code.CIRCUIT_OPEN, BASE + "/") == f"{BASE}/runbooks/circuit-open"
    assert address_of(Code.RATE_LIMITED_TENANT, BASE) == f"{BASE}/runbooks/rate-limited#rate_limited_tenant"


@pytest.mark.parametrize(
    "word",
    ["CIRCUIT_OPEN", "circuit_open", "circuit-open", " Circuit-Open ", "circuit-open.md", f"{BASE}/circuit-open.html"],
)
def test_what_somebody_has_in_hand_leads_to_the_page(word: str) -> None:
    """Nobody has to know how a code is written."""
    assert page_named(word) == "circuit-open"


@pytest.mark.parametrize("word", ["", "CIRCUIT", "urn:switchgear:trace:1", "../../etc/passwd", "http://[", "index"])
def test_other_words_lead_nowhere(word: str) -> None:
    """A word that is no code is never taken for one, and never for a path."""
    assert page_named(word) is None
