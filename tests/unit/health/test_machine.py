"""The machine of one dependency, as tables: what was seen, and where it stands then."""

from __future__ import annotations

import pytest

from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Evidence, Polarity, Source
from switchgear.health.machine import HealthMachine
from switchgear.health.standing import Health
from switchgear.health.transitions import TRANSITIONS, Move

UNKNOWN, HEALTHY, DEGRADED, RECOVERING, UNHEALTHY = (
    Health.UNKNOWN,
    Health.HEALTHY,
    Health.DEGRADED,
    Health.RECOVERING,
    Health.UNHEALTHY,
)
SIGNS = {"+": Polarity.POSITIVE, "-": Polarity.NEGATIVE, "0": Polarity.ABSENT, "s": Polarity.POSITIVE}


class Scene:
    """A machine, a clock, and what was told of it."""

    def __init__(self) -> None:
        """Start at second 1000 with small numbers."""
        self.machine = HealthMachine(Dependency("redis", kind="redis", degraded_after=1.0), 1_000.0)
        self.now = 1_000.0
        self.path: list[Health] = []

    def see(self, signs: str, source: Source = Source.PROBE, *, every: float = 1.0, failed: float = 0.0) -> Scene:
        """Observe a row: + right, s right and slow, - wrong, 0 nothing."""
        for sign in signs:
            self.now += every
            seconds = 2.0 if sign == "s" else 0.01
            evidence = Evidence(SIGNS[sign], source, self.now, seconds=seconds, failed=failed)
            self.path += [change.after for change in self.machine.observe(evidence, self.now)]
        return self

    def wait(self, seconds: float) -> Scene:
        """Let time pass."""
        self.now += seconds
        return self

    @property
    def state(self) -> Health:
        """Where it stands now."""
        return self.machine.standing(self.now).state

    @property
    def vouches(self) -> bool:
        """Whether something may be destroyed on the strength of it."""
        return self.machine.standing(self.now).vouches


@pytest.mark.parametrize(
    ("signs", "state"),
    [
        ("", UNKNOWN),
        ("+", RECOVERING),
        ("++", HEALTHY),
        ("-", UNKNOWN),
        ("--", UNKNOWN),
        ("---", UNHEALTHY),
        ("000", UNHEALTHY),
        ("-0-", UNHEALTHY),
        ("--+", RECOVERING),
        ("+-", UNHEALTHY),
        ("+0", UNHEALTHY),
        ("+-+", RECOVERING),
        ("+-++", HEALTHY),
        ("++--", HEALTHY),
        ("++---", UNHEALTHY),
        ("++---+", RECOVERING),
        ("++---+-", UNHEALTHY),
        ("++---++", HEALTHY),
        ("++--+--", DEGRADED),
        ("++ss", HEALTHY),
        ("++sss", DEGRADED),
        ("++sss+", DEGRADED),
        ("++sss++", HEALTHY),
        ("++sss+s+", DEGRADED),
        ("++sss---", UNHEALTHY),
        ("ss", DEGRADED),
        ("+s", DEGRADED),
        ("s+", RECOVERING),
        ("s++", HEALTHY),
        ("sssss", DEGRADED),
    ],
)
def test_streaks_of_one_source(signs: str, state: Health) -> None:
    """So many in a row, and only in a row, change the state; a relapse needs one."""
    assert Scene().see(signs).state is state


def test_one_lucky_answer_never_vouches() -> None:
    """From never seen, and after an outage, the way to healthy leads through recovering."""
    scene = Scene().see("++---++")
    assert scene.path == [RECOVERING, HEALTHY, UNHEALTHY, RECOVERING, HEALTHY]


@pytest.mark.parametrize("sign", ["-", "0"])
def test_the_first_doubt_takes_the_voucher_back(sign: str) -> None:
    """Healthy, and one wrong or missing answer since: the state stays, but nothing is destroyed upon it."""
    scene = Scene().see("+++")
    assert scene.vouches
    scene.see(sign)
    assert (scene.state, scene.vouches) == (HEALTHY, False)
    assert "in doubt, 1 of 3 in a row" in scene.machine.standing(scene.now).reason
    assert scene.see("+").vouches


def test_healthy_goes_stale_by_time_alone() -> None:
    """Without any observation, what was healthy is unknown once its freshness is over."""
    scene = Scene().see("++")
    assert scene.wait(29.5).vouches
    standing = scene.wait(0.5).machine.standing(scene.now)
    assert (standing.state, standing.state_age, standing.vouches) == (UNKNOWN, 0.0, False)
    assert standing.age == pytest.approx(30.0)
    assert scene.machine.state is HEALTHY, "reading changes nothing"
    (change,) = scene.wait(5.0).machine.elapse(scene.now)
    assert (change.before, change.after) == (HEALTHY, UNKNOWN)
    assert change.at == pytest.approx(scene.now - 5.0)
    assert scene.machine.standing(scene.now).state_age == pytest.approx(5.0)


@pytest.mark.parametrize("signs", ["++", "+", "++sss"])
def test_every_answering_state_goes_stale(signs: str) -> None:
    """Healthy, recovering and degraded rest on right answers, and end with them."""
    assert Scene().see(signs).wait(30.0).state is UNKNOWN


def test_an_outage_outlasts_the_back_off_of_its_probes() -> None:
    """Unhealthy does not turn into unknown between two probes that are a minute apart."""
    scene = Scene().see("++---").wait(62.0)
    assert scene.state is UNHEALTHY
    assert scene.wait(28.0).state is UNKNOWN


def test_green_probes_do_not_clear_failing_traffic() -> None:
    """Calls and probes have their own streaks, and the worse one counts."""
    scene = Scene().see("++", Source.CALL).see("++").see("---", Source.CALL)
    assert scene.see("++++++").state is UNHEALTHY
    assert scene.see("+", Source.CALL).state is RECOVERING
    assert scene.see("++++").state is RECOVERING
    assert scene.see("+", Source.CALL).state is HEALTHY


def test_good_traffic_does_not_clear_failing_probes() -> None:
    """It holds the other way round as well."""
    assert Scene().see("---").see("+++++", Source.CALL).state is UNHEALTHY


def test_traffic_that_fell_silent_no_longer_speaks() -> None:
    """Old traffic cannot hold it down for ever; but then probes confirm anew, and the order of recovery stands."""
    scene = Scene().see("++").see("---", Source.CALL)
    scene.see("+" * 28)
    assert scene.state is UNHEALTHY
    scene.path.clear()
    scene.see("+++")
    assert scene.path == [RECOVERING, HEALTHY]


def test_rare_traffic_does_not_hide_good_probes() -> None:
    """A first call after a silence is not an outage: what probes have decided stands."""
    scene = Scene().see("++").see("+", Source.CALL)
    assert scene.vouches
    scene.see("+" * 40)
    assert scene.see("+", Source.CALL).vouches


def test_a_doubt_outlives_the_right_answers_before_it() -> None:
    """A right answer grows old before the wrong one that followed it."""
    scene = Scene().see("++", Source.CALL).see("+" * 25).see("-", Source.CALL).see("+++++")
    assert (scene.state, scene.vouches) == (HEALTHY, False)
    assert scene.see("+" * 25).vouches


def test_an_operator_only_makes_it_worse() -> None:
    """What an operator takes out stays out until withdrawn; the withdrawal alone makes nothing healthy."""
    scene = Scene().see("++").see("-", Source.OPERATOR)
    assert scene.see("++++").state is UNHEALTHY
    scene.path.clear()
    assert scene.see("+", Source.OPERATOR).state is RECOVERING
    assert scene.see("++").path == [RECOVERING, HEALTHY]
    assert Scene().see("+++++", Source.OPERATOR).state is UNKNOWN


def test_failing_calls_degrade() -> None:
    """A look at the traffic in which a third failed is not a good one, whatever its answers said."""
    scene = Scene().see("++", Source.CALL)
    assert scene.see("++", Source.CALL, failed=0.29).state is HEALTHY
    assert scene.see("+++", Source.CALL, failed=0.3).state is DEGRADED
    assert scene.see("++", Source.CALL).state is HEALTHY


def test_old_and_disordered_evidence_says_nothing() -> None:
    """A right answer that arrives late does not vouch, and does not end a row of failures."""
    scene = Scene().see("---")
    late = Evidence(Polarity.POSITIVE, Source.PROBE, scene.now - 1.0)
    stale = Evidence(Polarity.POSITIVE, Source.CALL, scene.now - 30.0)
    assert scene.machine.observe(late, scene.now) == scene.machine.observe(stale, scene.now) == ()
    assert scene.machine.standing(scene.now).age is None
    early = Evidence(Polarity.POSITIVE, Source.PROBE, scene.now + 1_000.0)
    scene.machine.observe(early, scene.now)
    assert scene.wait(30.0).state is UNKNOWN, "evidence from the future ages like that of now"


def test_flapping_is_named_and_asks_for_more() -> None:
    """What changes its state too often needs longer rows, up to a bound, until it has been quiet."""
    scene = Scene()
    scene.see("++---++")
    assert not scene.machine.standing(scene.now).flapping
    scene.see("---++")
    assert scene.machine.standing(scene.now).flapping
    assert scene.machine.needed(scene.now) == 4
    assert scene.see("+++").state is HEALTHY
    for _ in range(20):
        scene.see("---" + "+" * 16)
    assert scene.machine.needed(scene.now) == 16
    assert scene.see("+" * 301).machine.standing(scene.now).flapping is False
    assert scene.machine.needed(scene.now) == 2


@pytest.mark.parametrize(
    ("signs", "reason"),
    [
        ("", "no right answer was ever seen"),
        ("+", "probes: 1 of 2 right answers in a row"),
        ("++", "probes: right answers"),
        ("---", "probes: answered wrongly"),
        ("--0", "probes: no answer"),
        ("++sss", "probes: slow or partly failing"),
    ],
)
def test_the_reason_tells_wrong_from_missing(signs: str, reason: str) -> None:
    """People read why: a wrong answer is another thing than none."""
    scene = Scene().see(signs)
    assert scene.machine.standing(scene.now).reason == reason


def test_nothing_leads_to_healthy_but_answers_in_a_row() -> None:
    """The table has no other way: not silence, not a person, not another source."""
    leading = {move for move, (_, target) in TRANSITIONS.items() if target is HEALTHY}
    assert leading == {Move.CONFIRMED, Move.STEADIED}
    assert not {UNKNOWN, UNHEALTHY} & {state for move in leading for state in TRANSITIONS[move][0]}
