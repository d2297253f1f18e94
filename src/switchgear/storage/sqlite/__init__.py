"""SQLite: one machine, one file, one engine process; write-ahead log, synchronous=FULL, natural group commit.

store       the adapter: a writer's desk, two readers' desks, the lock, the closing order
desk        hands requests to a thread in batches and the answers back to the event loop
writer      one group of appends is one transaction
reader      reads as few statements
statements  loads statements.sql; schema applies schema/*.sql by number and checksum
decoding    records out of answers; salvage reads round what is damaged
backup      copies a snapshot while the writer goes on
connecting  connections with the settings that durability needs
log         what the checkpoints of the write-ahead log cost in syncs
owner       one engine per file
translate   SQLite's errors into ours, by table

What may not live here: SQL in Python text, and waiting on the event loop.

A note on why statements are few and large: the interpreter's lock is released at every step of a statement, and a
busy event loop may keep it for a whole switch interval before the thread gets it back. So a statement returns one
row (JSON that SQLite aggregates), and inserts carry many rows.
"""
