"""The code table against the page that people read: neither says what the other does not."""

from pathlib import Path

import pytest

from switchgear.core.codes import FACTS, Code, ExitCode

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "codes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", list(Code))
def test_the_page_and_the_table_say_the_same(code: Code) -> None:
    """Decision, status, exit code, meaning and advice of a released code change on the page and in the table alike."""
    facts = FACTS[code]
    row = f"| [`{code}`](#{code.lower()}) | {facts.decision} | {facts.http_status} | {facts.exit_code.value} | "
    assert f"{row}{facts.meaning} |" in PAGE.splitlines()
    section = PAGE.partition(f"\n## {code}\n")[2].partition("\n## ")[0]
    assert section.strip().splitlines()[0] == f"{facts.meaning} {facts.advice}"


def test_a_code_is_its_own_name() -> None:
    """What stands in the error, the problem document and the ledger is the name."""
    assert [code.value for code in Code] == [code.name for code in Code]


def test_exit_codes_never_change() -> None:
    """Scripts compare numbers."""
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "NOT_FOUND": 3,
        "ACCESS": 4,
        "TRY_LATER": 5,
        "REFUSED": 6,
        "CONFLICT": 7,
        "IN_DOUBT": 8,
        "TIMEOUT": 9,
        "VERIFY_FAILED": 10,
        "UNAVAILABLE": 11,
    }
