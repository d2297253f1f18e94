"""What must hold of what a run left behind. Pure: facts in, broken laws out, each in words.

An empty answer means that the law holds. The facts are gathered in `evidence` and by the callers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from switchgear.core.codes import FACTS
from tools.kill_rounds.evidence import Seen
from tools.kill_rounds.submitting import DOUBT_STATES, OPEN_STATES, Acknowledged

ONCE = ("keyed", "reconcilable", "opaque")
"""Tools whose second effect would be a second thing done. A natural action may set its value again."""
_WRITES = (*ONCE, "natural")
_NOTHING_HAPPENED = ("failed", "dead_lettered", "cancelled", "expired", "denied", "rejected")


@dataclass(frozen=True, slots=True)
class AtRemote:
    """What the remote has seen, by what requests are counted as: requests, effects, and the keys that came."""

    arrived: Mapping[str, int]
    applied: Mapping[str, int]
    keys: Mapping[str, Collection[str]]


def lost(acknowledged: Iterable[Acknowledged], seen: Mapping[str, Seen]) -> list[str]:
    """Law 2: what was acknowledged is on record, and so is the outcome that was."""
    broken = []
    for told in acknowledged:
        found = seen.get(told.intent)
        if found is None or found.name != told.action.ref:
            broken.append(f"{told.action.ref} was acknowledged as {told.intent}, which is not on record")
        elif told.outcome is not None and (told.outcome, told.value) != (found.state, found.value):
            broken.append(f"{told.action.ref} was acknowledged as {told.outcome}, and is {found.state}")
    return broken


def doubled(tools: Mapping[str, str], remote: AtRemote) -> list[str]:
    """Law 3: one effect for one action, one key, and of an opaque one never a second request. `tools` is by name."""
    broken = []
    for name, tool in tools.items():
        if tool in ONCE and remote.applied.get(name, 0) > 1:
            broken.append(f"{name} ({tool}) had {remote.applied[name]} effects")
        if tool == "opaque" and remote.arrived.get(name, 0) > 1:
            broken.append(f"{name} (opaque) left {remote.arrived[name]} times")
        if len(remote.keys.get(name, ())) > 1:
            broken.append(f"{name} ({tool}) came under {len(remote.keys[name])} keys")
    return broken


def bound_twice(seen: Iterable[Seen]) -> list[str]:
    """Law 3: one intent for one key, however often it was submitted."""
    intents = Counter(one.name for one in seen if not one.lookup)
    return [f"{name} is {count} intents" for name, count in intents.items() if count > 1]


def unrecorded(seen: Iterable[Seen], dispatches: Mapping[str, int], remote: AtRemote) -> list[str]:
    """Law 2: no request without a dispatch on record before it."""
    allowed: Counter[str] = Counter()
    for one in seen:
        allowed[one.name] += dispatches.get(one.id, 0)
    return [
        f"{name} arrived {count} times, and {allowed[name]} dispatches are on record"
        for name, count in remote.arrived.items()
        if count > allowed[name]
    ]


def untrue(seen: Iterable[Seen], remote: AtRemote) -> list[str]:
    """Law 4: what is called succeeded has happened, and what is called anything without an effect has not."""
    broken = []
    for one in seen:
        if one.tool not in _WRITES:
            continue
        effects = remote.applied.get(one.name, 0)
        if one.state == "succeeded" and not effects:
            broken.append(f"{one.name} ({one.tool}) is called succeeded and never happened")
        if one.state in _NOTHING_HAPPENED and effects:
            broken.append(f"{one.name} ({one.tool}) is called {one.state} and has happened")
    return broken


def unnamed(interrupted: Iterable[str], seen: Mapping[str, Seen], listed: Collection[str]) -> list[str]:
    """Law 4: every opaque action that a kill cut off is in doubt, and is listed so."""
    broken = []
    for intent in interrupted:
        state = seen[intent].state if intent in seen else "not on record"
        if state not in DOUBT_STATES:
            broken.append(f"{intent} was cut off and is {state}")
        elif intent not in listed:
            broken.append(f"{intent} is in doubt and is not listed")
    return broken


def silent(seen: Iterable[Seen], remote: AtRemote) -> list[str]:
    """Law 4: an opaque action that has left is known to have happened, or is in doubt: nothing else."""
    return [
        f"{one.name} (opaque) has left and is called {one.state}"
        for one in seen
        if one.tool == "opaque" and remote.arrived.get(one.name) and one.state not in ("succeeded", *DOUBT_STATES)
    ]


def unsettled(seen: Iterable[Seen]) -> list[str]:
    """Nothing stays open for ever: once the engine runs, all that is not in doubt ends."""
    return [f"{one.name} ({one.tool}) is still {one.state}" for one in seen if one.state in OPEN_STATES]


def unfolded(seen: Iterable[Seen]) -> list[str]:
    """Law 11: the row of an intent is what its events say."""
    return [f"the row of {one.id} ({one.name}) is not what its events say" for one in seen if not one.folds]


def refused_for_good(refused: Mapping[str, int]) -> list[str]:
    """Every action here is right, so it is taken in, now or later: nobody is refused for good. `refused` is by code."""
    later = {code for code, facts in FACTS.items() if facts.decision == "defer"}
    return [f"{count} submissions were refused with {code}" for code, count in refused.items() if code not in later]


def in_words(broken: Mapping[str, Sequence[str]], *, most: int = 10) -> list[str]:
    """Return the broken laws in words, at most so many of each law."""
    return [f"{law}: {words}" for law, found in broken.items() for words in found[:most]]
