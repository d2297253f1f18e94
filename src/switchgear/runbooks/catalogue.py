"""Which code stands on which page, where the page is, and how a word that somebody has in hand leads to it.

A table and two ways to read it. No file is opened here.
"""

from __future__ import annotations

from collections.abc import Mapping

from switchgear.core.codes import Code
from switchgear.core.problems import problem_type

SECTIONS = (
    "What it means",
    "Who sees it",
    "Is anything at risk",
    "First look",
    "Fix",
    "What not to do",
    "Afterwards",
)
"""The headings of every page, in their order."""

_FAMILIES: Mapping[str, tuple[Code, ...]] = {
    "rate-limited": tuple(code for code in Code if code.startswith("RATE_LIMITED_")),
    "queue": (Code.QUEUE_FULL, Code.QUEUE_EXPIRED),
    "retry": (Code.RETRY_EXHAUSTED, Code.RETRY_BUDGET_EMPTY),
    "timeout": (Code.DEADLINE_EXCEEDED, *(code for code in Code if code.startswith("TIMEOUT_"))),
    "dependency-unhealthy": (Code.DEPENDENCY_UNHEALTHY, Code.DEPENDENCY_UNKNOWN),
    "approval": tuple(code for code in Code if code.startswith("APPROVAL_")),
    "idempotency": tuple(code for code in Code if code.startswith("IDEMPOTENCY_")),
    "access": (Code.TENANT_UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.NOT_FOUND),
    "invalid-request": (Code.INVALID_ARGUMENT, Code.PAYLOAD_TOO_LARGE),
}
"""Pages that several codes share, because what to do is the same. Every other code has a page of its own."""


def _pages() -> dict[str, tuple[Code, ...]]:
    shared = {code: page for page, codes in _FAMILIES.items() for code in codes}
    names = dict.fromkeys(shared.get(code, _words(code)) for code in Code)
    return {name: _FAMILIES.get(name) or (_code_of(name),) for name in names}


def _words(code: Code) -> str:
    return code.lower().replace("_", "-")


def _code_of(name: str) -> Code:
    return Code(name.upper().replace("-", "_"))


PAGES: Mapping[str, tuple[Code, ...]] = _pages()
"""Every page by its name, with the codes that it is about. In the order of the code table."""

_PAGE_OF: Mapping[Code, str] = {code: page for page, codes in PAGES.items() for code in codes}


def page_of(code: Code) -> str:
    """Return the name of the page about `code`, such as ``circuit-open``: a code's own words, or those of a family."""
    return _PAGE_OF[code]


def address_of(code: Code, documentation: str | None = None) -> str:
    """Return the URI of problems of `code`: the member ``type`` (RFC 9457 §3.1.1).

    `documentation` is where the pages of ``docs/`` are published, such as ``https://docs.example.com/switchgear``; the
    URI then is that of the page, and names the code where several share it. None means the name that every
    installation shares, which leads to the page by ``switchgear explain``.
    """
    if not documentation:
        return problem_type(code)
    page = page_of(code)
    anchor = f"#{code.lower()}" if len(PAGES[page]) > 1 else ""
    return f"{documentation.rstrip('/')}/runbooks/{page}{anchor}"


def page_named(word: str) -> str | None:
    """Return the page that `word` leads to; None when there is none.

    A word is a code in any case, a page's name, or a problem's ``type`` as it was sent.
    """
    path = word.strip().partition("#")[0].partition("?")[0]
    last = path.rpartition("/")[2].rpartition(":")[2]
    name = last.lower().removesuffix(".md").removesuffix(".html").replace("_", "-")
    if name in PAGES:
        return name
    found = Code.__members__.get(name.upper().replace("-", "_"))
    return None if found is None else page_of(found)
