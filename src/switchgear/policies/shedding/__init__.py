"""Shedding: how many calls a dependency can take is found out, and what is too much is refused in a fair order.

    arrival ──throttle──► place free? ──► the call runs ──► its duration moves the limit
                              │ no                                   │
                              ▼                                      ▼
                           queue by class and tenant ◄── places pass on

options     `Shedding`, validated at birth
gradient    the limit: found from durations (Netflix gradient2)
throttling  how much to keep back when the dependency turns calls away (Google SRE)
queue       who waits: classes in strict order, tenants of a class by weighted deficit round robin
machine     `SheddingMachine`: places, and the three above put together

What may not live here: anything that knows the time, draws a random number, or wakes a waiter.
"""

from switchgear.policies.shedding.machine import SheddingMachine
from switchgear.policies.shedding.options import Shedding

__all__ = ["Shedding", "SheddingMachine"]
