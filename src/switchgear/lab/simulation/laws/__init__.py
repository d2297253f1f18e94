"""The oracle: after a run, each law says what is wrong. `broken` asks all of them.

promises   what was acknowledged or announced is on record; a key is one intent
effects    one effect a key; what is called done happened, what is called not done did not
records    the chain verifies, rows are what events say, counters are what the ledger says
stops      nothing leaves past a kill switch, without its approval, or over what a later action has changed
destruction  nothing destroys without fresh right answers of all that it requires, or a person's word, once
spending   no budget is overdrawn; nothing stays reserved; what is used was done
replays    every replay that started has one end
together   sagas are done or undone; time-boxes are neither forgotten nor doubled
rest       places and permits are given back, no loop of the engine has ended

A law goes by ledger, remote and witness. It never asks the engine, but for what it holds in memory.
"""

from switchgear.lab.simulation.laws.evidence import Evidence, gather
from switchgear.lab.simulation.laws.judging import LAWS, broken

__all__ = ["LAWS", "Evidence", "broken", "gather"]
