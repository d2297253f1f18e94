"""The value a machine answers with when it says no. The guard makes the error of it; nothing here raises."""

from __future__ import annotations

from switchgear.core.codes import Code, Decision


class Refusal:
    """Why a call is not let in. Made often while a breaker is open, so it is a plain slotted value.

    `policy` names the policy, `state` is its own word for how it stands. `retry_after` is in seconds, or None
    when waiting does not help. `reason` is empty when the meaning of the code says it all.
    """

    __slots__ = ("code", "decision", "policy", "reason", "retry_after", "state")

    def __init__(
        self,
        policy: str,
        code: Code,
        state: str,
        retry_after: float | None,
        decision: Decision = "defer",
        reason: str = "",
    ) -> None:
        """Keep the facts."""
        self.policy = policy
        self.code = code
        self.state = state
        self.retry_after = retry_after
        self.decision: Decision = decision
        self.reason = reason

    def __repr__(self) -> str:
        """Show code, state and when to come back."""
        return f"<Refusal {self.code} {self.state} retry_after={self.retry_after}>"
