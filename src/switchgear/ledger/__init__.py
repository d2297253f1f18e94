"""The ledger: what was recorded, chained per tenant, folded into state, signed, exported, verified, archived.

events       the envelope of an event: encoded once, hashed as stored; the payload beside it
upcasting    lifts events of older releases to what they mean today
chain        the hash that links an entry to the one before it
folding      state from events, and the hash of a state
notes, keys  signed notes (C2SP) and the keys that sign them; `keys` alone touches cryptography
checkpoints  signed notes about the head of a chain: made, recorded, read, and when one is due
export       one tenant's chain as JSON Lines, and its reader
verify       finds the bad entries of a chain, in exports or in a store
standalone   the same verdicts in one file that needs the standard library only; nothing imports it
archiving    old entries leave as a segment, and the chain stays whole
erasure      payloads go, and the chain stays valid
appending    appends of this room whose fate has to be known
reasons      how long a reason may be that goes on record
values       what the value of a row says, or that it cannot be read

What may not live here: the meaning of an event of an intent (execution supplies it), any product of storage, any
decision about work.
"""
