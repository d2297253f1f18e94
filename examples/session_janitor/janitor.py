"""A janitor that an outage cannot turn into a destroyer. It deletes what is dead on somebody's word, and nothing else.

    python -m examples.session_janitor.janitor /tmp/runner.sock --redis-port 6379

It does what `naive` does, by other rules:

- A record is forgotten because the runner says that the process has ended, not because it does not know it.
- A process is ended because its record says "closed", not because there is no record.
- Neither happens unless Redis and the runner are both known to be well, at that very moment.
- While one of them is not, it does not even look: its loop pauses, and comes back with them.

SIGTERM and Ctrl-C end it between two sessions; the second one ends it at once.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from examples.session_janitor.settings import CLOSED, SESSIONS, Settings, settings_from
from switchgear import Breaker, DestructiveBlocked, Guard, SwitchgearError, Timeout
from switchgear.adapters.redis import RedisProbe, guarded
from switchgear.adapters.unix_socket import AsyncUnixClient
from switchgear.health import (
    Confirmed,
    Dependency,
    DestructiveGate,
    Finding,
    HealthWatch,
    Modes,
    Poller,
    Witness,
)
from switchgear.health.probes import UnixSocketProbe

REDIS, API_SOCKET = "redis", "api_socket"
BOTH = (REDIS, API_SOCKET)
FAILURES_TO_OPEN = 3
REASON_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """What Redis says of a session; None when it says nothing."""

    session: str
    state: str | None


class Dependencies:
    """Redis and the runner: their clients under guards, and a board that calls and probes keep up to date."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; nothing is opened."""
        redis_guard, api_guard = _guard(REDIS, settings), _guard(API_SOCKET, settings)
        self.redis = guarded(_redis(settings), redis_guard)
        self.api = AsyncUnixClient(settings.api_socket, api_guard)
        self._probing = _redis(settings)  # a probe has a client of its own, without a guard
        self.health = HealthWatch()
        redis_probe = RedisProbe(self._probing, timeout=settings.timeout)
        self.health.dependency(_declared(REDIS, settings), guard=redis_guard, probe=redis_probe)
        self.health.dependency(_declared(API_SOCKET, settings), guard=api_guard, probe=_api_probe(settings))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.redis.aclose()
        await self._probing.aclose()


class Janitor:
    """Forgets records of sessions that have ended, and ends processes of sessions that were closed."""

    def __init__(self, dependencies: Dependencies, settings: Settings) -> None:
        """Prepare its witnesses and its gate."""
        board = dependencies.health.board
        self._redis, self._api = dependencies.redis, dependencies.api
        self._runner_says = Witness(API_SOCKET, board, timeout=settings.timeout)
        self._redis_says = Witness(REDIS, board, timeout=settings.timeout)
        self._gate = DestructiveGate(board, reason_max_age=REASON_SECONDS_MAX)

    async def clean(self, poller: Poller) -> None:
        """Clean once. What cannot be asked, or may not be deleted now, waits for a later turn."""
        try:
            for session in await self._records():
                if not poller.is_closed:
                    await self._forget_if_ended(session)
            for session in await self._running():
                if not poller.is_closed:
                    await self._end_if_closed(session)
        except DestructiveBlocked as refusal:
            say(f"held: {refusal}")
        except (OSError, RedisError, SwitchgearError) as error:
            say(f"could not look: {error}")

    async def _forget_if_ended(self, session: str) -> None:
        ended = await self.ended(session)
        if isinstance(ended, Confirmed):
            await self.forget(ended)

    async def _end_if_closed(self, session: str) -> None:
        closed = await self.closed(session)
        if isinstance(closed, Confirmed):
            await self.end(closed)

    async def ended(self, session: str) -> Finding[dict[str, Any]]:
        """Ask the runner whether the process of `session` has ended."""

        def says(reply: dict[str, Any]) -> bool:
            return reply["session"] == session and reply["exists"] is False and isinstance(reply["ended"], str)

        return await self._runner_says.ask(self._state_of, session, says=says)

    async def closed(self, session: str) -> Finding[Record]:
        """Ask Redis whether `session` was closed."""
        return await self._redis_says.ask(self._record_of, session, says=lambda record: record.state == CLOSED)

    async def forget(self, ended: Confirmed[dict[str, Any]]) -> None:
        """Delete the record of a session that has ended. Raises `DestructiveBlocked` when that may not be now."""
        session = ended.value["session"]  # what the reason is about, and nothing else
        with self._gate.destructive("sessions.forget", requires=BOTH, because=ended):
            await _given(self._redis.hdel(SESSIONS, session))
        say(f"forgot {session}")

    async def end(self, closed: Confirmed[Record]) -> None:
        """End the process of a session that was closed. Raises `DestructiveBlocked` when that may not be now."""
        session = closed.value.session
        with self._gate.destructive("sessions.end", requires=BOTH, because=closed):
            await self._api.request({"op": "end", "session": session}, effect="natural")
        say(f"ended {session}")

    async def _records(self) -> list[str]:
        return list(await _given(self._redis.hkeys(SESSIONS)))

    async def _running(self) -> list[str]:
        reply = await self._api.request({"op": "list"}, effect="read_only")
        return list(reply["sessions"])

    async def _state_of(self, session: str) -> dict[str, Any]:
        reply: dict[str, Any] = await self._api.request({"op": "exists", "session": session}, effect="read_only")
        return reply

    async def _record_of(self, session: str) -> Record:
        return Record(session, await _given(self._redis.hget(SESSIONS, session)))


async def run(settings: Settings) -> None:
    """Clean until SIGTERM or Ctrl-C."""
    dependencies = Dependencies(settings)
    janitor = Janitor(dependencies, settings)
    modes = dependencies.health.modes
    poller = modes.register("sessions.clean", depends_on=BOTH, every=settings.every, ramp=settings.ramp)
    async with aclosing(dependencies), dependencies.health:
        _stop_by_signal(modes)
        async for _ in poller:
            await janitor.clean(poller)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def _stop_by_signal(modes: Modes) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        modes.close()  # the loop ends before its next turn, however long its pause would be
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        say("stopping; a second signal ends it at once")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _declared(name: str, settings: Settings) -> Dependency:
    return Dependency(
        name,
        kind="redis" if name == REDIS else "unix_socket",
        critical=True,
        probe_every=settings.probe_every,
        probe_timeout=settings.timeout,
        backoff_max=4 * settings.probe_every,
        freshness=4 * settings.probe_every + settings.timeout,
    )


def _api_probe(settings: Settings) -> UnixSocketProbe:
    return UnixSocketProbe(
        settings.api_socket,
        request={"op": "status"},
        says=lambda answer: answer == {"well": True},
        timeout=settings.timeout,
    )


def _guard(name: str, settings: Settings) -> Guard:
    breaker = Breaker(failures=FAILURES_TO_OPEN, cooldown=settings.probe_every)
    return Guard(name, timeout=Timeout(settings.timeout), breaker=breaker)


def _redis(settings: Settings) -> redis.asyncio.Redis:
    return redis.asyncio.Redis(
        port=settings.redis_port,
        socket_timeout=settings.timeout,
        socket_connect_timeout=settings.timeout,
        decode_responses=True,
    )


async def _given(reply: Any) -> Any:  # noqa: ANN401 - the client types its replies for blocking and async at once
    return await reply


def main(words: Sequence[str]) -> int:
    """Read the words of the command line and run. Who stands where, and when it is looked at again, is in the log."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    asyncio.run(run(settings_from(words)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
