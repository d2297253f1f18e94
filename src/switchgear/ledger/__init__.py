"""The ledger: what was recorded, chained per tenant, folded into state, exported and verified.

events   the envelope of an event: encoded once, hashed as stored; the payload beside it
chain    the hash that links an entry to the one before it
folding  state from events, and the hash of a state
export   one tenant's chain as JSON Lines, and its reader
verify   finds the first bad entry of a chain, in an export or in a store

What may not live here: the meaning of an event (execution supplies it), any product of storage, any decision.
"""
