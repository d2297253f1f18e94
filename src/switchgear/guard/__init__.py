"""The guard: composes policies round a call, blocking or asynchronous.

What users hold
    guard       `Guard`; `Guarded`, what it decorates; `circuit_breaker` builds one in a line
    permit      the body of a `with` as the call, and calls in two steps
    limiter     `RateLimiter`: limits of several levels, for what comes in
    presets     guards by name, from a table of options; `preset_words` and `preset_errors` read its words
One call
    terms       what it says of itself: cost, priority, tenant, effect, deadline
    callables   what kind of callable was given; `fitting` is whether it takes the arguments
    composing   which drivers it goes through, from the outside in
    straight    the quick drivers, of which `specialise` makes one for each set of policies
    drivers     the two general drivers, blocking and asynchronous; `refusing` an open breaker is quick there too
    admission   letting a call in, which may have to wait; `waiter` is how, `bounding` for how long
    holding     what one call holds, and how it is given back whatever interrupts it
    attempts    what happens after an attempt failed; `repeats` is what that asks of a member
Layers
    fallbacks   the outermost: the answer instead, and outcomes as values
    hedging     copies of a call that takes long
    injecting   the innermost: faults on purpose
    generators  guarded iterations; `stream` keeps their books
State
    plan        the options of a guard, checked and worked out, shared by its keyed members
    member      one guard or key: one mutex, the machines, the counters; `tally` and `outbox` are its rarer parts
    keys        the bounded registry of keyed members; `forgetting` says who may make room in it
    meter       events and log lines; `reading` takes the statistics of a member, and of all together
Time and threads
    expiry      deadlines of tasks, in coarse buckets behind one timer a loop
    workers     threads for blocking calls that must end in time

What may not live here: rules of a policy (they are in `switchgear.policies`), I/O, any third-party import.
"""

from switchgear.guard.fallbacks import CallOutcome
from switchgear.guard.guard import Guard, Guarded, circuit_breaker
from switchgear.guard.limiter import RateLimiter
from switchgear.guard.meter import Event, Statistics
from switchgear.guard.permit import Permit

__all__ = ["CallOutcome", "Event", "Guard", "Guarded", "Permit", "RateLimiter", "Statistics", "circuit_breaker"]
