"""What the command line needs from the floor above: a server that it can start without knowing REST.

Only shapes here; `switchgear.launch` brings the real thing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from switchgear.assembly.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Place:
    """Where to serve, and by which configuration: the one that was checked. None: what the configuration says."""

    configuration: Configuration
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a development token allows. `seconds` is how long it lives, above 0."""

    tenant: str
    accounts: tuple[str, ...]
    actor: str
    permissions: tuple[str, ...]
    seconds: float


class Serve(Protocol):
    """Serves until it is told to stop by a signal; returns the exit code."""

    def __call__(self, place: Place, ready: Callable[[str], None]) -> int:
        """Call `ready` with the base URL once requests are answered."""


class Embed(Protocol):
    """Serves inside the running event loop, for as long as the context lasts. Yields the base URL."""

    def __call__(self, place: Place) -> AbstractAsyncContextManager[str]:
        """Return the context."""


class IssueToken(Protocol):
    """Makes a development token with the key beside the store of a configuration."""

    def __call__(self, configuration: Configuration, grant: Grant) -> str:
        """Return the token; the key is made when there is none yet."""


@dataclass(frozen=True, slots=True)
class Services:
    """All that is handed in."""

    serve: Serve
    embed: Embed
    issue_token: IssueToken
