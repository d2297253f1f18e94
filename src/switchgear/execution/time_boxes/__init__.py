"""Actions that hold for a time only: when their time-box ends, they are reverted.

box     a time-box, the table of its events, and the fold that makes it of them
rules   what an intent's change means for its box, and what a box needs now; pure
due     which box is due when, by a clock that may jump; memory only
desk    rows and events of boxes in the store, and the part of an intent's append that belongs to its box
driver  looks after the boxes of one engine, and carries out what people ask for

A revert is an ordinary intent that serves the action. What may not live here: how something is reverted (the tool
does, and it compares first), and who may ask for what.
"""
