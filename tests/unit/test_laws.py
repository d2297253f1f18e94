"""Laws of DESIGN that no single room owns. The others have their named tests beside the rooms that keep them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from switchgear import Breaker, CircuitOpen, Guard, Switchgear
from switchgear.surfaces.rest.operations import OPERATIONS
from switchgear.testing import VirtualClock

GUARD_WITHOUT_IO = """
import asyncio, sys
from switchgear import Breaker, Bulkhead, Guard, RateLimit, Retry, Timeout
guard = Guard("g", timeout=Timeout(5), retry=Retry(attempts=2, on=(OSError,)), breaker=Breaker(window=60.0,
              failure_rate=0.5), rate_limit=RateLimit(1000), bulkhead=Bulkhead(4), deadline=9.0)
async def call():
    return 1
async def calls(count):
    return sum([await guard.call(call) for _ in range(count)])
async def main():
    await calls(1)
    seen = []
    sys.addaudithook(lambda event, _: seen.append(event))
    assert await calls(100) == 100
    return sorted({event for event in seen if event.partition(".")[0] in ("open", "socket", "os", "subprocess")})
print(asyncio.run(main()))
"""


TESTS = Path(__file__).parents[1]


def test_every_law_has_its_named_test() -> None:
    """A law without a test named for it is only a sentence."""
    named = re.findall(r"def test_law_(\d+)_", "\n".join(path.read_text() for path in TESTS.rglob("test_*.py")))
    assert {int(number) for number in named} == set(range(1, 13))


def test_law_7_nobody_closes_a_breaker_by_hand() -> None:
    """Only a probe that succeeds closes it: there is no method, no settable state and no route that does."""
    clock = VirtualClock()
    guard = Guard("crm", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0), clock=clock)
    guard.permit_nowait().fail()
    assert not {name for name in dir(guard) if name.startswith(("close", "reset", "force_close"))}
    with pytest.raises(AttributeError):
        guard.state = "closed"  # type: ignore[misc]  # that is the point
    with pytest.raises(CircuitOpen):
        guard.permit_nowait()
    clock.advance(10.0)
    states = [guard.state]
    guard.permit_nowait().succeed()
    assert [*states, guard.state] == ["half_open", "closed"]
    assert all(operation.method == "GET" for operation in OPERATIONS if "breaker" in operation.path)


def test_law_12_the_hot_path_of_a_guard_does_no_io() -> None:
    """A hundred calls through every policy open no file, no socket and no process."""
    result = subprocess.run(
        [sys.executable, "-c", GUARD_WITHOUT_IO], capture_output=True, text=True, timeout=240, check=False
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


async def test_law_12_an_outage_of_a_dependency_does_not_make_us_unready() -> None:
    """With every breaker open the gear still accepts and records."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("crm.update", effect="keyed")
        async def update(call: object) -> None:
            """Never called here."""

        for _ in range(10):
            gear.guards.of("crm").permit_nowait().fail()
        acme = gear.acting_as(tenant="acme", account="main", actor="agent:a")
        assert gear.guards.of("crm").state == "open"
        assert (await gear.control.readiness.check()).ready
        assert (await acme.submit("crm.update", {}, key="k")).state == "ready"


def test_signatures_are_read_in_one_place() -> None:
    """Python 3.14 reads annotations late, and only `signature_of` reads a signature without what they name."""
    own = {"policies/signatures.py", "surfaces/cli/keys.py"}  # keys reads those of commands
    source = TESTS.parent / "src" / "switchgear"
    reading = {path for path in source.rglob("*.py") if "inspect.signature(" in path.read_text(encoding="utf-8")}
    assert {path.relative_to(source).as_posix() for path in reading} <= own
