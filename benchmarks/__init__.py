"""Measurements of Switchgear beside its peers: what one call costs, and what one durable action costs.

contenders  what is compared: rows with goals, and the contenders of a row
targets     the bare functions that everything is put round
timing      interleaved sampling of calls
scaling     the rows that are not nanoseconds: threads, bytes, creation
calls       collects the contenders, runs the per-call rows
durable     one-step actions on disk, each engine in a process of its own
regression  ours beside what was written by hand, as ratios that are compared with those recorded in ratios.json
machine     what the figures were measured on
report      the same results as Markdown and as JSON
tables      how reports word a table and a verdict

Run it with `make bench`. Peers are installed in `.venv-bench` only; one that is missing is shown as missing.
Figures count only when nothing else runs on the machine. No test of correctness lives here.
"""
