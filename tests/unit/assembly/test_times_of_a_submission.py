"""Times that Python code gives with a submission, and what a caller is told of an action that waits for its start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from switchgear.assembly import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.core.clock import VirtualClock
from switchgear.core.errors import DeadlineExceeded, Invalid, NotApplied
from switchgear.execution.contract import Call


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A gear on a clock that stands still, with a tool that can be reverted and one that is refused."""
    async with Switchgear.open(store="memory://", start=False, clock=VirtualClock()) as made:

        @made.tool("idp.lock", effect="keyed", revert="idp.unlock")
        async def lock(_call: Call) -> None:
            """Nothing to give back."""

        @made.tool("idp.unlock", effect="keyed")
        async def unlock(_call: Call) -> None:
            """Nothing to give back."""

        @made.tool("idp.busy", effect="keyed", attempts=2, backoff_base=100.0, backoff_cap=200.0)
        async def busy(_call: Call) -> None:
            raise NotApplied("not now", retryable=True, retry_after=30.0)

        yield made


@pytest.fixture
def acme(gear: Switchgear) -> Acting:
    """One tenant of it."""
    return gear.acting_as(tenant="acme", account="main", actor="service:it")


@pytest.mark.parametrize("option", ["delay", "not_before", "deadline", "revert_after"])
async def test_a_time_that_is_no_number_is_refused_as_invalid(acme: Acting, option: str) -> None:
    """Not a bare TypeError: the refusal has a code, and names the option."""
    wrong: dict[str, Any] = {option: "3"}
    with pytest.raises(Invalid, match=f"{option} is a number of seconds, not str"):
        await acme.submit("idp.lock", {}, key="1", **wrong)


async def test_an_extension_that_is_no_number_is_refused_as_invalid(gear: Switchgear, acme: Acting) -> None:
    """A box is moved by seconds only."""
    await acme.submit("idp.lock", {}, key="1", revert_after=600)
    await gear.run_until_idle()
    box = (await acme.time_boxes.list()).items[0]
    wrong: Any = "3"
    with pytest.raises(Invalid, match="an extension is a number of seconds, not str"):
        await acme.time_boxes.extend(box.id, seconds=wrong, reason="longer")


async def test_who_waits_in_vain_is_told_when_it_starts(gear: Switchgear, acme: Acting) -> None:
    """An action that waits for its start is not stuck, and the message says so."""
    locked = await acme.submit("idp.lock", {}, key="1", delay=58)
    with pytest.raises(DeadlineExceeded, match=r"still ready, and it starts in 58 s; it goes on"):
        await locked.result(timeout=0)
    at_once = await acme.submit("idp.lock", {}, key="2")
    with pytest.raises(DeadlineExceeded, match=r"still ready; it goes on"):
        await at_once.result(timeout=0)


async def test_who_waits_in_vain_is_told_when_it_is_tried_again(gear: Switchgear, acme: Acting) -> None:
    """After an attempt that was not applied, what is waited for is the next one."""
    busy = await acme.submit("idp.busy", {}, key="1")
    with pytest.raises(DeadlineExceeded):
        await gear.run_until_idle(timeout=1)
    with pytest.raises(DeadlineExceeded, match=r"still ready, and its next attempt is in [0-9.]+ s; it goes on"):
        await busy.result(timeout=0)
