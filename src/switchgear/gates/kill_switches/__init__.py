"""Kill switches: stop new actions, or all that has not left yet, for everybody, a tenant, a connector or a tool.

switches   what one scope has set, as data, and the rules of tripping and releasing; pure
gate       the gate that stops actions, from what it was told of all scopes; pure but for the clock
keeper     reads and writes the rows in the store, and tells the gate
probe      proves on a schedule that the gate still stops things

What may not live here: who may trip what, which is decided in `control`.
"""
