"""The Redis probe by address, against a real server that is paused, killed, and wants a password that changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from switchgear.adapters.redis import RedisUrlProbe
from switchgear.core.errors import OptionError
from switchgear.health.evidence import Polarity
from switchgear.health.probe import ProbeFailed
from tests.integration.adapters.real_server import RealServer
from tests.integration.adapters.redis.server import redis_server
from tests.integration.health.asking import PATIENCE_SECONDS, SECONDS, until_positive, verdict

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """Run a server for one test, which may spoil it."""
    with redis_server(tmp_path) as running:
        yield running


def probe_of(server: RealServer, **who: str) -> RedisUrlProbe:
    """Return a probe that is patient; `who` may be changed later."""
    return RedisUrlProbe(f"redis://127.0.0.1:{server.port}/0", sign_in=lambda: who, timeout=PATIENCE_SECONDS)


async def test_it_leaves_no_connection_and_one_key(server: RealServer) -> None:
    """Each question has a connection of its own, which is closed afterwards; the key is the same each time."""
    probe = probe_of(server)
    with redis.Redis(port=server.port) as admin:
        for _ in range(3):
            assert await probe() == "answers, and a key that was written reads back"
        assert len(admin.keys()) == 1
        assert len(admin.client_list()) == 1


async def test_silence_is_absent_and_over_when_the_server_is_back(server: RealServer) -> None:
    """Paused or killed, nothing came back."""
    probe = RedisUrlProbe(f"redis://127.0.0.1:{server.port}/0", timeout=SECONDS)
    await until_positive(probe)
    server.pause()
    assert await verdict(probe) is Polarity.ABSENT
    server.resume()
    await until_positive(probe)
    server.kill()
    assert await verdict(probe) is Polarity.ABSENT
    server.start()
    await until_positive(probe)


async def test_a_new_password_is_taken_up(server: RealServer) -> None:
    """It is asked for each time, and a wrong one is a no that does not show it."""
    who = {"password": "first"}
    probe = RedisUrlProbe(f"redis://127.0.0.1:{server.port}/0", sign_in=lambda: who, timeout=PATIENCE_SECONDS)
    with redis.Redis(port=server.port) as admin:
        admin.config_set("requirepass", "second")
    with pytest.raises(ProbeFailed) as refused:
        await probe()
    assert "first" not in refused.value.detail
    who["password"] = "second"
    assert await probe()


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", "redis://127.0.0.1/0?socket_timeout=x"])
def test_an_address_that_cannot_work_is_refused_at_birth(url: str) -> None:
    """Whoever wrote it learns what to write."""
    with pytest.raises(OptionError, match="write for example"):
        RedisUrlProbe(url)
