"""Restore mode: a store that came from a backup has forgotten what happened since, so nothing of it is executed.

book     what is known of the mark that such a store carries
gate     refuses writes while it does
keeper   reads the mark at start and takes it away: one row and one stream, in the platform's scope
files    makes a store of a backup, marked before it has its name

What may not live here: what becomes of open work (execution's `restoring` and `thawing` say that).
"""
