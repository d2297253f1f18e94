"""Sagas: an ordered list of steps, and what undoes each, carried out as one action that is all done or all undone.

transitions   the states of a saga, its events, and the one table of which may happen where: pure
saga          the record, and the fold that makes it of its events: pure
references    values of earlier steps inside the arguments of later ones: pure
definition    what is handed in, checked against the tools: pure
decide        what follows from how a step ended, a cancel, a person's word: pure
births        the intents of a saga, with the values that their arguments refer to
book          events and a row in one append, with the intents that it bears
door          takes a saga in: key, tools, arguments, gates, a place
driver        goes on with a saga whenever an intent of it is settled, and after a crash

Every step and every compensation is an ordinary intent with the saga as its parent: retry, doubt, approval and kill
switches are its own. What may not live here: anything that reaches a connector.
"""
