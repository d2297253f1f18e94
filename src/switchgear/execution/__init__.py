"""Execution control: an action is an intent on record, carried out once, or known not to be.

contract    what a tool and its connector promise: Tool, Call, Result, Connector
intent      the record, its states and the one table of transitions
decide      what follows from a result, an interruption, a cancel: pure
arguments   JSON Schema of a tool's arguments
owning      copies of arguments that nobody else can change: pure
queue       the bounded fair queue: pure
key_records  what an idempotency key is bound to: pure
recorder    changes become events and a row in one conditional append
admission   the door: keys, gates, a place, the ledger
attempt     one bounded attempt
kernel      the loop that carries intents out and owns retry
doubts      looks after what is in doubt: lookups, ageing, calling a person
doubt_book  what memory holds of doubts: pure
lookups     what a lookup means for the action that it looks up: pure
resolving   what a person says became of an action in doubt: pure
dead_letters  what may run again, and what is put away: pure
reservation  what outcomes make of reserved units, and the fold of events into counters: pure
budget_keeper, budget_check  the book of budgets kept current and its alarms; counters counted again
recovery    what a start does with what it finds, and what is done about the open work of a lost engine
leases/     which engine may write: epoch, beats, fencing, whose an intent is
outcomes    waiting for an intent
refusals    counts of what was refused before an intent existed
registry    the tools known here
sagas/      ordered steps that are all done or all undone
time_boxes/  actions that hold for a time, and are reverted when it is over
engine      all of it behind one face

What may not live here: authorisation, protocols of surfaces, knowledge of a product or client library.
"""
