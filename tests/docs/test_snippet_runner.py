"""The runner of snippets can fail: a page that is wrong is seen to be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.snippets import ROOT, Snippet, run_page, snippets_of


def _snippets(*blocks: tuple[str, str]) -> list[Snippet]:
    return [
        Snippet(page="page.md", line=10 * number + 1, language=language, source=source, reason=None)
        for number, (language, source) in enumerate(blocks)
    ]


def test_blocks_share_a_namespace_and_may_await(tmp_path: Path) -> None:
    """A reader goes on from block to block."""
    run_page(
        _snippets(
            ("python", "import asyncio\nx = await asyncio.sleep(0, 41)\n"),
            ("python", "print(x + 1)\n"),
            ("text output", "42\n"),
        ),
        tmp_path,
    )


def test_files_are_saved_and_commands_run(tmp_path: Path) -> None:
    """A page may have the reader save a file and run it."""
    run_page(
        _snippets(("python file=hello.py", "print('hello')\n"), ("console", "$ python hello.py\nhello\n")), tmp_path
    )


@pytest.mark.parametrize(
    "blocks",
    [
        [("python", "print(1)\n"), ("text output", "2\n")],
        [("console", "$ false\n")],
        [("console", "$ echo one\ntwo\n")],
    ],
    ids=["other output", "failing command", "other line"],
)
def test_what_a_page_shows_wrongly_is_found(blocks: list[tuple[str, str]], tmp_path: Path) -> None:
    """A page that shows what does not come fails."""
    with pytest.raises(AssertionError):
        run_page(_snippets(*blocks), tmp_path)


def test_a_reason_is_read(tmp_path: Path) -> None:
    """A block with a reason before it is kept, with the reason, and not run."""
    page = ROOT / "README.md"
    text = "<!-- not executed: it would take an hour -->\n```console\n$ sleep 3600\n```\n"
    found = snippets_of(page, text)
    assert [snippet.reason for snippet in found] == ["it would take an hour"]
    run_page(found, tmp_path)
