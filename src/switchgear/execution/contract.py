"""What execution asks of a tool and its connector: the contract, one call, its result.

A connector makes one attempt and says what is known of it. It never retries, never decides what doubt means,
never writes the ledger: the kernel does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from switchgear.core.canonical import digest
from switchgear.core.codes import Code
from switchgear.core.deadline import Deadline
from switchgear.core.effects import Effect
from switchgear.core.errors import Invalid, OptionError
from switchgear.core.outcome import Verdict
from switchgear.core.scope import checked_name
from switchgear.health.findings import Confirmed
from switchgear.health.obstacles import Kind, Obstacle
from switchgear.health.permit import Permit
from switchgear.policies.checks import require_count, require_seconds

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool's contract: what it is called, what it does to the world, and its bounds.

    `requires` names the dependencies it needs; the first is the one whose guard it goes through. `timeout` bounds
    one attempt in seconds. `attempts` (at least 1) counts calls; waits between them grow from `backoff_base` to
    `backoff_cap` seconds with full jitter. `lifetime` is how many seconds an intent may stay open when the
    submitter names no deadline. `key_retention` is how long, in seconds, the remote remembers a key. `cost` is
    charged to rate limits and budgets. `arguments_schema` is JSON Schema 2020-12; None accepts any object. `binding`
    says in a stable form what a connector sends where, so that another request is another contract.

    `destructive` marks what deletes or cuts off. `resource` names what it changes, as a template over its arguments
    (``contact/{contact_id}``): writes to one resource are ordered by it. `lookup`, `compensate` and `revert` name
    tools: a read-only one that finds out whether an action in doubt happened, one that undoes it in a saga, one that
    undoes it when its time-box ends. `settle_delay` is how many seconds a lookup waits before "not there" counts.
    """

    name: str
    requires: tuple[str, ...]
    effect: Effect = Effect.OPAQUE
    description: str = ""
    version: str = "1"
    timeout: float = 30.0
    attempts: int = 3
    backoff_base: float = 0.5
    backoff_cap: float = 30.0
    lifetime: float = _DAY
    key_retention: float = _DAY
    cost: int = 1
    arguments_schema: Mapping[str, Any] | None = None
    binding: str = ""
    destructive: bool = False
    resource: str | None = None
    lookup: str | None = None
    settle_delay: float = 5.0
    compensate: str | None = None
    revert: str | None = None
    dependency: str = field(init=False)
    """The dependency whose guard every attempt goes through: the first that it requires."""
    contract: str = field(init=False)
    """Digest of all that a caller or the remote relies on; another digest is another contract."""

    def __post_init__(self) -> None:
        """Check the bounds and fix the contract's digest."""
        self._check()
        facts: dict[str, Any] = {
            "name": self.name,
            "requires": self.requires,
            "effect": str(self.effect),
            "version": self.version,
            "schema": self.arguments_schema,
            "binding": self.binding,
        }
        further: dict[str, Any] = {
            "destructive": self.destructive or None,
            "resource": self.resource,
            "lookup": self.lookup,
            "compensate": self.compensate,
            "revert": self.revert,
        }
        facts |= {name: value for name, value in further.items() if value is not None}
        object.__setattr__(self, "dependency", self.requires[0])
        object.__setattr__(self, "contract", digest(facts))

    def _check(self) -> None:
        requires: object = self.requires
        if isinstance(requires, str) or not requires:
            wanted = requires or "crm"
            raise OptionError(f"tool {self.name!r}: requires names dependencies; write requires=({wanted!r},)")
        for kind, name in (("name", self.name), *(("dependency", name) for name in self.requires)):
            _check_name(kind, name)
        tool = f"tool {self.name!r}:"
        require_count(f"{tool} attempts", self.attempts, write="attempts=3")
        require_count(f"{tool} cost", self.cost, least=0, write="cost=1")
        for kind in ("lookup", "compensate", "revert"):
            if (name := getattr(self, kind)) is not None:
                _check_name(kind, name)
        require_seconds(f"{tool} settle_delay", self.settle_delay, zero=True, write="settle_delay=5.0")
        for option in ("timeout", "backoff_base", "backoff_cap", "lifetime", "key_retention"):
            require_seconds(f"{tool} {option}", getattr(self, option), write=f"{option}=30.0")

    def resource_of(self, arguments: Mapping[str, Any]) -> str | None:
        """Return what an action with these arguments changes; None when the tool names no resource.

        Raises `Invalid` when the template needs an argument that is not there.
        """
        if self.resource is None:
            return None
        try:
            return self.resource.format_map({name: str(value) for name, value in arguments.items()})
        except (KeyError, IndexError, ValueError) as error:
            raise Invalid(f"the resource {self.resource!r} of {self.name} needs {error}", policy="arguments") from None

    @property
    def needs_key(self) -> bool:
        """Whether a submission must carry an idempotency key: everything that can change something must."""
        return self.effect.writes


def _check_name(kind: str, name: object) -> None:
    try:
        checked_name(f"a tool's {kind}", name)
    except Invalid as error:
        raise OptionError(f"{error.message}; not {name!r}") from None


class PermitSource(Protocol):
    """Gives the permits of one attempt."""

    def permit(self, because: Confirmed[Any]) -> Permit:
        """Return the permit of a block that destroys something because of what was confirmed."""

    def check_leaving(self) -> None:
        """Raise `DestructiveBlocked` unless the attempt may still leave."""


class Call(msgspec.Struct, frozen=True):
    """One attempt, as the connector sees it. `idempotency_key` is the same for every attempt of one intent.

    `about` is the idempotency key of the action that this one looks up, reverts or compensates; None for others.
    `permits` is there for attempts of destructive tools, and used by `destructive`.
    """

    intent_id: str
    tool: str
    tenant: str
    account: str
    actor: str
    arguments: Mapping[str, Any]
    idempotency_key: str
    attempt: int
    deadline: Deadline
    trace: str
    purpose: str | None = None
    about: str | None = None
    permits: PermitSource | None = None

    def destructive(self, *, because: Confirmed[Any]) -> Permit:
        """Return the permit for what the tool destroys item by item, for ``with``.

        The gate is asked when the block begins, before each item of ``permit.each(items)``, and by ``permit.check()``:
        every dependency that the tool requires vouches, no kill switch freezes it, and `because` is a `Confirmed` of at
        most 30 seconds. Raises `DestructiveBlocked` when it may not, and always in a tool that is not marked
        ``destructive=True``.
        """
        if self.permits is None:
            raise Obstacle(Kind.UNMARKED, state="missing").refusal(self.tool, 0)
        return self.permits.permit(because)

    def check_leaving(self) -> None:
        """Ask the gate again, for connectors: after a wait for a place or a connection, before the first byte leaves.

        Raises `DestructiveBlocked` for what is destructive and may not leave any more.
        """
        if self.permits is not None:
            self.permits.check_leaving()


class Succeeded(msgspec.Struct, frozen=True):
    """The action is known to have happened. `value` fits into JSON."""

    value: Any = None
    verdict: Verdict = Verdict.SUCCESS


class Refused(msgspec.Struct, frozen=True):
    """The action is known not to have happened: never connected, or a definite refusal.

    `retryable` says whether another attempt may help; `retry_after` is the remote's own wish in seconds. `verdict`
    is what it says about the dependency: a 422 is a SUCCESS of the dependency, a refused connection a FAILURE.
    `of_tenant` says that the remote turned this tenant away, and would not another: its credentials, or its quota.
    """

    code: Code
    message: str
    retryable: bool
    verdict: Verdict
    retry_after: float | None = None
    of_tenant: bool = False


class Uncertain(msgspec.Struct, frozen=True):
    """Something left, and what became of it is not known: timeout, reset, 5xx, an answer that cannot be read."""

    code: Code
    message: str
    verdict: Verdict = Verdict.FAILURE
    retry_after: float | None = None


Result = Succeeded | Refused | Uncertain


class Connector(Protocol):
    """Reaches one kind of remote. Implementations live in `connectors` and must survive concurrent calls."""

    async def execute(self, call: Call) -> Result:
        """Make one attempt within ``call.deadline`` and say what is known of it.

        Only cancellation may be raised; the kernel treats any other exception as `Uncertain`.
        """

    async def close(self) -> None:
        """Release connections. No call is running any more."""
