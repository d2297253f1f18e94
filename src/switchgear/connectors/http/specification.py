"""What a configuration declares of an HTTP remote and of each tool that reaches it. Plain data, checked at birth."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from switchgear.adapters.http_outcomes import OVERLOADED_STATUSES
from switchgear.connectors.credentials import HeaderValue, PerTenant, is_header_value
from switchgear.connectors.http.template import PathTemplate
from switchgear.core.errors import OptionError

Standing = Literal["succeeded", "not_applied", "in_doubt", "redirect"]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
METHODS: tuple[Method, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ABOUT = "about"
"""The name that stands for the idempotency key of the action that a request looks up or undoes."""
BODYLESS = frozenset({"GET", "HEAD", "DELETE"})

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "te", "upgrade"})
_BY_CLASS: dict[str, Standing] = {
    "2xx": "succeeded",
    "3xx": "redirect",
    "4xx": "not_applied",
    "5xx": "in_doubt",
}
_STATUSES = range(200, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Which status means what. Each list holds statuses (409) and classes (``"5xx"``); a status beats a class.

    What is not listed keeps its default: 2xx succeeded, 4xx not applied, 5xx in doubt, 3xx denied as egress.
    `retryable` lists the not-applied statuses after which another attempt may help.
    """

    succeeded: tuple[int | str, ...] = ()
    not_applied: tuple[int | str, ...] = ()
    in_doubt: tuple[int | str, ...] = ()
    retryable: tuple[int | str, ...] = OVERLOADED_STATUSES
    _table: dict[int | str, Standing] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the statuses and make the table."""
        table: dict[int | str, Standing] = {}
        for name in ("succeeded", "not_applied", "in_doubt"):
            for status in _checked(name, getattr(self, name)):
                if status in table:
                    raise OptionError(f"outcomes: {status} stands in both {table[status]} and {name}; keep one")
                table[status] = name
        object.__setattr__(self, "_table", _BY_CLASS | table)
        for status in _checked("retryable", self.retryable):
            if self._of(status) != "not_applied" and self.retryable != OVERLOADED_STATUSES:
                raise OptionError(f"outcomes: {status} is retryable but not not_applied; list it there too")

    def standing(self, status: int) -> Standing:
        """Return what a status (100 to 599) means."""
        return self._of(status)

    def is_retryable(self, status: int) -> bool:
        """Whether another attempt may help after this not-applied status."""
        return status in self.retryable or f"{status // 100}xx" in self.retryable

    def _of(self, status: int | str) -> Standing:
        by_class = status if isinstance(status, str) else f"{status // 100}xx"
        return self._table.get(status) or self._table.get(by_class, "in_doubt")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConnection:
    """A remote.

    `hosts` are the only hosts that are ever connected to; empty means the host of `base_url`. Names that lead to
    private, loopback or link-local addresses are refused unless `private_addresses`; an address written out in
    `base_url`, and ``localhost`` on loopback, are taken as meant. `connect_timeout` is in seconds.
    """

    name: str
    base_url: str
    hosts: tuple[str, ...] = ()
    headers: Mapping[str, HeaderValue] = field(default_factory=dict, repr=False)
    private_addresses: bool = False
    response_bytes_max: int = 1_048_576
    connections_max: int = 100
    connect_timeout: float = 5.0
    _base: SplitResult = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the address, the hosts, the headers and the bounds."""
        base = _split("base_url", self.base_url)
        object.__setattr__(self, "_base", base)
        hosts = self.hosts or (base.hostname or "",)
        object.__setattr__(self, "hosts", tuple(_host(host) for host in hosts))
        _check_headers(self.headers)
        if not self.allows(base.hostname or ""):
            raise OptionError(f"hosts must list {base.hostname!r}, the host of base_url")
        if min(self.response_bytes_max, self.connections_max) < 1 or not 0 < self.connect_timeout < float("inf"):
            raise OptionError("response_bytes_max, connections_max and connect_timeout must be above 0")

    def allows(self, host: str) -> bool:
        """Whether `host` is on the allow-list."""
        return host.lower().rstrip(".") in self.hosts

    def url(self, operation: HttpOperation, path: str) -> str:
        """Return the full URL of a filled path of `operation`."""
        if operation.origin:
            return operation.origin + path
        return f"{self._base.scheme}://{self._base.netloc}{self._base.path.rstrip('/')}{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOperation:
    """How one tool becomes one request.

    `path` starts with ``/``, or is a full URL on a host of the connection's list. Arguments not taken by the path
    go where `query` and `body` say: `query` None means "all the rest" when there is no body, else none; `body`
    ``"json"`` is the rest as a JSON object, a tuple names its members. `idempotency_header` carries the intent's
    key, None sends none. `result` ``"auto"`` reads JSON where the answer says so, else text.
    """

    method: Method
    path: str
    query: tuple[str, ...] | None = None
    body: Literal["json", "none"] | tuple[str, ...] | None = None
    headers: Mapping[str, HeaderValue] = field(default_factory=dict, repr=False)
    idempotency_header: str | None = None
    outcomes: Outcomes = field(default_factory=Outcomes)
    result: Literal["auto", "json", "text", "none"] = "auto"
    origin: str = field(init=False)
    template: PathTemplate = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the parts and take the path apart."""
        if self.method not in METHODS:
            raise OptionError(f"method {self.method!r} is not one of {', '.join(METHODS)}")
        origin, path = _origin(self.path)
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "template", PathTemplate(path))
        if self.body is None:
            object.__setattr__(self, "body", "none" if self.method in BODYLESS else "json")
        _check_headers(self.headers)
        if self.idempotency_header is not None:
            _check_headers({self.idempotency_header: "key"})
        self._check_places()

    @property
    def binding(self) -> str:
        """What of a request depends on this operation, in a stable form."""
        return f"{self.method} {self.path} query={self.query} body={self.body} key={self.idempotency_header}"

    @property
    def host(self) -> str | None:
        """The host of a full-URL path, or None when the connection's own is meant."""
        return urlsplit(self.origin).hostname if self.origin else None

    def uses(self, argument: str) -> bool:
        """Whether an argument of this name has a place in the request."""
        rest = self.body == "json" or (self.body == "none" and self.query is None)
        return rest or self.names(argument)

    def names(self, argument: str) -> bool:
        """Whether the path, the query or the body names this argument."""
        return argument in self._named()

    def _named(self) -> tuple[str, ...]:
        body = self.body if isinstance(self.body, tuple) else ()
        return (*self.template.names, *(self.query or ()), *body)

    def _check_places(self) -> None:
        named = self._named()
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise OptionError(f"argument {twice[0]!r} is given two places among path, query and body; keep one")
        if self.body != "none" and self.method in ("GET", "HEAD"):
            raise OptionError(f'a {self.method} request has no body; write body = "none"')


def _checked(name: str, statuses: tuple[int | str, ...]) -> tuple[int | str, ...]:
    for status in statuses:
        known = status in _BY_CLASS if isinstance(status, str) else status in _STATUSES
        if not known:
            raise OptionError(f'outcomes.{name}: {status!r} is no status; write 200 to 599, or "2xx" to "5xx"')
    return statuses


def _split(option: str, url: str) -> SplitResult:
    parts = _parts(url)
    if parts is None or not url.isascii() or any(c <= " " or c in '\\"<>{}' for c in url):
        raise OptionError(f"{option} {url!r} is no address; write http://host or https://host:port/path")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise OptionError(f"{option} holds no user, password, query or fragment; credentials go into headers")
    return parts


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if known else None


def _origin(path: str) -> tuple[str, str]:
    if path.startswith("/") or "://" not in path:
        return "", path
    scheme, _, rest = path.partition("://")
    netloc, slash, tail = rest.partition("/")
    origin = f"{scheme}://{netloc}"
    _split("path", origin)
    return origin, slash + tail


def _host(host: str) -> str:
    name = host.lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", name):
        raise OptionError(f"{host!r} is no host; write a bare name such as api.example.com, without port or *")
    return name


def _check_headers(headers: Mapping[str, HeaderValue]) -> None:
    for name, value in headers.items():
        if not _TOKEN.match(name) or name.lower() in _OURS:
            raise OptionError(f"header {name!r} cannot be set; it is no header name, or Switchgear sets it")
        literals = value.tenants.values() if isinstance(value, PerTenant) else (value,)
        for literal in literals:
            text = literal if isinstance(literal, str) else literal.prefix.rstrip(" ")
            if not is_header_value(text):
                raise OptionError(f"header {name!r} holds characters that a header cannot carry")
