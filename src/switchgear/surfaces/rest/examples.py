"""An example of each request, for the OpenAPI document and the reference page.

Every operation has one that its own parameters and body accept: a test holds them together. Ids stand for those that
earlier answers gave.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from switchgear.surfaces.rest.operation import Header, Operation
from switchgear.surfaces.rest.queries import Query, Word

_INTENT = "int_0190b6f0c3d17e2aa1b2c3d4e5f60718"
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_WITHDREW = {"reason": "the customer withdrew"}
_DEFAULT_ADDRESS = "http://127.0.0.1:8420"
_AUTHORIZED = '-H "Authorization: Bearer $(cat switchgear.token)"'

WORDS: Mapping[str, str] = {
    "intent_id": _INTENT,
    "saga_id": "sga_0190b6f0c3d17e2aa1b2c3d4e5f60719",
    "time_box_id": _INTENT,
    "tool": "crm.place_order",
    "name": "crm",
    "target": "tool:crm.place_order",
}
"""What stands for the words of a path."""
HEADERS: Mapping[str, str] = {"Idempotency-Key": '"order-17"'}
"""Headers that an example carries where the operation knows them."""
QUERIES: Mapping[str, Mapping[str, str]] = {
    "listIntents": {"state": "in_doubt"},
    "showIntentByKey": {"tool": "crm.place_order", "key": "order-17"},
    "listDeadLetters": {"tool": "crm.place_order"},
    "listSagas": {"state": "stuck"},
    "reportSpending": {"by": "account,tool"},
    "listLedger": {"after": "100", "limit": "50"},
    "listIntentEvents": {"limit": "50"},
    "listSagaEvents": {"limit": "50"},
    "listTimeBoxEvents": {"limit": "50"},
    "showArchivable": {"before": "100000"},
    "exportSegment": {"last_seq": "99871"},
}
"""What is asked of an operation; nothing where it needs nothing."""
BODIES: Mapping[str, Mapping[str, Any]] = {
    "submitIntent": {"tool": "crm.place_order", "arguments": {"contact_id": "7", "amount": 20}},
    "cancelIntent": _WITHDREW,
    "approveIntent": {"digest": _DIGEST},
    "rejectIntent": {"reason": "the amount is too high"},
    "withdrawApproval": {"reason": "approved by mistake"},
    "resolveIntent": {"verdict": "applied", "evidence": "the order is in the shop's list, number 4711"},
    "forceIntent": {"reason": "seen at the remote: it is well", "seconds": 300},
    "requeueDeadLetters": {"tool": "crm.place_order", "per_second": 5},
    "discardDeadLetter": {"reason": "placed by telephone"},
    "replayIntent": {"mode": "verify", "reason": "asked by the auditor"},
    "replayIntents": {"mode": "verify", "reason": "asked by the auditor", "tool": "crm.place_order"},
    "submitSaga": {
        "steps": [
            {"tool": "crm.reserve", "name": "reserve", "arguments": {"item": "7"}},
            {"tool": "crm.place_order", "arguments": {"contact_id": {"$step": "reserve", "path": "id"}}},
        ]
    },
    "cancelSaga": _WITHDREW,
    "resumeSaga": {"how": "done", "reason": "cancelled by telephone"},
    "revertTimeBox": {"reason": "the account is clean"},
    "extendTimeBox": {"seconds": 3600, "reason": "still under investigation"},
    "closeTimeBox": {"reason": "the account is deleted"},
    "acceptTool": {"contract": _DIGEST},
    "tripKillSwitch": {"mode": "stop_new", "reason": "orders are placed twice"},
    "releaseKillSwitch": {"reason": "the shop is mended"},
    "signLedger": {},
    "archiveLedger": {"last_seq": 99871, "hash": _DIGEST, "sha256": _DIGEST},
    "eraseIntent": {"reason": "request 17 of the data subject"},
    "makeBackup": {},
    "thawLedger": {"since": 1795251600, "reason": "disk lost, restored from 09:00"},
}
"""The body of every operation that takes one."""


def curl_example(operation: Operation) -> str:
    """Return the example of an operation as a command line, with the token that `switchgear token --save` wrote."""
    asked = QUERIES.get(operation.id, {})
    path = operation.path.format_map({name: quote(word, safe=":") for name, word in WORDS.items()})
    query = f"?{urlencode(asked, safe=',')}" if asked else ""
    return " \\\n  ".join(_parts(operation, shlex.quote(f"{_DEFAULT_ADDRESS}{path}{query}")))


def needed(one: Query | Header) -> bool:
    """Return whether a request has to carry this parameter."""
    return isinstance(one, Word | Header) and one.needed


def _parts(operation: Operation, url: str) -> Iterator[str]:
    method = "" if operation.method == "GET" or _posts(operation) else f"-X {operation.method} "
    yield f"curl {method}{_AUTHORIZED}"
    for header in operation.headers:
        if header.name in HEADERS:
            yield f"-H {shlex.quote(f'{header.name}: {HEADERS[header.name]}')}"
    if operation.body is None:
        yield url
        return
    yield f"-H 'Content-Type: application/json' {url}"
    yield f"-d {shlex.quote(json.dumps(BODIES[operation.id]))}"


def _posts(operation: Operation) -> bool:
    """Return whether curl takes a POST from what it sends."""
    return operation.method == "POST" and operation.body is not None
