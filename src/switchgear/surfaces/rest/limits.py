"""The bounds of the REST surface: sizes, counts and times. What happens at a bound stands beside it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from switchgear.core.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class RestLimits:
    """What one server takes on at most. Counts and bytes are whole, times are in seconds; all but `grace` are above 0.

    Raises `OptionError` for a value that cannot work.
    """

    body_limit_bytes: int = 1_048_576
    """A longer request body is refused with PAYLOAD_TOO_LARGE."""
    header_limit_bytes: int = 16_384
    """A longer request head is refused and its connection closed."""
    requests_max: int = 256
    """Requests worked on at once; more are refused with SHED_OVERLOAD. Waits and health do not count."""
    waits_max: int = 512
    """Requests that wait for an outcome at once; more are answered without waiting."""
    waits_tenant_max: int = 128
    """The same, for one tenant, so that none takes all of them."""
    connections_max: int = 1_024
    """Open connections; requests on more are refused with 503."""
    wait_max: float = 60.0
    """The longest wait that ``Prefer: wait`` buys; a longer wish gets this."""
    header_timeout: float = 10.0
    """How long a request's head may take to arrive."""
    body_timeout: float = 10.0
    """How long a request's body may take to arrive."""
    keep_alive: float = 15.0
    """How long an idle connection stays open."""
    grace: float = 10.0
    """How long a stopping server lets work finish. 0 lets none."""

    def __post_init__(self) -> None:
        """Check every bound."""
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                raise OptionError(f"{option.name} must be a number of at least 0, not {value!r}")
            if value == 0 and option.name != "grace":
                raise OptionError(f"{option.name} must be above 0")
            if option.type == "int" and not isinstance(value, int):
                raise OptionError(f"{option.name} must be a whole number, not {value!r}")
