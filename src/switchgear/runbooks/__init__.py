"""Runbooks: what each failure code asks of the person on call, one page a code or a family of codes.

`catalogue` says which code stands on which page, and where that page is. `reading` opens the pages, which are data
files in ``pages/`` and ship in the wheel. What a code means is never written there: it comes from `core.codes`.
Nothing here knows a surface, and nothing decides anything. Standard library only.
"""

from __future__ import annotations

from switchgear.runbooks.catalogue import PAGES, SECTIONS, address_of, page_named, page_of
from switchgear.runbooks.reading import Runbook, runbook

__all__ = ["PAGES", "SECTIONS", "Runbook", "address_of", "page_named", "page_of", "runbook"]
