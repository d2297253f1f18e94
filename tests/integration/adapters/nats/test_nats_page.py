"""The page on the NATS adapter: every snippet runs against a real server and prints what the page shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, run_page, snippets_of
from tests.integration.adapters.nats.server import nats_server

pytestmark = pytest.mark.integration


def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies works, also where it needs a server."""
    monkeypatch.chdir(tmp_path)
    with nats_server(tmp_path) as server:
        snippets = [
            replace(snippet, reason=None, source=snippet.source.replace("4222", str(server.port)))
            for snippet in snippets_of(ROOT / "docs/how-to/adapters/nats.md")
        ]
        run_page(snippets, tmp_path)
