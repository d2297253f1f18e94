"""The closed enumeration of failure codes and what each one means to a caller.

Every refusal and failure of Switchgear carries exactly one of these codes. The table `FACTS` is the single
source for HTTP statuses, exit codes and advice; the reference page is generated from it. This module decides
nothing: it only names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal

Decision = Literal["reject", "defer"]


class Code(StrEnum):
    """A stable failure code. Members are never renamed or removed once released."""

    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    RATE_LIMITED_GLOBAL = "RATE_LIMITED_GLOBAL"
    RATE_LIMITED_TENANT = "RATE_LIMITED_TENANT"
    RATE_LIMITED_CONNECTOR = "RATE_LIMITED_CONNECTOR"
    RATE_LIMITED_TOOL = "RATE_LIMITED_TOOL"
    QUEUE_FULL = "QUEUE_FULL"
    QUEUE_EXPIRED = "QUEUE_EXPIRED"
    BULKHEAD_FULL = "BULKHEAD_FULL"
    SHED_OVERLOAD = "SHED_OVERLOAD"
    RETRY_EXHAUSTED = "RETRY_EXHAUSTED"
    RETRY_BUDGET_EMPTY = "RETRY_BUDGET_EMPTY"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    TIMEOUT_NATS_CONNECT = "TIMEOUT_NATS_CONNECT"
    TIMEOUT_KV_GET = "TIMEOUT_KV_GET"
    TIMEOUT_KV_PUT = "TIMEOUT_KV_PUT"
    TIMEOUT_STREAM_ENSURE = "TIMEOUT_STREAM_ENSURE"
    TIMEOUT_PUBLISH = "TIMEOUT_PUBLISH"
    TIMEOUT_SUBSCRIBE = "TIMEOUT_SUBSCRIBE"
    TIMEOUT_REQUEST = "TIMEOUT_REQUEST"
    TIMEOUT_CONSUME = "TIMEOUT_CONSUME"
    TIMEOUT_UNIX_CONNECT = "TIMEOUT_UNIX_CONNECT"
    TIMEOUT_UNIX_REQUEST = "TIMEOUT_UNIX_REQUEST"
    TIMEOUT_MCP_REQUEST = "TIMEOUT_MCP_REQUEST"
    TIMEOUT_INTENT_EXECUTE = "TIMEOUT_INTENT_EXECUTE"
    TIMEOUT_REVERT = "TIMEOUT_REVERT"
    TIMEOUT_HTTP_CONNECT = "TIMEOUT_HTTP_CONNECT"
    TIMEOUT_JOURNAL_APPEND = "TIMEOUT_JOURNAL_APPEND"
    TIMEOUT_JOURNAL_READ = "TIMEOUT_JOURNAL_READ"
    DEPENDENCY_UNHEALTHY = "DEPENDENCY_UNHEALTHY"
    DEPENDENCY_UNKNOWN = "DEPENDENCY_UNKNOWN"
    DEPENDENCY_FAILED = "DEPENDENCY_FAILED"
    DESTRUCTIVE_BLOCKED = "DESTRUCTIVE_BLOCKED"
    KILL_SWITCH_ACTIVE = "KILL_SWITCH_ACTIVE"
    KILL_SWITCH_UNREADABLE = "KILL_SWITCH_UNREADABLE"
    RESTORE_PENDING = "RESTORE_PENDING"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    APPROVAL_REJECTED = "APPROVAL_REJECTED"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    APPROVAL_STALE = "APPROVAL_STALE"
    IDEMPOTENCY_KEY_REQUIRED = "IDEMPOTENCY_KEY_REQUIRED"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
    IN_DOUBT = "IN_DOUBT"
    CANCELLED = "CANCELLED"
    ILLEGAL_TRANSITION = "ILLEGAL_TRANSITION"
    LEDGER_UNAVAILABLE = "LEDGER_UNAVAILABLE"
    LEDGER_CORRUPT = "LEDGER_CORRUPT"
    STORE_IN_USE = "STORE_IN_USE"
    TENANT_UNAUTHENTICATED = "TENANT_UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    NOT_FOUND = "NOT_FOUND"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    INVALID_CONFIGURATION = "INVALID_CONFIGURATION"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    TOOL_CHANGED = "TOOL_CHANGED"
    TOOL_UNREGISTERED = "TOOL_UNREGISTERED"
    TOOL_FAILED = "TOOL_FAILED"
    CHANGED_MEANWHILE = "CHANGED_MEANWHILE"
    EGRESS_DENIED = "EGRESS_DENIED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    INTERNAL = "INTERNAL"


class ExitCode(IntEnum):
    """Exit codes of the command line. Zero is success; each other value names one kind of failure."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    ACCESS = 4
    TRY_LATER = 5
    REFUSED = 6
    CONFLICT = 7
    IN_DOUBT = 8
    TIMEOUT = 9
    VERIFY_FAILED = 10
    UNAVAILABLE = 11


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """One row of the code table.

    `decision` is ``"defer"`` when the same request may succeed later without being changed, else ``"reject"``.
    `http_status` is 400 to 599. `advice` is one sentence: what to do next.
    """

    meaning: str
    decision: Decision
    http_status: int
    exit_code: ExitCode
    advice: str


def _reject(meaning: str, status: int, exit_code: ExitCode, advice: str) -> CodeFacts:
    return CodeFacts(meaning, "reject", status, exit_code, advice)


def _defer(meaning: str, status: int, advice: str, exit_code: ExitCode = ExitCode.TRY_LATER) -> CodeFacts:
    return CodeFacts(meaning, "defer", status, exit_code, advice)


def _timeout(operation: str) -> CodeFacts:
    return CodeFacts(
        f"The operation {operation} did not finish in its time.",
        "defer",
        504,
        ExitCode.TIMEOUT,
        f'Look at the dependency behind it; the limit is set by [timeouts] "{operation}".',
    )


FACTS: dict[Code, CodeFacts] = {
    Code.CIRCUIT_OPEN: _defer(
        "The breaker of this dependency is open; nothing was sent.",
        503,
        "Wait for retry_after; the breaker closes by itself once probes succeed.",
    ),
    Code.RATE_LIMITED_GLOBAL: _defer(
        "The limit over all tenants is used up.", 429, "Wait for retry_after, or raise the global limit."
    ),
    Code.RATE_LIMITED_TENANT: _defer(
        "The tenant's own limit is used up.",
        429,
        "Wait for retry_after, or ask for a higher limit: `tenant_rate` in [limits].",
    ),
    Code.RATE_LIMITED_CONNECTOR: _defer(
        "The limit of this dependency is used up.", 429, "Wait for retry_after, or send less to it."
    ),
    Code.RATE_LIMITED_TOOL: _defer(
        "The limit of this tool is used up.", 429, "Wait for retry_after, or call the tool less often."
    ),
    Code.QUEUE_FULL: _defer(
        "The queue has reached its maximum.", 503, "Wait for retry_after; look at what drains it too slowly."
    ),
    Code.QUEUE_EXPIRED: _defer(
        "The request waited in the queue longer than allowed.",
        503,
        "Send it again later; an action that was on record has ended, so run it anew or use a new key.",
    ),
    Code.BULKHEAD_FULL: _defer(
        "All places for concurrent calls of this dependency are taken.",
        503,
        "Wait for a running call to end, or raise the bulkhead's limit.",
    ),
    Code.SHED_OVERLOAD: _defer(
        "The call was shed to protect the service under overload.", 503, "Wait for retry_after and send less."
    ),
    Code.RETRY_EXHAUSTED: _reject(
        "Every allowed attempt failed.",
        502,
        ExitCode.FAILED,
        "The last error is the cause: mend that; an action on record is among the dead letters, to be requeued.",
    ),
    Code.RETRY_BUDGET_EMPTY: _defer(
        "The shared retry budget of this dependency is empty.",
        503,
        "Look at why so many calls of it fail; each first attempt that succeeds refills the budget.",
    ),
    Code.DEADLINE_EXCEEDED: CodeFacts(
        "The call did not finish before its deadline.",
        "defer",
        504,
        ExitCode.TIMEOUT,
        "Give it more time, or look at why it is slow; `sent` says whether something may have left.",
    ),
    Code.TIMEOUT_NATS_CONNECT: _timeout("nats.connect"),
    Code.TIMEOUT_KV_GET: _timeout("kv.get"),
    Code.TIMEOUT_KV_PUT: _timeout("kv.put"),
    Code.TIMEOUT_STREAM_ENSURE: _timeout("stream.ensure"),
    Code.TIMEOUT_PUBLISH: _timeout("publish"),
    Code.TIMEOUT_SUBSCRIBE: _timeout("subscribe"),
    Code.TIMEOUT_REQUEST: _timeout("request"),
    Code.TIMEOUT_CONSUME: _timeout("consume"),
    Code.TIMEOUT_UNIX_CONNECT: _timeout("unix.connect"),
    Code.TIMEOUT_UNIX_REQUEST: _timeout("unix.request"),
    Code.TIMEOUT_MCP_REQUEST: _timeout("mcp.request"),
    Code.TIMEOUT_INTENT_EXECUTE: _timeout("intent.execute"),
    Code.TIMEOUT_REVERT: _timeout("revert"),
    Code.TIMEOUT_HTTP_CONNECT: _timeout("http.connect"),
    Code.TIMEOUT_JOURNAL_APPEND: _timeout("journal.append"),
    Code.TIMEOUT_JOURNAL_READ: _timeout("journal.read"),
    Code.DEPENDENCY_UNHEALTHY: _defer(
        "A dependency that this action needs is unhealthy.",
        503,
        "`switchgear dependencies` says why, and when it is looked at again; an action on record goes on by itself.",
    ),
    Code.DEPENDENCY_UNKNOWN: _defer(
        "Nothing fresh is known about a dependency that this action needs.",
        503,
        "Give it a probe, or let a call that reads from it succeed; `switchgear dependencies` says what was seen last.",
    ),
    Code.DEPENDENCY_FAILED: _defer(
        "The dependency answered with a failure.",
        502,
        "Look at the dependency itself; an action on record is repeated by itself where that is safe.",
    ),
    Code.DESTRUCTIVE_BLOCKED: _defer(
        "A destructive action lacks fresh positive evidence.",
        503,
        "Restore the named dependency; never force first.",
    ),
    Code.KILL_SWITCH_ACTIVE: _reject(
        "A kill switch stops this action.",
        423,
        ExitCode.REFUSED,
        "`switchgear kill list` says who tripped it and why: ask them before anybody releases it.",
    ),
    Code.KILL_SWITCH_UNREADABLE: _defer(
        "The kill switches cannot be read, so nothing is started.",
        503,
        "Look at the store's disk and the server's log; what waits goes on once the switches can be read.",
    ),
    Code.RESTORE_PENDING: _defer(
        "The store came from a backup, and nobody has said yet from when on its past may have been executed.",
        503,
        "Compare with the remotes, then run `switchgear ledger thaw --since TIME --reason TEXT`.",
    ),
    Code.BUDGET_EXCEEDED: _defer(
        "The budget of this period is spent.",
        429,
        "Wait for the next period, or raise the budget; without retry_after only a higher budget helps.",
        ExitCode.REFUSED,
    ),
    Code.APPROVAL_REQUIRED: _defer(
        "The action waits for a person's approval.",
        403,
        "Have somebody other than the requester look at it and say `switchgear intents approve`.",
    ),
    Code.APPROVAL_REJECTED: _reject(
        "A person rejected the action.",
        403,
        ExitCode.REFUSED,
        "Read the reason; if a changed action is right, submit that under a new key.",
    ),
    Code.APPROVAL_EXPIRED: _reject(
        "The approval was not given, or not used, in time.",
        403,
        ExitCode.REFUSED,
        "Submit it again under a new key, and have it approved in time.",
    ),
    Code.APPROVAL_STALE: _reject(
        "What was approved has changed since.",
        409,
        ExitCode.CONFLICT,
        "Have the changed action approved again.",
    ),
    Code.IDEMPOTENCY_KEY_REQUIRED: _reject(
        "This tool has an effect, so it needs an idempotency key.",
        400,
        ExitCode.USAGE,
        "Send an Idempotency-Key that is the same for every repeat of this one action.",
    ),
    Code.IDEMPOTENCY_CONFLICT: _reject(
        "The idempotency key was used before with another payload.",
        422,
        ExitCode.CONFLICT,
        "Use a new key for a new action; repeat the first payload to see its outcome.",
    ),
    Code.IDEMPOTENCY_IN_PROGRESS: _defer(
        "The first request with this key is still being accepted.",
        409,
        "Repeat the request in a moment; it will find the first one.",
        ExitCode.CONFLICT,
    ),
    Code.IN_DOUBT: _reject(
        "The action was interrupted after it may have left; whether it happened is not known yet.",
        502,
        ExitCode.IN_DOUBT,
        "Do not repeat it under another key; look at the remote; `switchgear intents resolve` takes what you found.",
    ),
    Code.CANCELLED: _reject(
        "The action was cancelled before it left.",
        409,
        ExitCode.REFUSED,
        "Submit it under a new key if still wanted.",
    ),
    Code.ILLEGAL_TRANSITION: _reject(
        "The intent is in a state that does not allow this.",
        409,
        ExitCode.CONFLICT,
        "Look at how it stands now; it may have moved on meanwhile. Then do what its present state allows.",
    ),
    Code.LEDGER_UNAVAILABLE: _defer(
        "The ledger cannot be written, so nothing is started.",
        503,
        "Look at the disk (space, rights) and the server's log; then repeat with the same key.",
        ExitCode.UNAVAILABLE,
    ),
    Code.LEDGER_CORRUPT: _reject(
        "A record of the ledger does not match its hash or cannot be read.",
        500,
        ExitCode.VERIFY_FAILED,
        "Keep the file as it is; `switchgear ledger verify` names the first bad entry; restore from a backup.",
    ),
    Code.STORE_IN_USE: _reject(
        "Another process owns this store.",
        503,
        ExitCode.UNAVAILABLE,
        "Stop the other engine, or use another file.",
    ),
    Code.TENANT_UNAUTHENTICATED: _reject(
        "No valid token came with the request.",
        401,
        ExitCode.ACCESS,
        "Send `Authorization: Bearer TOKEN`, with a token that is not over and whose issuer this server trusts.",
    ),
    Code.PERMISSION_DENIED: _reject(
        "The token does not allow this.",
        403,
        ExitCode.ACCESS,
        "Ask for the named permission or account; where it takes another person, have that person do it.",
    ),
    Code.NOT_FOUND: _reject(
        "There is no such thing for this tenant.",
        404,
        ExitCode.NOT_FOUND,
        "Check the id or the name, and whose token you use: what belongs to another tenant is not found.",
    ),
    Code.INVALID_ARGUMENT: _reject(
        "The request is not well formed.",
        400,
        ExitCode.USAGE,
        "Correct what the detail names, then send it again.",
    ),
    Code.INVALID_CONFIGURATION: _reject(
        "The configuration is not valid.",
        500,
        ExitCode.USAGE,
        "Correct the key that the message names, then run `switchgear check`.",
    ),
    Code.PAYLOAD_TOO_LARGE: _reject(
        "The request body is larger than allowed.", 413, ExitCode.USAGE, "Send less, or a reference to it."
    ),
    Code.TOOL_CHANGED: _reject(
        "The tool's contract has changed since the intent was accepted.",
        409,
        ExitCode.CONFLICT,
        "Compare it in `switchgear tools`; then `switchgear tools accept` it, or bring the earlier tool back.",
    ),
    Code.TOOL_UNREGISTERED: _defer(
        "The tool of this intent is not registered here.",
        503,
        "Start the server with the configuration or code that has the tool; what is on record waits for it.",
    ),
    Code.CHANGED_MEANWHILE: _reject(
        "Somebody else has changed what was to be changed or put back, so it was left alone.",
        409,
        ExitCode.CONFLICT,
        "Look at it at the remote; a person decides what is right now.",
    ),
    Code.TOOL_FAILED: _reject(
        "The tool or the remote refused the action for good; nothing was changed.",
        502,
        ExitCode.FAILED,
        "Read the error; correct what it names; submit it under a new key.",
    ),
    Code.EGRESS_DENIED: _reject(
        "The connector may not reach this address.",
        403,
        ExitCode.REFUSED,
        "If it may be reached, add it to `hosts` of the connector, then start the server again.",
    ),
    Code.SHUTTING_DOWN: _defer(
        "This process is stopping and takes no new work.", 503, "Send it again with the same key once a server is up."
    ),
    Code.INTERNAL: _reject(
        "A defect in Switchgear itself.",
        500,
        ExitCode.FAILED,
        "Report it with the trace id; repeat with the same key.",
    ),
}
