"""The page on probes: every snippet runs, against real servers, and prints what the page shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, run_page, snippets_of
from tests.integration.adapters.nats.server import nats_server
from tests.integration.adapters.redis.server import redis_server

pytestmark = pytest.mark.integration


def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies works, also where it needs a server."""
    monkeypatch.chdir(tmp_path)
    folders = [tmp_path / "redis", tmp_path / "nats"]
    for folder in folders:
        folder.mkdir()
    with redis_server(folders[0]) as redis, nats_server(folders[1]) as nats:
        snippets = [
            replace(
                snippet,
                reason=None,
                source=snippet.source.replace("6379", str(redis.port)).replace("4222", str(nats.port)),
            )
            for snippet in snippets_of(ROOT / "docs/reference/probes.md")
        ]
        run_page(snippets, tmp_path)
