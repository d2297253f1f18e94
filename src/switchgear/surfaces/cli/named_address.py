"""The address that somebody gave with ``--url``: what can be used of it, and what to write instead where nothing can.

It reads text only. Whether a server answers there is for `reaching` to say.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from switchgear.surfaces.cli.address import DEFAULT_HOST, DEFAULT_PORT, USUAL_URL, is_loopback
from switchgear.surfaces.cli.failures import CommandFailure, failure_of_usage

API = "/v1"
"""Where the API begins, below the address of a server."""
_SCHEMES = ("http", "https")
_SHOWN_MAX = 200
_PORT_MAX = 65_535
_HOST = re.compile(r"[^\s\ud800-\udfff\x00-\x20\x7f/?#@\\\[\]:%<>\"^`{|}]+")
_LIKELY_HOST = re.compile(r"localhost|(?=.{3,253}$)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_BEGINNING = re.compile(r"(?:(https?|wss?|ftp|file):)?/*(.*)", re.DOTALL)
_ONLY_PORT = re.compile(r":?([0-9]+)")
_FOUR_DIGITS = re.compile(r"[0-9]{4,5}")
"""What is a port rather than the last group of an IPv6 address, where nothing tells them apart."""
_DIGITS_MAX = 5
_IPV6 = 6


def checked_address(given: str) -> str:
    """Return the address of a server that `given` names: scheme, host, port and the path that it is mounted at.

    A slash at the end, and ``/v1`` where the API begins, are left out. Raises `CommandFailure` (USAGE) that says what
    to write for anything else.
    """
    text = given.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _unusable(given, text) from None
    if parts.scheme not in _SCHEMES or not _is_host(parts) or port == 0:
        raise _unusable(given, text)
    host = f"{_bracketed(parts.hostname or '')}{'' if port is None else f':{port}'}"
    base = f"{parts.scheme}://{host}{parts.path}".removesuffix(API).rstrip("/")
    if parts.username is not None or parts.query or parts.fragment:
        words = "the address has a name, a password, a query or a fragment, which no server has"
        raise failure_of_usage(words, advice=f"Write --url {base}; a token goes into --token or SWITCHGEAR_TOKEN.")
    return base


def _is_host(parts: SplitResult) -> bool:
    """Return whether there is a host that can be looked up; one with a colon was in brackets."""
    host = parts.hostname or ""
    return _is_ipv6(host) if ":" in host else _HOST.fullmatch(host) is not None


def _unusable(given: str, text: str) -> CommandFailure:
    safe = given.rpartition("@")[2]  # before it a password may stand
    shown = safe if len(safe) <= _SHOWN_MAX else f"{safe[:_SHOWN_MAX]}…"
    return failure_of_usage(f"{shown!r} is no address of a server", advice=f"Write --url {_meant(text)}")


def _meant(text: str) -> str:
    """Return what was probably meant: a port of this machine, a host without its scheme, an IPv6 without brackets."""
    begun = _BEGINNING.fullmatch(text)
    assert begun is not None  # it fits every text
    scheme, rest = begun.groups()
    place = rest.partition("/")[0].rpartition("@")[2]
    if (port := _ONLY_PORT.fullmatch(place)) and _is_port(port[1]):
        return f"http://{DEFAULT_HOST}:{port[1]}"
    host, port_text = _split(place)
    if not _is_ipv6(host) and not _LIKELY_HOST.fullmatch(host):
        return USUAL_URL
    usual = "http" if is_loopback(host) else "https"
    port_end = f":{port_text}" if _is_port(port_text) else _usual_port(host, port_text)
    return f"{scheme if scheme in _SCHEMES else usual}://{_bracketed(host)}{port_end}"


def _usual_port(host: str, given: str) -> str:
    """Return what stands for a port that is none: on this machine the usual one, elsewhere that of the scheme."""
    return f":{DEFAULT_PORT}" if given and is_loopback(host) else ""


def _split(place: str) -> tuple[str, str]:
    """Return host and port of what stands between scheme and path; an IPv6 address may lack its brackets."""
    host, _, port = place.rpartition(":")
    if _is_ipv6(host.strip("[]")) and _FOUR_DIGITS.fullmatch(port):
        return host.strip("[]"), port
    if _is_ipv6(place.strip("[]")):
        return place.strip("[]"), ""
    host, _, port = place.partition(":")
    return host, port


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX and 0 < int(text) <= _PORT_MAX


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == _IPV6
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
