"""What is known of the dependencies of a process, and what may be destroyed on the strength of it.

evidence    one observation of a dependency: polarity, source, moment
standing    where a dependency stands, in words that every surface shows
probe       what a probe is, and what its errors say
probes      real probes that need the standard library only

What may not live here: any third-party import, and knowledge of a client library; probes that need a client are in
its adapter.
"""
