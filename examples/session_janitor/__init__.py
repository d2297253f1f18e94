"""Clean up dead sessions, and never a live one: two janitors, of which an outage turns one into a destroyer.

A session is a process behind an API socket, and a record in Redis. When its user leaves, the record says "closed", and
the process is to be ended. When its process has ended, the record is to be forgotten.

runner     the API socket: holds the processes, one line of JSON for each request
settings   the command line that both janitors share
naive      takes silence for "it is gone"; deletes live sessions in an outage
janitor    takes only a word for it, from a dependency that is known to be well; deletes none
"""
