"""Which engine may write, and what becomes of the work of one that is lost.

lease     what one engine knows of its own right to write, and whose an intent is: pure, but for looking at a clock
watch     when another engine counts as lost: pure
rows      the rows by which engines know of each other
keeper    joins, beats, watches the others, takes over, leaves

What may not live here: what follows for an interrupted intent (see `decide`), and how it is read back (see `recovery`).
"""
