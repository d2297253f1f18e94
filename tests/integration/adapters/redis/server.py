"""A real redis-server of its own for each test module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.adapters.real_server import RealServer


@contextmanager
def redis_server(folder: Path) -> Iterator[RealServer]:
    """Run a server that keeps nothing on disk."""
    server = RealServer("redis-server", _arguments, folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _arguments(port: int, folder: Path) -> list[str]:
    return ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
