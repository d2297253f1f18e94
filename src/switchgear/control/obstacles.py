"""What stands in the way of a held intent when it is shown. Read from gates and board; nothing is kept.

The ledger says why an intent was held when that was decided. Where a dependency stands moves on meanwhile, and not each
such move is worth an entry: so it is asked for when somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass

from switchgear.core.errors import Rejected
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.execution.intent import Intent
from switchgear.execution.releasing import FOR_A_DEPENDENCY
from switchgear.execution.transitions import State
from switchgear.health.evidence import Source
from switchgear.health.standing import Cause, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseView:
    """What was last observed of a dependency: by a `probe`, a `call` or an `operator`, and what that found.

    `outcome` is "positive", "negative" or "absent". `age` is seconds since then; of calls, which may be those of other
    tenants, only the platform is told it, as it is told `detail`.
    """

    source: str
    outcome: str
    age: float | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObstacleView:
    """What stands in the way of a held intent now. Times are seconds, counted from this moment.

    `state_age` is how long the dependency has been in `state`, None where no dependency is in the way. `retry_after` is
    when it is looked at again, None when nobody knows. `cause` is what was last observed of it, None when nothing was.
    """

    code: str
    message: str
    policy: str
    dependency: str
    state: str
    state_age: float | None
    flapping: bool
    retry_after: float | None
    cause: CauseView | None


def obstacle_view(engine: Engine, principal: Principal, intent: Intent) -> ObstacleView | None:
    """Return what holds `intent` now; None when it is not held, and when nothing holds it any more."""
    if intent.state is not State.HELD:
        return None
    refusal = engine.obstacle(intent)
    return None if refusal is None else _view(refusal, _standing(engine, refusal), principal)


def _standing(engine: Engine, refusal: Rejected) -> Standing | None:
    """Return where the dependency of a refusal stands; None where it is not about one, or that cannot be read."""
    if refusal.code not in FOR_A_DEPENDENCY or not refusal.dependency:
        return None
    return engine.standing(refusal.dependency)


def _view(refusal: Rejected, standing: Standing | None, principal: Principal) -> ObstacleView:
    cause = None if standing is None else standing.cause
    return ObstacleView(
        code=str(refusal.code),
        message=refusal.message,
        policy=refusal.policy,
        dependency=refusal.dependency,
        state=refusal.state,
        state_age=None if standing is None else standing.state_age,
        flapping=standing is not None and standing.flapping,
        retry_after=refusal.retry_after,
        cause=None if cause is None else cause_view(cause, whole="platform:read" in principal.permissions),
    )


def cause_view(cause: Cause, *, whole: bool) -> CauseView:
    """Return what was last observed, as the platform sees it when `whole`, else as any tenant may."""
    told = whole or cause.source is not Source.CALL
    return CauseView(
        source=str(cause.source),
        outcome=str(cause.polarity),
        age=cause.age if told else None,
        detail=cause.detail if whole else None,
    )
