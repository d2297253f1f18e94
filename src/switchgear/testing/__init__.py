"""The public test kit: time that stands still until told otherwise.

What may not live here: anything that a lower room imports.
"""

from switchgear.core.clock import VirtualClock

__all__ = ["VirtualClock"]
