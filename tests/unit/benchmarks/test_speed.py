"""The guard stays cheap. Ratios are compared, never times, so that a slow machine does not fail."""

from __future__ import annotations

from functools import partial

from benchmarks.hand_written import reference
from benchmarks.ours import pipeline
from benchmarks.targets import answer_async
from benchmarks.timing import Effort, interleave

RATIO_MAX = 1.5
"""How much dearer than a plain one written by hand the whole pipeline may be. It was 0.6 when this was written."""


async def test_the_pipeline_costs_no_more_than_one_written_by_hand() -> None:
    """All five policies, thread-safe and with a window, against a loop with asyncio.timeout and a semaphore."""
    ours, by_hand = partial(pipeline().call, answer_async), partial(reference().call, answer_async)
    _, samples = await interleave({"ours": ours}, by_hand, "async", Effort(rounds=15, lap_seconds=0.003))
    assert samples["ours"].ratio <= RATIO_MAX
