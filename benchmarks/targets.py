"""The bare functions that every contender is put round. They do as little as a function can."""

from __future__ import annotations

import asyncio


def answer() -> int:
    """Return at once."""
    return 42


async def answer_async() -> int:
    """Return at once, without suspending."""
    return 42


async def answer_suspending() -> int:
    """Give the loop one turn, then return."""
    await asyncio.sleep(0)
    return 42


def fail() -> int:
    """Fail as a dependency does."""
    raise ConnectionError("down")
