"""A drill: a short outage is over, and the service stays down, because of its callers' retries.

The service works off 100 calls a second, one after the other, also those whose callers have gone. 80 calls a second
come in, each with 3 attempts of a second. For 10 seconds the service does no work. Then it works as before. The drill
plays this four times: with and without a retry budget, with and without a breaker.

    python -m examples.drill_metastability                  prints the table, within seconds: time is simulated
    python -m examples.drill_metastability --plot out.svg   also draws the goodput over time
    python -m examples.drill_metastability --seed 7         other arrivals, other jitter

Needs nothing but the standard library and Switchgear. Run it in the root of a clone.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from random import Random

from examples.plot import Line, line_plot
from switchgear import Breaker, Guard, Retry, RetryBudget, SwitchgearError, Timeout
from switchgear.testing import FakeUpstream, SimulatedClock, capacity, run_simulated, stall

CAPACITY, LOAD = 100, 80  # calls a second
OUTAGE_BEGINS, OUTAGE_SECONDS, SECONDS = 10, 10, 120
OUTAGE_ENDS = OUTAGE_BEGINS + OUTAGE_SECONDS
ENOUGH = 0.95  # of the load: from then on the service counts as back

# 80 calls, a tenth of that in repeats, and one more: 89 a second are fewer than the service can do.
BUDGET = RetryBudget(ratio=0.1, floor=1.0)
BREAKER = Breaker(failure_rate=0.5, minimum_calls=20, window=10.0, cooldown=5.0)
BREAKER_WAIT = BREAKER.cooldown * (1 + BREAKER.jitter)  # seconds, at most


@dataclass(frozen=True, slots=True)
class Run:
    """How one run went.

    goodput    calls that got their answer, in each second.
    received   calls that reached the service, all attempts together.
    """

    name: str
    goodput: Sequence[int]
    received: int

    @property
    def recovery(self) -> int | None:
        """Seconds from the end of the outage until goodput was enough and stayed so; None when it never was."""
        steady = takewhile(lambda good: good >= ENOUGH * LOAD, reversed(self.goodput))
        back_at = len(self.goodput) - sum(1 for _ in steady)
        return None if back_at == len(self.goodput) else max(0, back_at - OUTAGE_ENDS)


def play(name: str, budget: RetryBudget | None, breaker: Breaker | None, seed: int) -> Run:
    """Play the whole drill once, in simulated time. The same seed gives the same run."""
    clock, draws = SimulatedClock(), Random(seed)  # noqa: S311 - repeatable on purpose
    arrivals = [(number + draws.random()) / LOAD for number in range(LOAD * SECONDS)]
    service = FakeUpstream(capacity(CAPACITY), stall(OUTAGE_BEGINS, OUTAGE_SECONDS), clock=clock)
    guard = Guard(
        "service",
        timeout=Timeout(1.0),
        retry=Retry(attempts=3, on=OSError, budget=budget),
        breaker=breaker,
        clock=clock,
        random=draws,
    )
    goodput = run_simulated(_send(guard, service, clock, arrivals), clock=clock)
    return Run(name, goodput, len(service.calls))


def play_all(seed: int = 1, budget: RetryBudget = BUDGET) -> list[Run]:
    """Play the drill without help, with one of the two policies, and with both."""
    return [
        play("neither", None, None, seed),
        play("budget only", budget, None, seed),
        play("breaker only", None, BREAKER, seed),
        play("budget and breaker", budget, BREAKER, seed),
    ]


async def _send(guard: Guard, service: FakeUpstream, clock: SimulatedClock, arrivals: Sequence[float]) -> list[int]:
    """Send a call at each of the `arrivals`, in seconds. Return how many were answered in each second."""
    goodput = [0] * SECONDS
    began = clock.monotonic()

    async def call() -> None:
        try:
            await guard.call(service.call_async)
        except (OSError, SwitchgearError):
            return
        second = int(clock.monotonic() - began)
        if second < SECONDS:
            goodput[second] += 1

    async with asyncio.TaskGroup() as calls:
        for arrival in arrivals:
            await clock.sleep_async(began + arrival - clock.monotonic())
            calls.create_task(call())
    return goodput


def table(runs: Sequence[Run]) -> str:
    """Return the result in words."""
    lines = [f"{'':<20}{'goodput after the outage':>26}{'back after':>14}{'attempts that arrived':>24}"]
    for run in runs:
        after = sum(run.goodput[OUTAGE_ENDS:]) / (SECONDS - OUTAGE_ENDS) / LOAD
        back = "never" if run.recovery is None else f"{run.recovery} s"
        lines.append(f"{run.name:<20}{after:>26.1%}{back:>14}{run.received:>24,}")
    return "\n".join(lines)


def plot(runs: Sequence[Run]) -> str:
    """Return the goodput over time as SVG."""
    return line_plot(
        [Line(run.name, run.goodput) for run in runs],
        title=f"A service for {CAPACITY} calls a second, {LOAD} sent, 3 attempts each",
        across="seconds",
        up="calls answered a second",
        top=CAPACITY,
        shaded=(OUTAGE_BEGINS, OUTAGE_ENDS, "outage"),
    )


def main(arguments: Sequence[str]) -> int:
    """Play, print, and draw if asked to."""
    parser = argparse.ArgumentParser(description="Metastability: an outage that its retries keep alive.")
    parser.add_argument("--seed", type=int, default=1, help="of arrivals and jitter")
    parser.add_argument("--plot", type=Path, help="file for the plot, as SVG")
    options = parser.parse_args(arguments)
    runs = play_all(options.seed)
    print(table(runs))
    if options.plot is not None:
        options.plot.write_text(plot(runs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    logging.disable()  # the table tells what the breakers did
    sys.exit(main(sys.argv[1:]))
