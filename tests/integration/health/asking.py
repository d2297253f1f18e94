"""Asks a probe as its caller does: within a bound, and for what the answer says."""

from __future__ import annotations

import asyncio

import pytest

from switchgear.core.errors import SwitchgearError
from switchgear.health.evidence import Polarity
from switchgear.health.probe import Probe, polarity_of

ANSWER_SECONDS_MAX = 3.0
"""Seconds in which every probe of these tests has to come back by itself, well above its own bound."""


async def verdict(probe: Probe) -> Polarity:
    """Ask, and return what the answer says. A probe that does not keep its bound fails the test."""
    ends = asyncio.timeout(ANSWER_SECONDS_MAX)
    try:
        async with ends:
            await probe()
    except (OSError, SwitchgearError) as error:
        assert not ends.expired(), "the probe does not keep its bound"
        return polarity_of(error)
    return Polarity.POSITIVE


async def until_positive(probe: Probe) -> None:
    """Ask until the answer is positive, some seconds long."""
    for _ in range(300):
        if await verdict(probe) is Polarity.POSITIVE:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the probe does not find out that it is back")
