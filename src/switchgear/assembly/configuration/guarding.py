"""Turns the guard tables of the file into the guard's own options, which check themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from switchgear.assembly.configuration.checking import checked
from switchgear.assembly.configuration.problems import Part, Problems, shown
from switchgear.assembly.configuration.sections import GuardTable
from switchgear.core.errors import OptionError
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.timeout import Timeout

_P = TypeVar("_P", Breaker, RateLimit, Bulkhead)

TENANTS = 2
"""Tenants whose calls must have failed before a shared breaker opens, unless a breaker table says otherwise."""
RAMP = 10.0
"""Seconds in which a recovered dependency is loaded again, unless a breaker table says otherwise."""

_STANDARD: dict[str, dict[str, Any]] = {"breaker": {"ramp": RAMP, "tenants": TENANTS}}
_RETRY = "is not the guard's here: the kernel retries, since every attempt is recorded"
_NOT_HERE = {
    "breaker": ("on", "ignore", "thresholds"),
    "rate_limit": ("wait", "bucket", "per_second", "full_level"),
    "bulkhead": ("queue", "max_wait"),
    "tenant_breaker": ("on", "ignore", "thresholds", "tenants"),
    "tenant_rate_limit": ("wait", "bucket", "per_second", "full_level"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardOptions:
    """The options of one dependency's guard; None where there is no such policy.

    `tenant_breaker` and `tenant_rate_limit` are those of the guard that each tenant has of its own beside it.
    """

    timeout: Timeout | None = None
    breaker: Breaker | None = None
    rate_limit: RateLimit | None = None
    bulkhead: Bulkhead | None = None
    tenant_breaker: Breaker | None = None
    tenant_rate_limit: RateLimit | None = None


DEFAULT_GUARD = GuardOptions(
    breaker=Breaker(failure_rate=0.5, minimum_calls=10, window=30.0, cooldown=15.0, ramp=RAMP, tenants=TENANTS),
    bulkhead=Bulkhead(64),
    tenant_breaker=Breaker(failures=5, cooldown=60.0),
)
"""What protects a dependency that the file says nothing about."""


def guard_options(table: Mapping[str, Any] | None, key: Sequence[Part], problems: Problems) -> GuardOptions:
    """Return the options of one guard table; what is wrong with it is added to `problems`."""
    if table is None:
        return DEFAULT_GUARD
    if "retry" in table:
        problems.add((*key, "retry"), _RETRY, "remove it, and write attempts = 3 at the tool")
        table = {name: value for name, value in table.items() if name != "retry"}
    found = checked(GuardTable, table, key, problems)
    if found is None:
        return DEFAULT_GUARD
    default = DEFAULT_GUARD
    return GuardOptions(
        timeout=None if found.timeout is None else Timeout(found.timeout),
        breaker=_policy(Breaker, found.breaker, default.breaker, (*key, "breaker"), problems),
        rate_limit=_policy(RateLimit, found.rate_limit, default.rate_limit, (*key, "rate_limit"), problems),
        bulkhead=_policy(Bulkhead, found.bulkhead, default.bulkhead, (*key, "bulkhead"), problems),
        tenant_breaker=_policy(
            Breaker, found.tenant_breaker, default.tenant_breaker, (*key, "tenant_breaker"), problems
        ),
        tenant_rate_limit=_policy(
            RateLimit, found.tenant_rate_limit, default.tenant_rate_limit, (*key, "tenant_rate_limit"), problems
        ),
    )


def policy_keys(policy: type[Breaker | RateLimit | Bulkhead], name: str) -> list[str]:
    """Return the options of a policy that a file may set."""
    return [option.name for option in fields(policy) if option.init and option.name not in _NOT_HERE[name]]


def _policy(policy: type[_P], value: object, default: _P | None, key: Sequence[Part], problems: Problems) -> _P | None:
    if value is None:
        return default
    if value is False:
        return None
    if not isinstance(value, Mapping):
        problems.add(key, f"must be a table or false, not {shown(value)}")
        return None
    return _built(policy, value, key, problems)


def _required(policy: type[Breaker | RateLimit | Bulkhead]) -> list[str]:
    return [option.name for option in fields(policy) if option.init and option.default is MISSING]


def _built(policy: type[_P], table: Mapping[str, Any], key: Sequence[Part], problems: Problems) -> _P | None:
    known = policy_keys(policy, str(key[-1]))
    unknown = [name for name in table if name not in known]
    for name in unknown:
        problems.unknown((*key, name), known)
    missing = [option for option in _required(policy) if option not in table]
    for option in missing:
        problems.add((*key, option), "is missing", f"write for example {option} = 10")
    if unknown or missing:
        return None
    options: dict[str, Any] = {**_STANDARD.get(str(key[-1]), {}), **table}
    try:
        return policy(**options)
    except OptionError as error:
        problems.add(key, error.message)
    except TypeError:  # an option has a type that the policy cannot compare
        problems.add(key, f"{policy.__name__} cannot be made of these options", f"known are {', '.join(known)}")
    return None
