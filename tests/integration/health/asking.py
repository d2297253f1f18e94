"""Asks a probe as its caller does: within a bound, and for what the answer says."""

from __future__ import annotations

import asyncio
import time

from switchgear.core.errors import SwitchgearError
from switchgear.health.evidence import Polarity
from switchgear.health.probe import Probe, polarity_of

SECONDS = 0.3
"""The bound of a probe that is to meet silence."""

PATIENCE_SECONDS = 30.0
"""The bound of a probe that is to be answered, however slow the machine is."""

ANSWER_SECONDS_MAX = 50.0
"""Seconds in which every probe of these tests has to come back by itself, well above its own bound."""


def bound_for(expected: Polarity) -> float:
    """Return the bound of a probe that is to find `expected`."""
    return SECONDS if expected is Polarity.ABSENT else PATIENCE_SECONDS


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
    """Ask until the answer is positive, at most as long as anybody is patient."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while await verdict(probe) is not Polarity.POSITIVE:
        assert time.monotonic() < ends, "the probe does not find out that it is back"
        await asyncio.sleep(0.01)
