"""What a type checker refuses: a reason that is not `Confirmed` is an error before anything runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

SNIPPETS = """
from collections.abc import AsyncIterator, Iterator

from switchgear.health import Confirmed, DestructiveGate, Finding, Inference, Inferred, Standings, Witness, destructive


class Session:
    id: str = "7"


def ended(session: Session) -> bool:
    return session.id == "7"


async def fetch(session_id: str) -> Session:
    return Session()


def fetch_blocking(session_id: str) -> Session:
    return Session()


@destructive(requires=("redis",))
def delete(dead: Confirmed[Session], note: str = "") -> str:
    return dead.value.id


@destructive(requires=("redis",))
async def delete_later(dead: Confirmed[Session]) -> int:
    delete_later.check(dead)
    return 1


@destructive(requires=("redis",))
def sweep(dead: Confirmed[list[Session]]) -> Iterator[str]:
    for session in dead.value:
        yield session.id


class Janitor:
    @destructive(requires=("redis",))
    def delete(self, dead: Confirmed[Session], note: str = "") -> str:
        return dead.value.id


@destructive(requires=("redis",))
def by_name(session_id: str) -> None:  # error above: arg-type
    ...


async def narrowed(witness: Witness, gate: DestructiveGate) -> None:
    finding = await witness.ask(fetch, "7", says=ended)
    if isinstance(finding, Confirmed):
        name: str = delete(finding, "note")
        count: int = await delete_later(finding)
        name = Janitor().delete(finding, note="note")
        name = Janitor.delete(Janitor(), finding)
        delete.check(finding)
        with gate.destructive("x", requires=("redis",), because=finding) as permit:
            for item in permit.each([1, 2]):
                count = item
        print(name, count, finding.value.id)
    else:
        print(finding.why)
    other = witness.ask(fetch_blocking, "7", says=ended)
    if isinstance(other, Confirmed):
        delete(other)


def not_narrowed(finding: Finding[Session], inferred: Inferred, gate: DestructiveGate) -> None:
    delete(finding)  # error: arg-type
    delete(inferred)  # error: arg-type
    delete("7")  # error: arg-type
    delete(None)  # error: arg-type
    delete()  # error: call-arg
    print(delete_later(finding))  # error: arg-type
    list(sweep(inferred))  # error: arg-type
    Janitor().delete(finding)  # error: arg-type
    delete.check(finding)  # error: arg-type
    gate.destructive("x", requires=("redis",), because=finding)  # error: arg-type
    gate.destructive("x", requires=("redis",), because=inferred)  # error: arg-type
    gate.destructive("x", requires=("redis",))  # error: call-arg
    print(finding.value)  # error: union-attr


def other_reason(wrong: Confirmed[str], sessions: Confirmed[list[Session]]) -> None:
    delete(wrong)  # error: arg-type
    delete(sessions)  # error: arg-type
    list(sweep(sessions))


def forged(confirmed: Confirmed[Session], witness: Witness) -> None:
    Confirmed(Session())  # error: arg-type
    confirmed.value.id = "8"
    witness.ask(fetch_blocking, "7")  # error: call-overload


async def not_awaited(witness: Witness) -> None:
    delete(witness.ask(fetch, "7", says=ended))  # error: arg-type
"""


def test_a_type_checker_refuses_what_is_not_confirmed(tmp_path: Path) -> None:
    """Each line that says so is an error of that code, and no other line is one."""
    page = tmp_path / "snippets.py"
    page.write_text(SNIPPETS, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    found = {
        (int(line), code)
        for line, code in re.findall(r"^.*?snippets\.py:(\d+): error: .*\[([a-z-]+)\]$", ended.stdout, re.MULTILINE)
    }
    assert found == _expected(), ended.stdout + ended.stderr


def _expected() -> set[tuple[int, str]]:
    expected = set()
    for number, line in enumerate(SNIPPETS.splitlines(), start=1):
        said = re.search(r"# error( above)?: ([a-z-]+)$", line)
        if said is not None:
            expected.add((number - bool(said[1]), said[2]))
    return expected
