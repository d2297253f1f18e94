"""The command line that both janitors share, and what they call things in Redis."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SESSIONS: Final = "sessions"
"""The hash in Redis that holds the record of each session: "open", or "closed" once its user has left."""
CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are, and how often to look.

    redis_port   of Redis, on this machine.
    api_socket   the path of the runner's socket.
    every        seconds from one cleaning to the next, above 0.
    timeout      seconds that an answer may take, above 0.
    probe_every  seconds between two looks at a dependency that is well, above 0. The naive one looks at none.
    ramp         seconds after an outage until it cleans at full speed again. The naive one knows of no outage.
    """

    redis_port: int
    api_socket: str
    every: float
    timeout: float
    probe_every: float
    ramp: float


def settings_from(words: Sequence[str]) -> Settings:
    """Read the words of the command line."""
    parser = argparse.ArgumentParser(description="Clean up dead sessions.")
    parser.add_argument("api_socket", help="the path of the runner's socket")
    parser.add_argument("--redis-port", type=int, default=6379)
    parser.add_argument("--every", type=float, default=5.0, help="seconds from one cleaning to the next")
    parser.add_argument("--timeout", type=float, default=1.0, help="seconds that an answer may take")
    parser.add_argument("--probe-every", type=float, default=5.0, help="seconds between two looks at a dependency")
    parser.add_argument("--ramp", type=float, default=30.0, help="seconds until it is up to speed after an outage")
    return Settings(**vars(parser.parse_args(words)))
