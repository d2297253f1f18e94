"""What the engine acts on: slow, forgetful, and behind a network that loses, doubles and delays.

It outlives every engine, and goes on with a request whose sender has gone. It counts the effects of each downstream
key, which nobody in the engine can see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain
from switchgear.lab.simulation.catalogue import BY_NAME, KEY_RETENTION, LATE_MAX, TIMEOUT
from switchgear.lab.simulation.coverage import Coverage
from switchgear.lab.simulation.disk import Mortal
from switchgear.lab.simulation.outages import Sight
from switchgear.lab.simulation.standing_still import outside


class Fortune(StrEnum):
    """What becomes of one request."""

    OK = "ok"
    SLOW = "slow"
    BUSY = "busy"
    """Refused, and may be tried again."""
    NEVER = "never"
    """Refused for good."""
    UNREACHABLE = "unreachable"
    """No connection: nothing was sent."""
    RESET_BEFORE = "reset_before"
    """The connection breaks before the remote has done anything."""
    RESET_AFTER = "reset_after"
    """It breaks when the remote has done it."""
    REQUEST_LOST = "request_lost"
    """It never arrives, and no answer comes."""
    ANSWER_LOST = "answer_lost"
    """It is done, and no answer comes."""
    LATE = "late"
    """It arrives when the sender has long given up."""
    TWICE = "twice"
    """It arrives twice. Only where a second arrival does no harm: the transport sees to that elsewhere."""
    BROKEN = "broken"
    """The connector itself raises."""


_WEIGHTS: Mapping[Fortune, int] = {
    Fortune.OK: 44,
    Fortune.SLOW: 12,
    Fortune.BUSY: 8,
    Fortune.NEVER: 4,
    Fortune.UNREACHABLE: 4,
    Fortune.RESET_BEFORE: 4,
    Fortune.RESET_AFTER: 5,
    Fortune.REQUEST_LOST: 3,
    Fortune.ANSWER_LOST: 5,
    Fortune.LATE: 5,
    Fortune.TWICE: 4,
    Fortune.BROKEN: 2,
}
_AT_ONCE: Mapping[Fortune, Result] = {
    Fortune.BUSY: Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.SUCCESS),
    Fortune.NEVER: Refused(Code.TOOL_FAILED, "never", retryable=False, verdict=Verdict.SUCCESS),
    Fortune.UNREACHABLE: Refused(Code.DEPENDENCY_FAILED, "no connection", retryable=True, verdict=Verdict.FAILURE),
    Fortune.RESET_BEFORE: Uncertain(Code.DEPENDENCY_FAILED, "connection reset"),
}


@dataclass(slots=True)
class Effects:
    """What one downstream key has done here. `sent` and `applied` are the moments, in virtual seconds."""

    tool: str
    tenant: str
    resource: str | None
    about: str | None
    purpose: str | None
    sent: list[float] = field(default_factory=list)
    applied: list[float] = field(default_factory=list)
    on_the_way: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """One sending, in the order of all."""

    resource: str
    key: str
    applied_before: bool


class Remote:
    """The system on the other side."""

    def __init__(self, clock: Clock, chance: Random, coverage: Coverage) -> None:
        """Begin with nothing done."""
        self._clock = clock
        self._chance = chance
        self._coverage = coverage
        self.effects: dict[str, Effects] = {}
        self.sent: list[Sent] = []
        self.calm = False
        """While it is, every request arrives at once and is done."""
        self._seen: dict[str, float] = {}

    def count(self, key: str) -> int:
        """Return how many effects a downstream key has had."""
        known = self.effects.get(key)
        return 0 if known is None else len(known.applied)

    def quiet(self, key: str) -> bool:
        """Return whether nothing of a key is on its way."""
        known = self.effects.get(key)
        return known is None or known.on_the_way == 0

    def send(self, call: Call) -> asyncio.Future[Result]:
        """Take a request on its way. The future is for whoever still waits for the answer."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        fortune = self._fortune(call)
        self._coverage.note("remote", fortune)
        self._note_sent(call)
        if fortune is Fortune.BROKEN:
            raise ConnectionResetError("the connector broke")
        if (result := _AT_ONCE.get(fortune)) is not None:
            self._later(self._chance.choice((0.0, 0.05, 0.5)), lambda: _tell(answer, result))
        elif fortune is not Fortune.REQUEST_LOST:
            self._depart(call, fortune, answer)
        return answer

    def _fortune(self, call: Call) -> Fortune:
        if self.calm:
            return Fortune.OK
        fortune = self._chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        harmless = BY_NAME[call.tool].effect.repeats
        return Fortune.OK if fortune is Fortune.TWICE and not harmless else fortune

    def _note_sent(self, call: Call) -> None:
        effects = self._of(call)
        effects.sent.append(self._clock.monotonic())
        if effects.resource is not None:
            place = f"{call.tenant}/{effects.resource}"
            self.sent.append(Sent(place, call.idempotency_key, bool(effects.applied or effects.on_the_way)))

    def _depart(self, call: Call, fortune: Fortune, answer: asyncio.Future[Result]) -> None:
        delays = [self._delay(fortune)]
        if fortune is Fortune.TWICE:
            delays.append(self._chance.uniform(0.0, LATE_MAX))
        effects = self._of(call)
        for delay in delays:
            effects.on_the_way += 1
            self._later(delay, lambda: self._arrive(call, fortune, answer))

    def _delay(self, fortune: Fortune) -> float:
        if self.calm:
            return 0.01
        if fortune is Fortune.LATE:
            return self._chance.uniform(TIMEOUT, LATE_MAX)
        return self._chance.uniform(0.5, 4.9) if fortune is Fortune.SLOW else self._chance.choice((0.0, 0.02, 0.3))

    def _arrive(self, call: Call, fortune: Fortune, answer: asyncio.Future[Result]) -> None:
        self._of(call).on_the_way -= 1
        self._apply(call)
        if fortune is Fortune.RESET_AFTER:
            _tell(answer, Uncertain(Code.DEPENDENCY_FAILED, "connection reset"))
        elif fortune is not Fortune.ANSWER_LOST:
            _tell(answer, Succeeded(self._value(call)))

    def _apply(self, call: Call) -> None:
        effect, key, now = BY_NAME[call.tool].effect, call.idempotency_key, self._clock.monotonic()
        if not effect.writes:
            return
        if effect is Effect.KEYED and now - self._seen.get(key, -1e9) < KEY_RETENTION + LATE_MAX + TIMEOUT:
            self._coverage.note("remote", "key_known")
            return
        self._seen[key] = now
        self._of(call).applied.append(now)

    def _value(self, call: Call) -> object:
        """Return the answer: to a lookup whether its subject happened, else how many effects there are."""
        if call.tool == "crm.find":
            return {"applied": True} if call.about is not None and self.count(call.about) else None
        return {"effects": self.count(call.idempotency_key)}

    def _of(self, call: Call) -> Effects:
        known = self.effects.get(call.idempotency_key)
        if known is None:
            resource = BY_NAME[call.tool].resource_of(call.arguments)
            known = Effects(call.tool, call.tenant, resource, call.about, call.purpose)
            self.effects[call.idempotency_key] = known
        return known

    def _later(self, delay: float, happen: Callable[[], object]) -> None:
        self._clock.call_at(self._clock.monotonic() + delay, happen)


class Line:
    """The connector of one life: what it has sent goes on without it, and answers come only while it lasts."""

    def __init__(self, remote: Remote, life: Mortal, sight: Sight) -> None:
        """Send to `remote`."""
        self._remote = remote
        self._life = life
        self._sight = sight

    async def execute(self, call: Call) -> Result:
        """Make one attempt."""
        self._life.reach("sending")
        self._sight.leaves(call)
        result = await outside().run(self._remote.send, call)
        self._life.reach("answered")
        return result

    async def close(self) -> None:
        """Nothing to release."""


def _tell(answer: asyncio.Future[Result], result: Result) -> None:
    if not answer.done():
        answer.set_result(result)
