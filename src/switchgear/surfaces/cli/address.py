"""Where the server is that a command asks, when nobody has named it: what `up` reads, read quickly.

Only `host` and `port` of ``[server]`` are looked at, with their two variables. Checking a configuration is for `check`
and `up`: what cannot be used here is told in a note, and the usual address stands in its place.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8420
USUAL_URL = f"http://{DEFAULT_HOST}:{DEFAULT_PORT}"
URL_VARIABLE = "SWITCHGEAR_URL"
HOST_VARIABLE = "SWITCHGEAR_SERVER_HOST"
PORT_VARIABLE = "SWITCHGEAR_SERVER_PORT"
CONFIGURATION_VARIABLE = "SWITCHGEAR_CONFIG"
CONFIGURATION_FILE = Path("switchgear.toml")
FILE_BYTES_MAX = 4_194_304
"""A longer configuration file is not read, as by `up`."""
_PORT_MAX = 65_535
_DIGITS_MAX = 20
_SHOWN_MAX = 60


class Found(NamedTuple):
    """The address of a server. `note` says why the configuration did not give it, empty where nothing is wrong."""

    url: str
    note: str = ""


class _UnusableError(Exception):
    """What a file or a variable says is no address of a server on this machine. The text says why."""


def usual_address(environment: Mapping[str, str]) -> Found:
    """Return where `up` would serve with the same environment, in the same folder. Raises nothing.

    The file is the one that SWITCHGEAR_CONFIG names, else ``./switchgear.toml``. Host and port are its own, those of
    SWITCHGEAR_SERVER_HOST and SWITCHGEAR_SERVER_PORT if set, and the usual ones where nobody says anything.
    """
    named = environment.get(CONFIGURATION_VARIABLE)
    try:
        server = _server_table(Path(named) if named else CONFIGURATION_FILE, needed=bool(named))
        host = _host(environment.get(HOST_VARIABLE) or server.get("host", DEFAULT_HOST))
        port = _port(environment.get(PORT_VARIABLE) or server.get("port", DEFAULT_PORT))
    except _UnusableError as error:
        return Found(USUAL_URL, f"{error}; asking {USUAL_URL}: name another with --url or {URL_VARIABLE}")
    return Found(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine, by name or address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _server_table(file: Path, *, needed: bool) -> Mapping[str, Any]:
    """Return ``[server]`` of a file; empty without one, or without a file that nobody `needed`."""
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise _UnusableError(f"{file} is longer than {FILE_BYTES_MAX} bytes")
        table = tomllib.loads(content.decode("utf-8").replace("\r\n", "\n")).get("server", {})
    except FileNotFoundError:
        if needed:
            raise _UnusableError(f"there is no file {file}") from None
        return {}
    except OSError as error:
        raise _UnusableError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):  # no TOML, no UTF-8, or too deep
        raise _UnusableError(f"{file} is not TOML; `switchgear check` says where") from None
    if not isinstance(table, Mapping):
        raise _UnusableError(f"server in {file} is no table")
    return table


def _host(given: object) -> str:
    """Return a host on loopback. No file sends a command, and its token, to another machine."""
    if not isinstance(given, str) or not is_loopback(given):
        raise _UnusableError(f"server.host is {_shown(given)}, which is not on loopback")
    return given


def _port(given: object) -> int:
    """Return a port that can be asked: 0 is whichever was free when the server began."""
    port = given
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= _DIGITS_MAX:
        port = int(given)
    if type(port) is not int or not 0 <= port <= _PORT_MAX:
        raise _UnusableError(f"server.port is {_shown(given)}, which is no port")
    if port == 0:
        raise _UnusableError("server.port is 0, which takes a free one")
    return port


def _shown(given: object) -> str:
    return repr(given)[:_SHOWN_MAX]
