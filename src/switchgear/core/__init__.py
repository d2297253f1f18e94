"""The vocabulary that every other room speaks. Standard library only; imports nothing of the house.

codes       the closed enumeration of failure codes and its table
errors      the one error tree
problems    what every problem document has in common (RFC 9457)
operations  the central table of timeouts
clock       time as a parameter; the system's clock and the virtual one
mutexes     the only locks of this package
deadline    the absolute deadline that travels with a call
ids         time-ordered identifiers
scope       tenant, account, actor, principal
effects     effect classes
outcome     verdicts and outcomes as values
canonical   RFC 8785 JSON and the payload digest

What may not live here: I/O (the clocks' sleeping apart), policy, state that outlives a call.
"""
