"""The chance of a simulation: every draw comes from a seed, so that a run can be repeated."""

from __future__ import annotations

from random import Random


def draws(*seed: object) -> Random:
    """Return a generator of its own for `seed`, which is named by its words: the same words, the same draws."""
    return Random("/".join(map(str, seed)))
