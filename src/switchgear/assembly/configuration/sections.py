"""The settings of the gear itself: one frozen model a section of the file, checked by pydantic, used as they are.

Units: seconds unless the name says otherwise. Adding a key here adds it to the reference page.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from switchgear.execution.shares import Share


class Section(BaseModel):
    """A table of the file: known keys only, of exact types, never changed after loading."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class StoreSettings(Section):
    """Where the ledger and the intents are kept."""

    url: str = Field("sqlite:///switchgear.db", pattern=r"^[a-z][a-z0-9+.-]*://")
    """`sqlite:///relative.db`, `sqlite:////absolute.db`, or `memory://` for what may be lost."""
    backups: str | None = Field(None, min_length=1)
    """The folder that `switchgear ledger backup` writes to. By default `backups` beside the file of the store."""


class ServerSettings(Section):
    """How requests are taken in."""

    host: str = Field("127.0.0.1", min_length=1)
    """The address to listen on."""
    port: int = Field(8420, ge=0, le=65_535)
    """The port to listen on; 0 takes a free one."""
    body_limit_bytes: int = Field(1_048_576, ge=1_024)
    """A longer request body is refused with PAYLOAD_TOO_LARGE."""
    header_limit_bytes: int = Field(16_384, ge=1_024)
    """A longer request head is refused."""
    requests_max: int = Field(256, ge=1)
    """Requests worked on at once; more are refused with SHED_OVERLOAD."""
    waits_max: int = Field(512, ge=1)
    """Requests that wait for an outcome at once."""
    waits_tenant_max: int = Field(128, ge=1)
    """The same, for one tenant."""
    connections_max: int = Field(1_024, ge=1)
    """Open connections."""
    wait_max: float = Field(60.0, gt=0, le=3_600)
    """The longest wait that `Prefer: wait` buys."""
    header_timeout: float = Field(10.0, gt=0)
    """How long a request's head may take to arrive."""
    body_timeout: float = Field(10.0, gt=0)
    """How long a request's body may take to arrive."""
    keep_alive: float = Field(15.0, gt=0)
    """How long an idle connection stays open."""
    documentation: str | None = Field(
        None,
        pattern=r"^https?://[^\s#?]+$",
        json_schema_extra={"write": 'documentation = "https://docs.example.com/switchgear"'},
    )
    """Where the pages of `docs/` are published. The `type` of a problem then is the address of its runbook, such as
    `…/runbooks/circuit-open`. By default it is a name, `urn:switchgear:code:CIRCUIT_OPEN`, for `switchgear explain`."""


class EngineSettings(Section):
    """How much is done at once, and how much may wait."""

    slots: int = Field(512, ge=1, le=10_000)
    """Attempts at once, over all dependencies."""
    queue_max: int = Field(100_000, ge=1)
    """Intents waiting, over all tenants; more are refused with QUEUE_FULL."""
    queue_tenant_max: int = Field(50_000, ge=1)
    """The same, for one tenant."""
    queue_age_max: float = Field(300.0, gt=0)
    """How long a `sheddable` or `sheddable_plus` action may wait in the queue from when it is due; then it is denied
    with QUEUE_EXPIRED."""
    shutdown_grace: float = Field(10.0, ge=0, le=3_600)
    """How long a stopping gear waits for what it has dispatched; what is left then is in doubt."""
    escalate_after: float = Field(900.0, gt=0)
    """How long an action may be in doubt before a person is called."""
    lookups_max: int = Field(5, ge=1, le=100)
    """The most lookups of one action in doubt; after the last a person is called."""


TenantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,127}$")]
"""What a tenant can be called: see `switchgear.core.scope`."""


class TenantTable(Section):
    """What one tenant may take of what leaves the queue."""

    weight: float = Field(default=1.0, ge=0.001, le=1_000)
    """Its part of a dependency that several tenants wait for, against the weights of the others."""
    slots: int | None = Field(default=None, ge=1)
    """The most of its actions at once at one dependency. By default `[limits] tenant_slots`."""
    attempt_rate: float | None = Field(default=None, gt=0)
    """Its attempts a second, over all dependencies. By default `[limits] tenant_attempt_rate`."""


class LimitsSettings(Section):
    """How fast one tenant may submit, and what it may take of what leaves the queue."""

    tenant_rate: float = Field(10_000.0, gt=0)
    """Submissions a second, for each tenant."""
    tenant_burst: float = Field(50_000.0, ge=1)
    """Submissions at once, for each tenant."""
    tenant_slots: int | None = Field(None, ge=1)
    """The most actions of one tenant at once at one dependency. By default as many as the dependency has."""
    tenant_attempt_rate: float | None = Field(None, gt=0)
    """Attempts a second, for each tenant. By default unbounded."""
    tenants: dict[TenantName, TenantTable] = Field(
        {},
        json_schema_extra={"write": "[limits.tenants.NAME], the name as tokens have it: 1 to 128 of A-Za-z0-9._:@/+-"},
    )
    """What is different for a tenant, by its name; see below."""

    def share_of(self, tenant: str | None) -> Share:
        """Return what a tenant may take of what leaves the queue; None stands for one that is not named."""
        named = TenantTable() if tenant is None else self.tenants.get(tenant, TenantTable())
        return Share(
            weight=named.weight,
            slots=self.tenant_slots if named.slots is None else named.slots,
            rate=self.tenant_attempt_rate if named.attempt_rate is None else named.attempt_rate,
        )


class AccessSettings(Section):
    """Whose tokens are taken. Without an issuer, only the development issuer of `--dev` is known."""

    issuer: str | None = Field(None, min_length=1)
    """What a token's `iss` must say."""
    audience: str = Field("switchgear", min_length=1)
    """What a token's `aud` must hold."""
    leeway: float = Field(30.0, ge=0, le=300)
    """Seconds forgiven between clocks."""


class LogSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level written."""
    format: Literal["auto", "json", "console"] = "auto"
    """`json` for machines, `console` for people, `auto` by where it goes."""


class KillSwitchSettings(Section):
    """How kill switches are kept and proven."""

    single_operator: bool = False
    """Whether the one who tripped a switch may release it, and who asked for a destructive action may force it.
    By default another person does."""
    stale_after: float = Field(2.0, gt=0)
    """Where several engines share a store: switches that were not read for so long stop everything."""
    self_probe_every: float = Field(60.0, gt=0)
    """How often a made-up action proves that the switches still stop things."""


class LedgerSettings(Section):
    """How the ledger is signed."""

    key: str | None = Field(None, min_length=1)
    """The file of the private key that signs checkpoints, as `switchgear ledger key` makes it. By default none."""
    checkpoint_entries: int = Field(1_000, ge=1)
    """A chain is signed after so many entries."""
    checkpoint_seconds: float = Field(3_600.0, gt=0)
    """Or after so many seconds, if it has grown."""


class ApprovalTable(Section):
    """A rule about which actions people must approve: those that fit all its keys. The first one that fits counts."""

    name: str = Field(min_length=1, max_length=128, json_schema_extra={"write": 'name = "refunds"'})
    """What people are shown, and the ledger keeps."""
    tool: str = Field("*", min_length=1)
    """The tool, or a pattern such as `crm.*`."""
    connector: str = Field("*", min_length=1)
    """The dependency that carries it out, or a pattern."""
    actor: str = Field("*", min_length=1)
    """Who asks for it, or a pattern such as `agent:*`."""
    effects: list[Literal["read_only", "keyed", "natural", "reconcilable", "opaque"]] | None = Field(
        None, min_length=1, json_schema_extra={"write": 'effects = ["opaque", "reconcilable"]'}
    )
    """Effect classes. By default all."""
    destructive: bool | None = None
    """Whether the tool is marked destructive. By default either."""
    cost_above: int | None = Field(None, ge=0)
    """Only actions that cost more units than this."""
    quorum: int = Field(1, ge=1)
    """How many people must say yes."""
    expires: float = Field(3_600.0, gt=0)
    """For how many seconds the approval is waited for, and may be used, from when it was asked for."""


class BudgetTable(Section):
    """How many units the actions that fit every key given may spend in a period.

    An action costs what its tool's `cost` says. One `[[budgets]]` for each; every one that fits has to cover it.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", json_schema_extra={"write": 'name = "agents"'})
    """What reports and counters call it. Of several with one name the first that names a tenant is that tenant's."""
    limit: int | None = Field(None, ge=0, le=10**15)
    """Units that may be spent in one period, by each tenant. By default there is no limit, and it only counts."""
    period: Literal["hour", "day", "month", "total"] = "month"
    """The calendar period, in UTC, that the limit is for; `total` never begins anew."""
    tenant: str = Field("*", min_length=1)
    """The tenant, or a pattern such as `eu-*`. Each tenant has counters of its own."""
    account: str = Field("*", min_length=1)
    """The account, or a pattern."""
    connector: str = Field("*", min_length=1)
    """The dependency that carries it out, or a pattern."""
    tool: str = Field("*", min_length=1)
    """The tool, or a pattern such as `crm.*`."""
    each: list[Literal["account", "connector", "tool"]] = []
    """What has the limit for itself: `["account"]` gives it to every account. By default all share it."""
    soft: float = Field(0.8, gt=0, le=1)
    """The share of the limit at which the alarm `budget.soft_limit` is raised."""


class RevokeSessionsTable(Section):
    """The request that ends every session of a user. It has no body."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"]
    """The HTTP method."""
    path: str = Field(json_schema_extra={"write": 'path = "/Users/{user_id}/sessions:revoke"'})
    """Added to `base_url`, or a full URL on a host of the connector's list. It holds `{user_id}`."""


class RemoteTable(Section):
    """Something that is reached over HTTP."""

    kind: str
    """This kind of connector."""
    base_url: str = Field(json_schema_extra={"write": 'base_url = "https://api.example.com"'})
    """Where the remote is; paths of tools are added to it."""
    hosts: list[str] = Field(default=[], json_schema_extra={"write": 'hosts = ["api.example.com"]'})
    """The only hosts ever connected to; the host of `base_url` when empty. Redirects are never followed."""
    headers: dict[str, Any] = {}
    """Sent with every request: text, `{ env = "NAME", prefix = "Bearer " }`, `{ file = "path" }`, or
    `{ tenants = { acme = { env = "ACME" } } }`. A tenant that is not listed there is refused."""
    private_addresses: bool = False
    """Whether host names may lead to private addresses. An address written out in `base_url` may."""
    response_limit_bytes: int = Field(1_048_576, ge=1)
    """A longer answer is not read, and the action is in doubt. A value that takes more than 1,048,576 bytes as JSON is
    never recorded: a note stands for it."""
    connections_max: int = Field(100, ge=1)
    """Open connections to one host."""
    guard: dict[str, Any] | None = None
    """The guard of this dependency; see below."""


class HttpConnectorTable(RemoteTable):
    """A remote that tools reach over HTTP."""

    kind: Literal["http"]
    """This kind of connector."""


class ScimConnectorTable(RemoteTable):
    """A SCIM 2.0 server: an identity provider. Its tools name an `operation`."""

    kind: Literal["scim"]
    """This kind of connector."""
    revoke_sessions: RevokeSessionsTable | None = None
    """The request that ends a user's sessions, which SCIM does not have. Without it there is no such operation."""


class FunctionConnectorTable(Section):
    """Python functions as tools."""

    kind: Literal["function"]
    """This kind of connector."""
    threads_max: int = Field(64, ge=1, le=1_000)
    """Blocking functions at once. Functions with `async def` need no thread."""
    guard: dict[str, Any] | None = None
    """The guard of this dependency; see below."""


class DependencyTable(Section):
    """Something that tools require. With a `kind` its health is known: by what calls say, and by a probe.

    A connector gets both by a table of its name here. A destructive tool runs only while all that it requires is
    healthy by fresh evidence.
    """

    kind: Literal["http", "tcp", "unix_socket", "redis", "nats", "sql", "function", "disk", "memory"] | None = Field(
        None, json_schema_extra={"write": 'kind = "redis"'}
    )
    """What it is; decides what its probe asks. By default its health is not known."""
    critical: bool = False
    """Whether people must be told at once when it fails."""
    down_after: int = Field(3, ge=1, le=100)
    """Observations in a row without a right answer that make it unhealthy."""
    up_after: int = Field(2, ge=2, le=100)
    """Right answers in a row that make it healthy."""
    freshness: float = Field(30.0, gt=0)
    """After so long a right answer says nothing any more. Longer than a probe may come late."""
    probe_every: float = Field(10.0, gt=0)
    """The time between probes."""
    probe_timeout: float = Field(2.0, gt=0)
    """How long a probe may take."""
    backoff_max: float = Field(60.0, gt=0)
    """The most between probes while it is unhealthy."""
    jitter: float = Field(0.1, ge=0, lt=1)
    """The share by which the time between probes varies."""
    degraded_after: float | None = Field(None, gt=0)
    """A right answer that took longer counts as slow. By default slowness does not count."""
    degraded_rate: float = Field(0.3, gt=0, le=1)
    """The share of slow or missing answers among the latest ten that makes it degraded."""
    flap_changes: int = Field(6, ge=1, le=100)
    """So many changes of state within `flap_window` are not flapping yet."""
    flap_window: float = Field(300.0, gt=0)
    """What `flap_changes` are counted in."""
    probe: dict[str, Any] | Literal[False] | None = Field(None, json_schema_extra={"write": "probe = false"})
    """What its probe asks; see below. `false`: only calls say how it stands, and without calls nothing is known."""
    guard: dict[str, Any] | None = None
    """Its guard; see below."""


class GuardTable(Section):
    """How a dependency is protected. What is given replaces the default as a whole; `false` switches a policy off."""

    timeout: float | None = Field(None, gt=0)
    """The most seconds of one attempt, also when a tool would allow more."""
    breaker: Any = None
    """Options of the breaker, such as `{ failure_rate = 0.5, minimum_calls = 10, window = 30.0, cooldown = 15.0 }`."""
    rate_limit: Any = None
    """Options of the rate limit, such as `{ limit = 10, per = 1.0, burst = 20 }`. None by default."""
    bulkhead: Any = None
    """Attempts at once, such as `{ limit = 32 }`."""
    tenant_breaker: Any = None
    """Options of a breaker that each tenant has of its own. It counts only what is the tenant's: refused credentials
    and used-up quota (401, 403, 429). While it is open, only that tenant waits."""
    tenant_rate_limit: Any = None
    """Options of a rate limit that each tenant has of its own, such as `{ limit = 10 }`. None by default."""


class OutcomesTable(Section):
    """Which status means what: statuses, and classes such as `"5xx"`. A status beats a class."""

    succeeded: list[int | str] = Field(default=[], json_schema_extra={"write": 'succeeded = [200, "2xx"]'})
    """It happened. By default 2xx."""
    not_applied: list[int | str] = Field(default=[], json_schema_extra={"write": 'not_applied = [409, "4xx"]'})
    """It did not happen. By default 4xx."""
    in_doubt: list[int | str] = Field(default=[], json_schema_extra={"write": 'in_doubt = [502, "5xx"]'})
    """It may have happened. By default 5xx."""
    retryable: list[int | str] = Field(default=[408, 425, 429], json_schema_extra={"write": "retryable = [429]"})
    """Not-applied statuses after which another attempt may help."""


class ToolTable(Section):
    """A tool: an operation of an HTTP or SCIM connector, or a Python function."""

    connector: str | None = None
    """The connector that makes its attempts. May be left out for a function."""
    description: str = ""
    """What it does, for people and agents."""
    effect: Literal["read_only", "keyed", "natural", "reconcilable", "opaque"] = "opaque"
    """What running it twice would do; decides what happens in doubt. `keyed`: the remote honours our key."""
    requires: list[str] = Field(default=[], json_schema_extra={"write": 'requires = ["crm"]'})
    """Dependencies it needs. The connector is always the first of them: its attempts go through the guard of the first,
    and what comes of them is evidence of its health alone. For a function without a connector that is the first that
    is named here, by default the part of the tool's name before the first dot."""
    arguments: dict[str, Any] | None = None
    """JSON Schema 2020-12 of its arguments. By default a function's signature; any object for HTTP."""
    version: str = Field("1", json_schema_extra={"write": 'version = "1"'})
    """Change it when the meaning changes: another version is another contract."""
    timeout: float | None = Field(None, gt=0)
    """The most seconds of one attempt; by default `[timeouts] "intent.execute"`."""
    attempts: int = Field(3, ge=1, le=100)
    """The most calls, the first one included."""
    backoff_base: float = Field(0.5, gt=0)
    """The longest wait before the second call; it doubles from there, with full jitter."""
    backoff_cap: float = Field(30.0, gt=0)
    """The longest wait between calls."""
    lifetime: float = Field(86_400.0, gt=0)
    """How long an intent may stay open when its submitter sets no deadline."""
    key_retention: float = Field(86_400.0, gt=0)
    """How long the remote remembers an idempotency key."""
    cost: int = Field(1, ge=0)
    """What an attempt takes from rate limits."""
    destructive: bool = False
    """Whether it deletes or cuts off."""
    resource: str | None = Field(None, min_length=1, json_schema_extra={"write": 'resource = "contact/{contact_id}"'})
    """What it changes, with names of arguments. A `natural` action in doubt runs again only while no later action has
    touched the same resource."""
    lookup: str | None = Field(None, json_schema_extra={"write": 'lookup = "crm.find_order"'})
    """The read-only tool of this file that finds out whether an action in doubt happened. It gets the same arguments;
    in its path or query, `{about}` or `about` is the key that the remote got."""
    settle_delay: float = Field(5.0, ge=0)
    """How long a lookup waits before "not there" counts."""
    compensate: str | None = Field(None, json_schema_extra={"write": 'compensate = "crm.cancel_order"'})
    """The tool that undoes it when a later step of a saga fails."""
    revert: str | None = Field(None, json_schema_extra={"write": 'revert = "idp.restore"'})
    """The tool of this file that undoes it when its time-box ends. It gets the same arguments, and `prior` and `now`
    of its value."""
    function: str | None = None
    """`"module:function"`, called as `function(call, **arguments)`. Modules beside this file are found."""
    operation: Literal["lookup_user", "deactivate", "restore", "revoke_sessions"] | None = None
    """What a SCIM connector is to do. It brings its own effect and arguments."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] | None = None
    """The HTTP method."""
    path: str | None = None
    """`/contacts/{contact_id}`: arguments fill the names. Or a full URL on a host of the connector's list."""
    query: list[str] | None = None
    """Arguments that go into the query. By default all the rest when there is no body, else none."""
    body: Literal["json", "none"] | list[str] | None = Field(
        None, json_schema_extra={"write": 'body = "json", body = "none", or body = ["email"]'}
    )
    """`json`: the rest of the arguments; a list: these. By default `json` for POST, PUT and PATCH."""
    headers: dict[str, Any] = {}
    """Further headers, as at the connector."""
    idempotency_header: str | Literal[False] | None = Field(
        None, json_schema_extra={"write": 'idempotency_header = "Idempotency-Key", or false'}
    )
    """The header that carries the key. By default `Idempotency-Key` for `keyed`, else none."""
    outcomes: OutcomesTable = OutcomesTable()
    """Which status means what."""
    result: Literal["auto", "json", "text", "none"] = "auto"
    """How the answer is read. `auto`: JSON when it says so, else text."""


HTTP_ONLY = ("method", "path", "query", "body", "headers", "idempotency_header", "outcomes", "result")
"""Keys of a tool that mean something for an HTTP connector alone."""

SCIM_BRINGS = ("effect", "arguments", "function", "resource")
"""Keys of a tool that a SCIM operation leaves no choice in."""
