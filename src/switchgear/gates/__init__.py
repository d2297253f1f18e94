"""All that can say no before dispatch, in one shape: a gate checks a request and raises a refusal, or returns.

gate      the shape, and the request that gates see
tenants   a tenant's rate of submissions
required  the breakers of every dependency that a tool requires
budget    units a tenant may spend; budget_names: periods and keys of counters, budget_book: what memory knows of them
destructive  what may be destroyed: only what every dependency vouches for, or what a person forces once
restoring what a store that came from a backup may not do yet: its mark, gate, keeper, and the files
kill_switches  what people and agents have stopped: rules, gate, its keeper, its self-probe

What may not live here: effects, knowledge of connectors, and waiting in a check: it decides from memory. Only the
keepers of kill switches, contracts and restores read and write the store.
"""
