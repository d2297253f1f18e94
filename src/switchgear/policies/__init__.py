"""The guard's policies: one module a policy, each a set of frozen options and a pure machine.

refusal     what a machine answers when it says no
checks      validation of options, with messages that say what to write instead
errors      which exceptions an option means
breaker     stop calling what fails; its closed states keep the windows of `windows`
windows     outcome windows: consecutive, by count, by time
retry       which errors are worth another call, and how long to wait before it
hints       when a server says to come back
timeout     the bound of one attempt
rate_limit  so many calls in so much time (GCRA)
levels      rate limits above each other, charged together
bulkhead    so many calls at once, with a bounded queue
shedding    as many calls at once as the dependency can take, by priority and fairly between tenants
places      what bulkhead and shedding have in common
hedge       when to send another copy of a call
fallback    what to answer when a call has failed
faults      errors, latency and hangs on purpose
retry_budget   how many repeats all calls together may make

What may not live here: clocks, locks, logs, sleeping, threads, tasks, randomness. Time and draws are arguments.
"""
