"""People: they approve, refuse, take back, say what became of what is in doubt, and look after dead letters.

Whoever resolves a doubt tells the truth, or gives up: they look at the remote once nothing of that key is on its way.
"""

from __future__ import annotations

from switchgear.execution import consent
from switchgear.execution.consent import Channel
from switchgear.execution.dead_letters import discarded
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS, intent_of
from switchgear.execution.resolving import Finding, Says
from switchgear.execution.transitions import State
from switchgear.lab.simulation.world import World

PEOPLE = ("person:ada", "person:bob", "person:kim")
_SAY = {"yes": consent.given, "no": consent.refused, "back": consent.taken_back}
_WORDS = ("yes", "yes", "yes", "yes", "no", "back", "back")
_DOUBTFUL = (State.NEEDS_OPERATOR, State.IN_DOUBT)


async def approve(world: World) -> None:
    """Say something about an intent that needs approval: mostly yes, and not always a person who may."""
    intent = await _one(world, State.PENDING_APPROVAL, State.PENDING_APPROVAL, State.READY, State.HELD)
    if intent is None or intent.approval is None:
        return
    by = world.chance.choice((*PEOPLE, intent.actor, "agent:bot"))
    taken_back = bool(intent.approval.granted) and world.chance.random() < 1 / 3
    word = "back" if taken_back else world.chance.choice(_WORDS)
    if word == "back" and intent.approval.granted:
        by = world.chance.choice(intent.approval.granted).by
    world.witness.heard(await world.ask(lambda engine: said(engine, intent, by, word)))


async def said(engine: Engine, intent: Intent, by: str, word: str) -> Intent:
    """Say a word about an intent: yes, no, or back."""
    digest = intent.approval.digest if intent.approval is not None and word == "yes" else None
    heard = await engine.consents.word(intent, by=by, channel=Channel.REST, digest=digest, reason="drill")
    says = _SAY[word]
    return await engine.change(intent.tenant, intent.id, lambda now: Decided(says(now, heard)), actor=by)


async def resolve(world: World) -> None:
    """Say what became of something in doubt."""
    intent = await _one(world, *_DOUBTFUL)
    if intent is not None:
        await found_out(world, intent, world.chance.choice(PEOPLE), gives_up=1 / 3)
        if world.chance.random() < 1 / 3:  # whoever gives up may think better of it
            await _done_with(world, intent, away=False)


async def found_out(world: World, intent: Intent, by: str, *, gives_up: float = 1 / 8) -> None:
    """Look at the remote and say what became of an intent, when nothing of it is on its way any more.

    `gives_up` is the chance that they abandon it instead; not so what serves another intent.
    """
    if not world.remote.quiet(intent.downstream_key):
        return
    abandoned = world.chance.random() < gives_up and intent.purpose is None
    truth = Says.APPLIED if world.remote.count(intent.downstream_key) else Says.NOT_APPLIED
    says = Says.ABANDON if abandoned else truth
    finding = Finding(says=says, evidence="looked at the remote", by=by)

    async def told(engine: Engine) -> Intent:
        def decision(now: Intent) -> Decided:
            return Decided(engine.doubts.resolved(now, finding) if now.version == intent.version else ())

        return await engine.change(intent.tenant, intent.id, decision, actor=by)

    world.witness.heard(await world.ask(told))


async def requeue(world: World) -> None:
    """Let a dead letter run again, or put it away."""
    letter = await _one(world, State.DEAD_LETTERED)
    if letter is None:
        return
    await _done_with(world, letter, away=world.chance.random() < 1 / 4)


async def _done_with(world: World, letter: Intent, *, away: bool) -> None:
    by = world.chance.choice(PEOPLE)

    async def done(engine: Engine) -> Intent:
        def decision(now: Intent) -> Decided:
            if away:
                return Decided(discarded(now, by=by, reason="drill"))
            return Decided(engine.dead_letters.requeued(now, by=by))

        return await engine.change(letter.tenant, letter.id, decision, actor=by)

    world.witness.heard(await world.ask(done))


async def _one(world: World, *states: State) -> Intent | None:
    """Return one intent of a tenant that is in one of `states`, the first named being likelier; None without any."""
    rows = await world.store.page(INTENTS, world.tenant(), facet=world.chance.choice(states), limit=20)
    return intent_of(world.chance.choice(rows)) if rows else None
