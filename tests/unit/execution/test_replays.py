"""Replays on a whole engine: what is sent, what is not, and the one end of each."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Invalid, Rejected
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Succeeded, Uncertain
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS
from switchgear.execution.replay import Mode, ReplayRequest
from switchgear.execution.transitions import State
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, Stage
from switchgear.ledger.erasure import MARK
from switchgear.ledger.events import Recorded, read
from switchgear.storage.abilities import Append, Committed, Write
from tests.unit.execution.rig import Rig, hang, running

PERSON = "person:ann"
NO = Refused(Code.TOOL_FAILED, "no such order", retryable=False, verdict=Verdict.SUCCESS)
SILENCE = Uncertain(Code.DEPENDENCY_FAILED, "no answer")


class Switch:
    """A gate that can be closed."""

    def __init__(self) -> None:
        """Begin open."""
        self.closed = False

    def check(self, request: GateRequest) -> Conditions:
        """Refuse dispatches while closed."""
        if self.closed and request.stage is Stage.DISPATCH:
            raise Rejected("frozen", code=Code.KILL_SWITCH_ACTIVE, policy="kill_switch")
        return NO_CONDITIONS


async def replay(rig: Rig, intent: Intent, mode: Mode, *, wait: float = 30.0) -> Intent:
    """Replay and wait for the end, while virtual time passes."""
    request = ReplayRequest(mode=mode, reason="drill", by=PERSON, trace=rig.engine.replays.trace())
    now = await rig.engine.intent(intent.tenant, intent.id)
    begun = await rig.engine.replays.replay(now, request)
    waiting = asyncio.ensure_future(rig.engine.replays.wait(begun.intent, wait))
    while not waiting.done():
        await rig.clock.elapse(0.5)
    return await waiting


async def ended(rig: Rig, answer: object, effect: Effect = Effect.KEYED, **options: Any) -> Intent:
    """Return an intent that got `answer` and has settled."""
    rig.tool(effect=effect, attempts=1, **options)
    rig.script.answers = [answer]  # type: ignore[list-item]  # one of the answers of a script
    return await rig.settled(await rig.submit())


async def history(rig: Rig, intent: Intent) -> list[Recorded]:
    """Return the events of an intent."""
    return [read(entry) for entry in await rig.store.stream(intent.tenant, intent.id)]


def end_of(intent: Intent) -> str | None:
    """Return the word that the newest replay ended with."""
    assert intent.replay is not None
    return intent.replay.result or intent.replay.cause


async def test_replaying_a_success_touches_no_connector() -> None:
    """SEMANTICS §8: the stored outcome is the answer, in every mode."""
    async with running() as rig:
        done = await ended(rig, Succeeded("done"))
        ends = [end_of(await replay(rig, done, mode)) for mode in Mode]
        assert ends == ["verified", "already_executed", "already_executed"]
        assert len(rig.script.calls) == 1
        assert (await rig.engine.intent("acme", done.id)).state is State.SUCCEEDED


async def test_the_events_of_a_replay_are_those_four_and_name_who_and_why() -> None:
    """Requested, started, one end; the reason is payload, and the trace is the replay's own, linked to the first."""
    async with running() as rig:
        done = await ended(rig, NO)
        await replay(rig, done, Mode.VERIFY)
        asked, started, end = (await history(rig, done))[-3:]
        assert [asked.type, started.type, end.type] == ["REPLAY_REQUESTED", "REPLAY_STARTED", "REPLAY_COMPLETED"]
        assert (asked.facts["requested_by"], asked.facts["mode"], asked.payload) == (
            PERSON,
            "verify",
            {"replay_reason": "drill"},
        )
        assert asked.facts["linked_trace"] == done.trace != asked.facts["replay_trace"]
        assert end.facts["result"] == "verified"


async def test_what_was_not_applied_is_executed_anew_with_a_key_of_its_own() -> None:
    """A new generation, fresh attempts and time; the remote sees another key, the caller the same intent."""
    async with running() as rig:
        dead = await ended(rig, NO)
        assert dead.state is State.DEAD_LETTERED
        again = await replay(rig, dead, Mode.REEXECUTE)
        assert (again.state, again.generation, end_of(again)) == (State.SUCCEEDED, 2, "executed")
        assert [call.idempotency_key for call in rig.script.calls] == [dead.id, f"{dead.id}.2"]
        assert rig.script.calls[1].trace == (again.replay.trace if again.replay else "")
        assert (await rig.submit()).id == dead.id
        assert (await rig.kinds(again))[-6:] == [
            "REPLAY_REQUESTED",
            "REPLAY_STARTED",
            "reexecuted",
            "dispatched",
            "succeeded",
            "REPLAY_COMPLETED",
        ]


async def test_law_4_what_is_in_doubt_is_never_executed_anew() -> None:
    """There is no proof that it was not applied."""
    async with running() as rig:
        doubtful = await ended(rig, SILENCE, Effect.OPAQUE)
        for mode in (Mode.RESUME, Mode.REEXECUTE):
            after = await replay(rig, doubtful, mode)
            assert (after.state, end_of(after)) == (State.IN_DOUBT, "in_doubt")
        assert len(rig.script.calls) == 1


async def test_what_is_in_doubt_is_repeated_where_its_effect_allows_it() -> None:
    """One more attempt with the same key, though its attempts and its time are used up."""
    async with running() as rig:
        doubtful = await ended(rig, SILENCE, lifetime=60.0)
        assert doubtful.state is State.IN_DOUBT
        await rig.clock.elapse(100.0)
        after = await replay(rig, doubtful, Mode.RESUME)
        assert (after.state, end_of(after), after.generation) == (State.SUCCEEDED, "executed", 1)
        assert [call.idempotency_key for call in rig.script.calls] == [doubtful.id] * 2


async def test_what_the_remote_may_have_forgotten_is_not_repeated() -> None:
    """Past its retention the same key is no protection: a person has to look."""
    async with running() as rig:
        doubtful = await ended(rig, SILENCE, key_retention=60.0)
        await rig.clock.elapse(100.0)
        assert end_of(await replay(rig, doubtful, Mode.RESUME)) == "in_doubt"
        assert len(rig.script.calls) == 1


async def test_a_replay_that_fails_again_says_so() -> None:
    """The end stands in the append of what became of it."""
    async with running() as rig:
        dead = await ended(rig, NO)
        rig.script.answers = [NO]
        again = await replay(rig, dead, Mode.REEXECUTE)
        assert (again.state, end_of(again)) == (State.DEAD_LETTERED, "error")


async def test_a_replay_that_comes_in_doubt_says_so() -> None:
    """A new doubt is a failed replay, whatever settles it later."""
    async with running() as rig:
        dead = await ended(rig, NO, Effect.OPAQUE)
        rig.script.answers = [SILENCE]
        again = await replay(rig, dead, Mode.REEXECUTE)
        assert (again.state, end_of(again)) == (State.IN_DOUBT, "in_doubt")


async def test_todays_gates_apply() -> None:
    """What a gate stops today is not replayed: nothing is sent, and the intent stays as it was."""
    switch = Switch()
    async with running(dispatch_gates=(switch,)) as rig:
        dead = await ended(rig, NO)
        switch.closed = True
        after = await replay(rig, dead, Mode.REEXECUTE)
        assert (after.state, end_of(after)) == (State.DEAD_LETTERED, "gate")
        assert after.replay is not None
        assert after.replay.refusal == "KILL_SWITCH_ACTIVE"


async def test_what_was_held_is_released_once_its_gate_opens() -> None:
    """Resume asks the gates now, and does not wait for the next look."""
    switch = Switch()
    async with running(dispatch_gates=(switch,)) as rig:
        rig.tool()
        switch.closed = True
        waiting = await rig.submit()
        await rig.clock.elapse(0.1)
        assert end_of(await replay(rig, waiting, Mode.RESUME)) == "gate"
        switch.closed = False
        after = await replay(rig, waiting, Mode.RESUME)
        assert (after.state, end_of(after)) == (State.SUCCEEDED, "executed")


@pytest.mark.parametrize("mode", [Mode.RESUME, Mode.REEXECUTE])
async def test_what_is_under_way_is_left_alone(mode: Mode) -> None:
    """An attempt is being made: there is nothing to do, and nothing is sent twice."""
    async with running() as rig:
        rig.tool(timeout=20.0)
        rig.script.answers = [hang]
        sent = await rig.submit()
        await rig.clock.elapse(0.5)
        assert end_of(await replay(rig, sent, mode, wait=0.0)) == "nothing_to_do"
        assert len(rig.script.calls) == 1


async def test_a_second_replay_at_once_is_refused() -> None:
    """SEMANTICS §8: 409 while the first is under way; afterwards another may begin."""
    async with running() as rig:
        dead = await ended(rig, NO)
        rig.script.answers = [hang]
        first = await replay(rig, dead, Mode.REEXECUTE, wait=0.0)
        assert first.replaying
        with pytest.raises(Conflict) as refusal:
            await replay(rig, dead, Mode.VERIFY)
        assert (refusal.value.policy, refusal.value.retry_after) == ("replay", 1.0)
        await rig.settled(dead)
        assert end_of(await replay(rig, dead, Mode.VERIFY)) == "verified"


async def test_two_replays_in_one_moment_are_one() -> None:
    """Both look before either has recorded: only one may."""
    async with running() as rig:
        dead = await ended(rig, NO)
        request = ReplayRequest(mode=Mode.REEXECUTE, reason="drill", by=PERSON, trace="")
        both = [rig.engine.replays.replay(dead, request) for _ in range(2)]
        answers = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Replayed"]
        assert (await rig.settled(dead)).generation == 2


async def test_an_erased_action_is_never_sent_again() -> None:
    """Its marks are no arguments: executing anew is refused, and a dead letter is not requeued."""
    async with running() as rig:
        dead = await ended(rig, NO)
        row = await rig.store.get(INTENTS, "acme", dead.id)
        assert row is not None
        bare = msgspec.structs.replace(dead, arguments={MARK: True}, version=row.version + 1)
        write = Write(INTENTS, dead.id, row.version, msgspec.json.encode(bare), row.facet)
        assert isinstance(await rig.store.append(Append("apd_x", "acme", (), (write,))), Committed)
        after = await replay(rig, bare, Mode.REEXECUTE)
        assert (after.state, end_of(after)) == (State.DEAD_LETTERED, "error")
        with pytest.raises(Conflict, match="erased"):
            rig.engine.dead_letters.requeued(after, by=PERSON)
        assert len(rig.script.calls) == 1


async def test_a_row_that_is_not_what_its_events_say_fails_its_verify() -> None:
    """Law 11: the end of the replay is the finding."""
    async with running() as rig:
        done = await ended(rig, Succeeded("done"))
        wrong = msgspec.structs.replace(done, value="forged", version=done.version + 1)
        write = Write(INTENTS, done.id, done.version, msgspec.json.encode(wrong), str(done.state))
        await rig.store.append(Append("apd_x", "acme", (), (write,)))
        after = await replay(rig, wrong, Mode.VERIFY)
        assert after.replay is not None
        assert (after.replay.cause, after.replay.refusal) == ("error", "LEDGER_CORRUPT")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_replay_needs_a_reason(reason: str) -> None:
    """It is what is left of it."""
    with pytest.raises(Invalid):
        ReplayRequest(mode=Mode.VERIFY, reason=reason, by=PERSON, trace="")
