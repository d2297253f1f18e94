"""Law 5 under fire: some dozens of the drills of `make drills`, each from a seed of its own."""

from __future__ import annotations

import random

from tools.outage_drills.drill import drilled
from tools.outage_drills.laws import in_words
from tools.outage_drills.plan import Plan
from tools.outage_drills.run import CALM_EVERY, Report, Wish, quiet, run_drills
from tools.outage_drills.tally import combinations

DRILLS = 60
SEEDS = 1_000_000


def test_law_5_nothing_is_destroyed_on_what_is_not_known_to_be_well() -> None:
    """Whatever breaks and whenever: no effect that the judge forbids, and none held back or changed without a cause."""
    seed = random.SystemRandom().randrange(SEEDS)
    report = Report(Wish(DRILLS, 0, seed))
    run_drills(report.wish, report.drills)
    assert report.ok, [f"seed {seed}", *in_words(report.broken)]
    tally = report.drills
    assert tally.outages > DRILLS / 2, "something broke"
    assert tally.in_outage > DRILLS, "somebody tried while it was broken"
    assert tally.inferred > DRILLS, "somebody could have read silence as a reason"
    assert tally.effects > DRILLS, "what may be destroyed is"
    assert tally.compared > DRILLS / CALM_EVERY, "the gate changes nothing while all is well"
    assert tally.repaired, "something came back"
    assert tally.tried < combinations(), "a few dozens do not try everything"


def test_a_seed_is_a_drill() -> None:
    """The same seed does the same, to the moment and in the same order: what a drill found can be found again."""
    with quiet():
        for seed in range(5):
            first, again = (drilled(Plan.drawn(seed)) for _ in range(2))
            assert first.journal == again.journal
