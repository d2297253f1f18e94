"""How hard a property that names its own number of examples tries: in the same proportion as the profile in use.

Profiles stand in tests/conftest.py. What a test must see to prove anything is no matter of effort: that stays a number.
"""

from __future__ import annotations

from hypothesis import settings

USUAL = 100
"""Examples of the profile `default`, in which a test is written."""


def examples(usual: int) -> int:
    """Return how many examples are tried in this run where people usually try `usual`; at least one."""
    return max(1, usual * settings().max_examples // USUAL)
