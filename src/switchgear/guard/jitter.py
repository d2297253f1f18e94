"""The randomness of what needs no secrecy and no repetition: where a wait or a probe falls within its range.

One for the process, seeded anew in a child of `os.fork`. Whoever draws takes another one for tests. Ids and tokens draw
elsewhere.
"""

from __future__ import annotations

import os
import random

JITTER = random.Random()  # noqa: S311 - jitter needs no secrecy
os.register_at_fork(after_in_child=JITTER.seed)
