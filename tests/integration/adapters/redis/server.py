"""A real redis-server of its own for each test module, alone or as a cluster of one node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.integration.adapters.real_server import STARTED_WITHIN_SECONDS, RealServer
from tests.ports import free_port


@contextmanager
def redis_server(folder: Path) -> Iterator[RealServer]:
    """Run a server that keeps nothing on disk."""
    server = RealServer("redis-server", _arguments, folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def redis_cluster(folder: Path) -> Iterator[RealServer]:
    """Run a cluster of one node that has every slot."""
    server = RealServer("redis-server", _cluster_arguments, folder)
    server.start()
    try:
        with redis.Redis(port=server.port) as node:
            node.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)
        wait_for_cluster(server.port)
        yield server
    finally:
        server.kill()


def wait_for_cluster(port: int) -> None:
    """Wait until the node takes commands for its slots."""
    ends = time.monotonic() + STARTED_WITHIN_SECONDS
    with redis.Redis(port=port) as node:
        while node.cluster("INFO")["cluster_state"] != "ok":
            assert time.monotonic() < ends, "the cluster does not come up"
            time.sleep(0.02)


def _cluster_arguments(port: int, folder: Path) -> list[str]:
    bus = ["--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--cluster-config-file", "nodes.conf"]
    return [*_arguments(port, folder), *bus, "--cluster-announce-ip", "127.0.0.1"]


def _arguments(port: int, folder: Path) -> list[str]:
    return ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
