"""Tally: the counters of a member that most calls leave alone. Made when the first of them is needed."""

from __future__ import annotations

from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.guard.outbox import Outbox
from switchgear.policies.hedge import Hedge, HedgeMachine
from switchgear.policies.retry import Retry
from switchgear.policies.retry_budget import RetryBudgetMachine


class Tally:
    """What was counted beside plain successes; used under the member's mutex.

    `abandoned` blocking calls still run; `abandoned_total` counts all there ever were.
    `repeats` are attempts and copies that the retry budget allowed; waiting out a refusal is none.
    `budget` and `hedge` are the machines that only repeats and hedged calls need, `outbox` what only waiters and
    listeners do.
    """

    __slots__ = (
        "abandoned",
        "abandoned_total",
        "budget",
        "ended",
        "fallbacks",
        "hedge",
        "hedges",
        "outbox",
        "refused",
        "repeats",
        "retries",
        "slow",
        "timeouts",
        "unseen",
    )

    def __init__(self) -> None:
        """Start at nothing."""
        self.ended = [0, 0, 0]
        self.refused: dict[Code, int] = {}
        self.unseen: dict[Code, int] = {}
        self.retries = self.slow = self.timeouts = 0
        self.hedges = self.fallbacks = self.repeats = 0
        self.budget: RetryBudgetMachine | None = None
        self.hedge: HedgeMachine | None = None
        self.outbox: Outbox | None = None
        self.abandoned = self.abandoned_total = 0

    def refuse(self, code: Code) -> None:
        """Count a refusal."""
        self.refused[code] = self.refused.get(code, 0) + 1

    def would_refuse(self, code: Code) -> None:
        """Count a refusal that a dry run, or a breaker that only observes, did not carry out."""
        self.unseen[code] = self.unseen.get(code, 0) + 1

    def reconfigure(self, retry: Retry | None, hedge: Hedge | None) -> None:
        """Go on under other options. A machine that is not asked for any more is forgotten."""
        budget = None if retry is None else retry.budget
        if self.budget is not None and budget is not None:
            self.budget.reconfigure(budget)
        else:
            self.budget = None
        if self.hedge is not None and hedge is not None:
            self.hedge.reconfigure(hedge)
        else:
            self.hedge = None

    @property
    def failures(self) -> int:
        """Ended attempts that failed."""
        return self.ended[Verdict.FAILURE]

    @property
    def ignored(self) -> int:
        """Ended attempts that say nothing."""
        return self.ended[Verdict.IGNORED]
