"""A drill: three layers, each with 4 attempts, above a store that always fails. How many calls reach the store?

If every layer tries again what the layer below has given up on, one call becomes 4 * 4 * 4 of them. Guards inside each
other retry in one layer: an exhausted inner retry is not retried outside, unless `on` names `RetryExhausted`. And a
retry budget bounds the repeats of all calls together.

    python -m examples.drill_three_layers                  prints the table, within seconds: time is simulated
    python -m examples.drill_three_layers --plot out.svg   also draws it
    python -m examples.drill_three_layers --seed 7         other jitter

Needs nothing but the standard library and Switchgear. Run it in the root of a clone.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from examples.plot import Bar, bar_plot
from switchgear import Guard, Retry, RetryBudget, RetryExhausted
from switchgear.testing import FakeUpstream, SimulatedClock, at, fail, run_simulated

LAYERS = ("store", "orders", "shop")  # from the bottom to the top
ATTEMPTS = 4
CALLS, CALLS_PER_SECOND = 200, 100

BUDGET = RetryBudget(ratio=0.2, floor=10.0, window=10.0)
REPEATS_MAX = round(BUDGET.ratio * CALLS + BUDGET.floor * BUDGET.window)  # as all calls come within one window
ON_EVERYTHING = (ConnectionError, RetryExhausted)
ON_ERRORS_OF_THE_STORE = (ConnectionError,)

Errors = tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """How one run went.

    reached    calls that reached the store.
    gave_up    how often each layer was the one that gave up, by what the callers' errors say.
    an_error   the text of one of them.
    """

    name: str
    calls: int
    reached: int
    gave_up: Counter[str]
    an_error: str


def play(name: str, on: Errors, budget: RetryBudget | None, calls: int, seed: int) -> Run:
    """Make `calls` calls through all layers, in simulated time. The same seed gives the same run."""
    clock, draws = SimulatedClock(), Random(seed)  # noqa: S311 - repeatable on purpose
    store = FakeUpstream(at(0.0, fail(lambda: ConnectionError("the store is down"))), clock=clock)
    call: Callable[[], Awaitable[object]] = store.call_async
    for layer in LAYERS:
        retry = Retry(attempts=ATTEMPTS, on=on, budget=budget)
        call = Guard(layer, retry=retry, clock=clock, random=draws)(call)
    errors = run_simulated(_send(call, calls, clock), clock=clock)
    return Run(name, calls, len(store.calls), Counter(error.dependency for error in errors), str(errors[0]))


def play_all(seed: int = 1) -> list[Run]:
    """Play one call and many, with a retry in each layer, with one in the lowest, and with a budget as well."""
    return [
        play("each layer tries again", ON_EVERYTHING, None, 1, seed),
        play("one layer tries again", ON_ERRORS_OF_THE_STORE, None, 1, seed),
        play("each layer tries again", ON_EVERYTHING, None, CALLS, seed),
        play("one layer tries again", ON_ERRORS_OF_THE_STORE, None, CALLS, seed),
        play("one layer, with budget", ON_ERRORS_OF_THE_STORE, BUDGET, CALLS, seed),
    ]


async def _send(call: Callable[[], Awaitable[object]], calls: int, clock: SimulatedClock) -> list[RetryExhausted]:
    """Send the calls at an even pace. Return what each of them ended with."""
    tasks = []
    for _ in range(calls):
        tasks.append(asyncio.ensure_future(call()))
        await clock.sleep_async(1.0 / CALLS_PER_SECOND)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    return [error for error in ended if isinstance(error, RetryExhausted)]


def table(runs: Sequence[Run]) -> str:
    """Return the result in words."""
    lines = [f"{'':<24}{'calls':>6}{'reached the store':>20}  gave up"]
    lines += [f"{run.name:<24}{run.calls:>6}{run.reached:>20,}  {', '.join(run.gave_up)}" for run in runs]
    return "\n".join([*lines, "", "What the caller of one call sees:", f"  {runs[1].an_error}"])


def plot(runs: Sequence[Run]) -> str:
    """Return the numbers of the many calls as SVG."""
    many = [run for run in runs if run.calls > 1]
    return bar_plot(
        [Bar(run.name, run.reached) for run in many],
        title=f"{CALLS} calls through {len(LAYERS)} layers of {ATTEMPTS} attempts, and nothing works",
        across="calls that reached the store",
    )


def main(arguments: Sequence[str]) -> int:
    """Play, print, and draw if asked to."""
    parser = argparse.ArgumentParser(description="Three layers that all want to try again.")
    parser.add_argument("--seed", type=int, default=1, help="of the jitter")
    parser.add_argument("--plot", type=Path, help="file for the plot, as SVG")
    options = parser.parse_args(arguments)
    runs = play_all(options.seed)
    print(table(runs))
    if options.plot is not None:
        options.plot.write_text(plot(runs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
