"""Whether it is fit for production: everything that tries the whole engine, and breaks what it depends on.

simulation   the whole engine in one process, on simulated time, disk and network, from one seed

What may not live here: a rule of the engine. The lab runs the engine as it is and looks at it from outside.
"""
