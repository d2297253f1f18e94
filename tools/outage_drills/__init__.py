"""Breaks what destructive operations rest on, at moments drawn from a seed, and judges whether anything was destroyed.

faults     what can go wrong with a dependency: by script in virtual time, by the fault proxy before a real server
paths      every way to a destructive effect, one entry each
facts      what a drill leaves behind, in the order in which it happened
laws       what must hold of it; pure. `lines` is what a board may conclude at best
plan       what one seed draws: dependencies, outages, traffic, janitors
board      a board that writes down what it is told
scripted   a dependency that answers, or fails, as its outages have it
drill      one drill in virtual time
servers    real servers on loopback, each behind a fault proxy
rounds     one round with them, in real time
tally      counts and judges what came of drills
run        many drills and rounds, and what they came to
page       the page of documentation that holds the last long run

Nothing of the package imports this. What the tests run is what `make drills` runs, only less of it.
"""
