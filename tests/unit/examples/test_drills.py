"""The drills reach the numbers that the guard promises, and the documentation shows what they print and draw."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from examples import drill_metastability as metastability
from examples import drill_three_layers as three_layers
from examples.plot import Bar, Line, bar_plot, line_plot
from switchgear import Code, RetryBudget

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "explanation"
DRILLS = {"metastability": metastability, "retry-in-one-layer": three_layers}
BOUND = metastability.BREAKER_WAIT + 10.0
_drills = pytest.mark.parametrize(("page", "drill"), DRILLS.items(), ids=DRILLS)


# -- Metastability -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_without_budget_and_breaker_the_service_stays_down(seed: int) -> None:
    """An outage of 10 s that retries keep alive is never over: not one call is answered in the 100 s after it."""
    run = metastability.play("neither", None, None, seed)
    assert run.recovery is None
    assert sum(run.goodput[metastability.OUTAGE_BEGINS + 1 :]) == 0
    assert min(run.goodput[: metastability.OUTAGE_BEGINS]) >= metastability.ENOUGH * metastability.LOAD


@pytest.mark.parametrize("budget", [metastability.BUDGET, RetryBudget()], ids=["small", "default"])
@pytest.mark.parametrize("seed", range(4))
def test_with_budget_and_breaker_it_is_back_in_time(seed: int, budget: RetryBudget) -> None:
    """Goodput is above 95 % of the load, and stays there, within one wait of the breaker and 10 s."""
    run = metastability.play("both", budget, metastability.BREAKER, seed)
    assert run.recovery is not None
    assert run.recovery <= BOUND


def test_a_budget_alone_ends_the_loop_but_slowly() -> None:
    """With fewer attempts than the service can do the queue gets shorter; the breaker is what makes it quick."""
    run = metastability.play("budget only", metastability.BUDGET, None, 1)
    assert run.recovery is not None
    assert run.recovery > BOUND


def test_a_budget_above_the_headroom_does_not_help_alone() -> None:
    """Load and allowed repeats together above the capacity keep the service down, as the page says."""
    assert metastability.play("budget only", RetryBudget(), None, 1).recovery is None


@pytest.mark.parametrize(
    ("goodput", "recovery"),
    [
        ([80] * 20 + [80] * 5, 0),
        ([80] * 20 + [0] * 3 + [76] * 2, 3),
        ([80] * 20 + [80] * 3 + [75] + [80], 4),
        ([80] * 24 + [75], None),
    ],
    ids=["at once", "enough is 95 %", "a relapse counts", "never"],
)
def test_recovery_is_for_good(goodput: list[int], recovery: int | None) -> None:
    """Back means enough in every second to the end."""
    assert metastability.Run("run", goodput, 0).recovery == recovery


# -- Three layers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_one_call_reaches_the_bottom_four_times(seed: int) -> None:
    """An exhausted inner retry is not retried outside, and the error names the layer that gave up."""
    run = three_layers.play("one", three_layers.ON_ERRORS_OF_THE_STORE, None, 1, seed)
    assert run.reached == three_layers.ATTEMPTS
    assert run.gave_up == {"store": 1}
    assert "[store]" in run.an_error


def test_layers_that_ask_for_it_multiply() -> None:
    """The drill would show the harm if guards retried in every layer."""
    run = three_layers.play("all", three_layers.ON_EVERYTHING, None, 1, seed=1)
    assert run.reached == three_layers.ATTEMPTS ** len(three_layers.LAYERS)
    assert run.gave_up == {"shop": 1}


@pytest.mark.parametrize("seed", range(3))
def test_a_budget_bounds_the_repeats_of_all_calls(seed: int) -> None:
    """Of many calls no more reach the bottom than there are, and the budget besides."""
    run = three_layers.play(
        "budget", three_layers.ON_ERRORS_OF_THE_STORE, three_layers.BUDGET, three_layers.CALLS, seed
    )
    assert three_layers.CALLS < run.reached <= three_layers.CALLS + three_layers.REPEATS_MAX
    assert run.gave_up == {"store": three_layers.CALLS}


def test_every_call_ends_as_exhausted_by_attempts_or_budget() -> None:
    """The drill loses no error: each names the code of what ended it."""
    run = three_layers.play("budget", three_layers.ON_ERRORS_OF_THE_STORE, three_layers.BUDGET, three_layers.CALLS, 1)
    assert run.an_error.startswith((Code.RETRY_EXHAUSTED, Code.RETRY_BUDGET_EMPTY))


# -- What a reader sees --------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run() -> None:
    """A drill is simulated from its seed alone, and another seed is another run."""
    runs = [metastability.play("both", metastability.BUDGET, metastability.BREAKER, seed) for seed in (5, 5, 6)]
    assert runs[0] == runs[1] != runs[2]
    layered = [three_layers.play("all", three_layers.ON_EVERYTHING, None, 10, seed=5) for _ in range(2)]
    assert layered[0] == layered[1]


@_drills
def test_a_page_shows_what_its_drill_prints_and_draws(page: str, drill: ModuleType, tmp_path: Path) -> None:
    """Tables and plots in the documentation are those of today's guard: python -m examples.… --plot renews them.

    The command prints nothing else.
    """
    assert f"python -m {drill.__name__} --plot" in (drill.__doc__ or "")
    command = [sys.executable, "-m", drill.__name__, "--plot", str(tmp_path / "plot.svg")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"```text\n{ended.stdout}```" in (PAGES / f"{page}.md").read_text(encoding="utf-8")
    drawn = (PAGES / "images" / f"{page}.svg").read_text(encoding="utf-8")
    assert (tmp_path / "plot.svg").read_text(encoding="utf-8") == drawn


def test_plots_are_well_formed() -> None:
    """A picture is XML with its title, and names are no markup."""
    lines = line_plot([Line("a < b", [1, 2])], title="R&D", across="s", up="n", top=2, shaded=(0, 1, "<out>"))
    bars = bar_plot([Bar("a & b", 1), Bar("c", 1000)], title="<bars>", across="calls")
    titles = [ET.fromstring(picture)[0].text for picture in (lines, bars)]  # noqa: S314 - our own text
    assert titles == ["R&D", "<bars>"]
