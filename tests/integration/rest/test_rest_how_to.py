"""The how-to page runs as written, and the reference page is what the table of operations says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from fastapi import FastAPI

from switchgear.assembly.gear import Switchgear
from switchgear.surfaces.rest import Traffic, rest_reference, serve
from tests.integration.rest.support import Tokens

DOCS = Path(__file__).parents[3] / "docs"
_SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.integration
async def test_the_how_to_runs_as_written(
    app: FastAPI,
    traffic: Traffic,
    gear: Switchgear,
    token: Tokens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every snippet is executed: the page's snippets are one program against a real server."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(app, traffic, host="127.0.0.1", port=0, ready=address.set_result, drain=gear.drain)
    )
    monkeypatch.setenv("SWITCHGEAR_URL", await asyncio.wait_for(address, 30.0))
    monkeypatch.setenv("SWITCHGEAR_TOKEN", token())
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "how-to" / "call-it-over-rest.md").read_text(encoding="utf-8")
    program = "\n".join(_SNIPPET.findall(page)) + "\nswitchgear.close()\n"
    try:
        await asyncio.to_thread(exec, compile(program, "call-it-over-rest.md", "exec"), {})
    finally:
        traffic.stop()
        await asyncio.wait_for(serving, 30.0)
    assert (tmp_path / "acme.jsonl").stat().st_size > 0


def test_the_reference_page_is_current() -> None:
    """The page is generated, so it cannot say other than the table does."""
    assert (DOCS / "reference" / "rest.md").read_text(encoding="utf-8") == rest_reference()
