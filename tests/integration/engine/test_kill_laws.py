"""The judge of the kill rounds is judged: each law is silent on a right run, and speaks of every way to break it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from switchgear.core.scope import Scope
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Store
from switchgear.storage.opening import open_store
from tools.kill_rounds import laws
from tools.kill_rounds.evidence import Chains, RemoteLog, Seen
from tools.kill_rounds.laws import AtRemote
from tools.kill_rounds.rounds import Round
from tools.kill_rounds.submitting import Acknowledged, Action

DONE = Seen("int_1", "t1", "t1-1", "keyed", "succeeded", {"effect": 1})
CUT_OFF = Seen("int_2", "t1", "t1-2", "opaque", "in_doubt", None)
LOOKUP = Seen("int_3", "t1", "find:t1-1", "find", "succeeded", None, lookup=True)
TOLD = Acknowledged(Action("t1-1", "t1", "keyed", 0), "int_1", "succeeded", {"effect": 1})
REMOTE = AtRemote({"t1-1": 2, "t1-2": 1}, {"t1-1": 1, "t1-2": 1}, {"t1-1": {"k"}})
DISPATCHES = {"int_1": 2, "int_2": 1}
BOTH = {"int_1": DONE, "int_2": CUT_OFF}
Law = Callable[[], Sequence[str]]

HOLDS: dict[str, Law] = {
    "lost": lambda: laws.lost([TOLD], BOTH),
    "doubled": lambda: laws.doubled({"t1-1": "keyed", "t1-2": "opaque"}, REMOTE),
    "bound twice": lambda: laws.bound_twice([DONE, CUT_OFF, LOOKUP, LOOKUP]),
    "unrecorded": lambda: laws.unrecorded(BOTH.values(), DISPATCHES, REMOTE),
    "untrue": lambda: laws.untrue([DONE, CUT_OFF, LOOKUP], REMOTE),
    "unnamed": lambda: laws.unnamed(["int_2"], BOTH, {"int_2"}),
    "silent": lambda: laws.silent(BOTH.values(), REMOTE),
    "refused": lambda: laws.refused_for_good({"LEDGER_UNAVAILABLE": 2, "QUEUE_FULL": 1}),
    "unsettled": lambda: laws.unsettled(BOTH.values()),
    "unfolded": lambda: laws.unfolded(BOTH.values()),
}
BREAKS: dict[str, Law] = {
    "an acknowledged intent is gone": lambda: laws.lost([TOLD], {}),
    "an acknowledged intent is another": lambda: laws.lost([TOLD], {"int_1": CUT_OFF}),
    "an acknowledged outcome changed": lambda: laws.lost([TOLD], {"int_1": replace(DONE, state="in_doubt")}),
    "an acknowledged value changed": lambda: laws.lost([TOLD], {"int_1": replace(DONE, value=None)}),
    "two effects": lambda: laws.doubled({"t1-1": "keyed"}, replace(REMOTE, applied={"t1-1": 2})),
    "two keys": lambda: laws.doubled({"t1-1": "natural"}, replace(REMOTE, keys={"t1-1": {"a", "b"}})),
    "an opaque one left twice": lambda: laws.doubled({"t1-2": "opaque"}, AtRemote({"t1-2": 2}, {}, {})),
    "two intents for one key": lambda: laws.bound_twice([DONE, replace(DONE, id="int_9")]),
    "more requests than dispatches": lambda: laws.unrecorded(BOTH.values(), {"int_1": 1, "int_2": 1}, REMOTE),
    "a request of nothing on record": lambda: laws.unrecorded([], {}, AtRemote({"t1-9": 1}, {}, {})),
    "called succeeded, never happened": lambda: laws.untrue([DONE], AtRemote({}, {}, {})),
    "called failed, has happened": lambda: laws.untrue([replace(DONE, state="dead_lettered")], REMOTE),
    "cut off and called ready": lambda: laws.unnamed(["int_2"], {"int_2": replace(CUT_OFF, state="ready")}, {"int_2"}),
    "cut off and gone": lambda: laws.unnamed(["int_2"], {}, set()),
    "in doubt and not listed": lambda: laws.unnamed(["int_2"], BOTH, set()),
    "an opaque one has left and is ready": lambda: laws.silent([replace(CUT_OFF, state="ready")], REMOTE),
    "refused for good": lambda: laws.refused_for_good({"INTERNAL": 2}),
    "refused without a code": lambda: laws.refused_for_good({"None": 1}),
    "open for ever": lambda: laws.unsettled([replace(DONE, state="reconciling")]),
    "a row that is not its events": lambda: laws.unfolded([replace(DONE, folds=False)]),
}


@pytest.mark.parametrize("law", HOLDS.values(), ids=HOLDS.keys())
def test_a_law_that_holds_says_nothing(law: Law) -> None:
    """No law cries wolf about what the product may do, such as a keyed request that arrives twice."""
    assert law() == []


@pytest.mark.parametrize("law", BREAKS.values(), ids=BREAKS.keys())
def test_a_law_that_breaks_says_so(law: Law) -> None:
    """Each way to break a law is found, once, in words."""
    assert len(law()) == 1


def test_what_broke_is_said_in_bounds() -> None:
    """A run that goes wrong everywhere still fits on a screen."""
    assert laws.in_words({"lost": ["a", "b", "c"]}, most=2) == ["lost: a", "lost: b"]


def test_the_log_of_the_remote_is_read_line_by_line(tmp_path: Path) -> None:
    """A line that is still being written is read the next time, whole, and lookups are counted apart."""
    log = RemoteLog(tmp_path / "remote.log")
    whole = '{"what": "arrived", "tool": "%s", "ref": "a", "key": "k", "slot": ""}\n'
    applied = '{"what": "applied", "tool": "keyed", "ref": "a", "key": "k", "slot": ""}\n'
    log.path.write_text(whole % "keyed" + whole % "find" + applied[:20])
    log.read_on()
    assert (dict(log.arrived), dict(log.applied)) == ({"a": 1, "find:a": 1}, {})
    log.path.write_text(whole % "keyed" + whole % "find" + applied)
    log.read_on()
    assert (dict(log.arrived), dict(log.applied)) == ({"a": 1, "find:a": 1}, {"a": 1})
    assert log.keys["a"] == {"k"}


async def recorded(*events: tuple[str, str]) -> Store:
    """Return a store with a chain of events: stream and type each; a stream's first names the resource `slot/1`."""
    store, encoder, known = await open_store("memory://", seal=seal), EventEncoder(), set[str]()
    for number, (stream, kind) in enumerate(events):
        facts = {} if stream in known else {"resource": "slot/1"}
        known.add(stream)
        event = encoder.encode(f"intent.{kind}", stream=stream, scope=Scope("t1", "main", "me"), at=0.0, facts=facts)
        await store.append(Append(f"a{number}", "t1", (event,)))
    return store


@pytest.mark.parametrize(
    ("told", "overtaken"),
    [
        ("a accepted, b accepted, a dispatched, a dispatched, b dispatched", 0),
        ("a accepted, b accepted, a dispatched, b dispatched, a dispatched", 1),
        ("a accepted, b accepted, a dispatched, a not_applied, b dispatched, a dispatched", 0),
        ("a accepted, b accepted, a dispatched, b dispatched, b not_applied, a dispatched", 1),
    ],
)
async def test_a_repeat_after_a_later_write_is_found(told: str, overtaken: int) -> None:
    """Two writes to one resource: the first, in doubt, must not be repeated once the second has left."""
    events = [tuple(event.split()) for event in told.split(", ")]
    store, chains = await recorded(*((stream, kind) for stream, kind in events)), Chains()
    await chains.read_on(store)
    assert (len(chains.overtaken), chains.broken, chains.entries) == (overtaken, [], len(events))
    assert chains.dispatches["a"] == told.count("a dispatched")


def test_a_seed_fixes_when_kills_come() -> None:
    """The same seed draws the same rounds, some of which kill at the start, and some twice in a row."""
    drawn = [[Round.drawn(rng) for _ in range(50)] for rng in (random.Random(7), random.Random(7))]
    assert drawn[0] == drawn[1]
    assert {len(plan.at_start) for plan in drawn[0]} == {0, 1, 2}
