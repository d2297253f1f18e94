"""The page on the Redis adapter: every snippet runs against a real server and prints what the page shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, run_page, snippets_of
from tests.integration.adapters.redis.server import redis_server

pytestmark = pytest.mark.integration


def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies works, also where it needs a server."""
    monkeypatch.chdir(tmp_path)
    with redis_server(tmp_path) as server:
        snippets = [
            replace(snippet, reason=None, source=snippet.source.replace("6379", str(server.port)))
            for snippet in snippets_of(ROOT / "docs/how-to/adapters/redis.md")
        ]
        run_page(snippets, tmp_path)
