"""The page on janitors: every snippet runs, against a real Redis, and prints what the page shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, run_page, snippets_of
from tests.integration.adapters.redis.server import redis_server

pytestmark = pytest.mark.integration

PAGE = ROOT / "docs" / "how-to" / "run-a-janitor.md"


def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies works, also where it needs a server."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        snippets = [
            replace(snippet, reason=None, source=snippet.source.replace("6379", str(server.port)))
            for snippet in snippets_of(PAGE)
            if snippet.reason is None or "tests/integration" in snippet.reason
        ]
        run_page(snippets, tmp_path)


def test_the_page_quotes_the_careless_janitor() -> None:
    """The lines that it warns of are lines of the example."""
    quoted = next(snippet for snippet in snippets_of(PAGE) if "naive" in (snippet.reason or ""))
    naive = (ROOT / "examples" / "session_janitor" / "naive.py").read_text(encoding="utf-8")
    assert all(f"    {line}\n" in naive for line in quoted.source.splitlines())
