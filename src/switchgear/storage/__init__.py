"""Stores: conditional appends, rows, and the log, by ability and never by product.

abilities   the protocols and records that the floors above import; the only module that they may name
planner     decides a group of appends purely: verdicts, entries with sequence and hash, rows
checks      what an adapter refuses before it looks at anything
manifest    what stands beside a backup: when it was made, where its chains end, its hash
opening     finds the adapter of a URL by entry point
memory      an adapter that forgets, for tests, simulation and demonstrations
sqlite/     one machine: one file, one writer thread, group commit

What may not live here: the meaning of a body, a row or a space; anything of the ledger, intents or tenants' rules.
"""
