"""The circuit breaker: stop calling a dependency that fails, and find out gently when it is back.

    closed ──trip──► open ──probe──► half_open ──recover──► closed
                      ▲                  │
                      └── relapse, lapse ┘

windows   the closed phases: what is remembered of calls, and when it is enough
options   `Breaker`, validated at birth
evidence  whose calls failed lately, for breakers that several tenants share
phases    open, half-open, forced open, and the ramp after closing
machine   `BreakerMachine`: the phase in force and the moves between phases

What may not live here: anything that knows the time or another policy.
"""

from switchgear.policies.breaker.machine import BreakerMachine, Change, Phase
from switchgear.policies.breaker.options import Breaker
from switchgear.policies.breaker.phases import OpenPhase
from switchgear.policies.breaker.windows import BreakerState, Rates

__all__ = ["Breaker", "BreakerMachine", "BreakerState", "Change", "OpenPhase", "Phase", "Rates"]
