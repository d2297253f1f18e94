"""One-step durable actions: submit until the result is back, on a disk that is asked to sync.

driver      the three phases, the same for every engine
engine      what the driver asks of an engine, and how a blocking one is driven
ours        Switchgear on SQLite, through its Python API
rest        Switchgear on SQLite, over REST, its server in a process of its own; rest_client is what asks it
dbos_engine DBOS on SQLite
huey_engine huey on SQLite, told to sync
runner      starts each engine in a process of its own, within a bound, and collects what it prints
report      the table of engines, with goals
disk        how many small syncs a second this disk does, which bounds them all

growth      what an action of ours costs as its store grows; filling, starting, grown and growth_report belong to it

Every engine keeps its default durability or is told to have it. Each action is a function that returns at once.
"""
