"""The demo: real traffic through the real gear, against a real HTTP service that has a bad day.

schedule   the bad day as a table
crm        the upstream, a process of its own; `crm_records` is what it knows, `effects` its log: the witness
upstream   starts, kills and restarts that process
settings   the configuration file of the demo
traffic    two tenants and what they send through REST; `catalogue` is what there is to send
story      what the ledger tells: a fold over its entries
follower   reads the ledger and the breakers through REST while the demo runs
audit      holds the ledger and the traffic against the upstream's log; pure
view       what a person sees meanwhile, and `summary` at the end
running    puts it together; `command` is the command

What may not live here: anything that makes the audit pass. It only compares.
"""
