"""The guard: composes policies round a call, blocking or asynchronous.

guard       `Guard`, what users hold; `Guarded`, what it decorates; `circuit_breaker` builds one in a line
plan        the resolved options of a guard, shared by its keyed members
terms       what one call says of itself: cost, priority, tenant, effect, budget
member      the state of one guard or key: one mutex, the machines, the counters; `tally`, `outbox`: its rarer parts
composing   which drivers the calls of a guard go through, from the outside in
straight    the quick drivers, of which `specialise` makes one for each set of policies
entry       admission that may have to wait, and how to wait
attempts    what happens after an attempt failed
drivers     the two general drivers, blocking and asynchronous
generators  the drivers of generators and async generators
stream      what both of them share: the books of an iteration, and its steps
permit      the body of a `with` as the call
expiry      deadlines of tasks, in coarse buckets behind one timer a loop
workers     threads for blocking calls that must end in time
keys        the bounded registry of keyed members
meter       events, statistics, log lines; `reading` takes the statistics of a member
limiter     `RateLimiter`: limits at several levels, for callers that are no guarded call
callables   what kind of callable was given

What may not live here: rules of a policy (they are in `switchgear.policies`), I/O, any third-party import.
"""

from switchgear.guard.guard import Guard, Guarded, circuit_breaker
from switchgear.guard.meter import Event, Statistics
from switchgear.guard.permit import Permit

__all__ = ["Event", "Guard", "Guarded", "Permit", "Statistics", "circuit_breaker"]
