"""Writes the generated reference pages, or checks that they are up to date.

`python -m tools.generate_docs` writes them; with `--check` it writes nothing, names the stale ones and ends with 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from switchgear.assembly.configuration import configuration_reference
from switchgear.surfaces.cli.reference import cli_reference
from switchgear.surfaces.rest import rest_reference
from tools.reference.codes import codes_page
from tools.reference.events import events_page
from tools.reference.health import health_page
from tools.reference.library import library_page
from tools.reference.runbooks import runbook_pages
from tools.reference.timeouts import timeouts_page

FOLDER = Path(__file__).resolve().parents[1] / "docs"

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": cli_reference,
    "reference/codes.md": codes_page,
    "reference/configuration.md": configuration_reference,
    "reference/events.md": events_page,
    "reference/health.md": health_page,
    "reference/library.md": library_page,
    "reference/rest.md": rest_reference,
    "reference/timeouts.md": timeouts_page,
    **{f"runbooks/{name}": make for name, make in runbook_pages().items()},
}


def stale_pages(folder: Path = FOLDER) -> list[str]:
    """Return the names of pages in `folder` that differ from what the code says now."""
    return [name for name, make in PAGES.items() if _on_disk(folder / name) != make()]


def write_pages(folder: Path = FOLDER) -> list[str]:
    """Write the stale pages and return their names."""
    stale = stale_pages(folder)
    for name in stale:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(PAGES[name](), encoding="utf-8")
    return stale


def main(arguments: Sequence[str]) -> int:
    """Check or write. Return 0, or 1 when a page is stale under `--check`."""
    if arguments == ["--check"]:
        stale = stale_pages()
        for name in stale:
            print(f"docs/{name} is stale: run `make docs`")
        return 1 if stale else 0
    if arguments:
        print("usage: python -m tools.generate_docs [--check]")
        return 2
    for name in write_pages():
        print(f"wrote docs/{name}")
    return 0


def _on_disk(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
