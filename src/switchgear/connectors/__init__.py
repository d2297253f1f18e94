"""What reaches the world outside: one attempt at a time, and an honest word on what became of it.

bounds        one attempt ends at its deadline, whatever it waits for
values        what a remote or a function gave back, made to fit into JSON
credentials   header values by reference, read when needed, never shown
signatures    a Python function's name, import and JSON Schema
function      a Python callable as a tool
http          tools that a configuration declares, over HTTP
scim          identities at a SCIM 2.0 server: deactivate, restore, look up

What may not live here: retry, breakers, the ledger, what doubt means. The kernel owns them.
"""
