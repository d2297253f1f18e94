"""Switchgear as in `ours`, on the event loop of its own server: uvloop, which comes with `switchgear[gear]`."""

from __future__ import annotations

import uvloop

from benchmarks.durable.ours import opening

__all__ = ["opening", "run"]

run = uvloop.run
