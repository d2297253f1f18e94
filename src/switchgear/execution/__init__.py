"""Execution control: an action is an intent on record, carried out once, or known not to be.

contract    what a tool and its connector promise: Tool, Call, Result, Connector
intent      the record, its states and the one table of transitions
decide      what follows from a result, an interruption, a cancel: pure
arguments   JSON Schema of a tool's arguments
queue       the bounded fair queue: pure
recorder    changes become events and a row in one conditional append
admission   the door: keys, gates, a place, the ledger
attempt     one bounded attempt
kernel      the loop that carries intents out and owns retry
recovery    what a start does with what it finds
outcomes    waiting for an intent
refusals    counts of what was refused before an intent existed
registry    the tools known here
engine      all of it behind one face

What may not live here: authorisation, protocols of surfaces, knowledge of a product or client library.
"""
