"""Kills a real engine with `kill -9` at moments drawn from a seed, round after round, and judges what is left.

upstream    the remote: an HTTP server of its own that is slow and loses answers by chance, and logs what reached it
engine      the process that is killed: `switchgear up` on a SQLite file, without the time that imports take
submitting  the callers, who live on: they keep what was acknowledged to them, and repeat what was not
evidence    reads the remote's log and the file of the killed engine, into plain facts
laws        what must hold of these facts; pure
scene       remote, engine and client in one folder; for the rounds and for tests
rounds      one run from the first start to the verdict
page        the page of documentation that holds the last long run

Nothing of the package imports this. The rounds in `tests/integration/engine` and `make soak` are the same rounds.
"""
