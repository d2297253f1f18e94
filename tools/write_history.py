"""Writes the stored history of this release: exports with every event that it records, and the state that they fold to.

Run as `python -m tools.write_history [FOLDER]` before a release, and never again for that release: later ones have to
fold these files to the same state, whatever became of events and intents. The clock, the ids, the key and the salts are
made up, so that the same code writes the same bytes.

Each event of an intent's life is reached by the shortest way through the table of transitions. An event that a fold
cannot take without facts has them in `SAMPLES`; a new one that lacks them stops this tool.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from switchgear.assembly.transitions import TransitionLog
from switchgear.control.ledger_keeping import LedgerKeeping
from switchgear.core.canonical import canonical_json
from switchgear.core.clock import VirtualClock
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.intent import Change, IllegalTransitionError, Intent, evolve
from switchgear.execution.recorder import Birth, Recorder
from switchgear.execution.refold import folded
from switchgear.execution.transitions import TRANSITIONS, Kind, State
from switchgear.ledger.chain import seal
from switchgear.ledger.checkpoints import Checkpointer
from switchgear.ledger.events import EventEncoder
from switchgear.ledger.export import ExportReader, export_lines
from switchgear.ledger.folding import StateHash
from switchgear.ledger.keys import SigningKey
from switchgear.storage.abilities import Entry
from switchgear.storage.memory import MemoryStore

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "histories"
STATE_FILE = "state.json"
KEY = SigningKey("ledger.example.org", bytes(range(32)))
UNFOLDED = frozenset({"version"})
"""Fields that an export does not say: the version counts appends, which it does not name."""

_FOREVER = 4e9
_BREAKER_KINDS = ("opened", "half_opened", "closed")
_DIGEST = hashlib.sha256(canonical_json({"email": "a@b.c"})).hexdigest()
_APPROVAL: Mapping[str, Any] = {
    "rule": "destructive",
    "quorum": 1,
    "digest": _DIGEST,
    "nonce": "n1",
    "expires_at": _FOREVER,
}
_REPLAY = {"requested_by": "user:b", "mode": "verify", "replay_trace": "4bf92f3577b34da6a3ce929d0e0e4736"}
SAMPLES: Mapping[Kind, tuple[Mapping[str, Any], Mapping[str, Any] | None]] = {
    Kind.DISPATCHED: ({"attempt": 1, "owner": "engine-1", "first_sent_at": 1_700_000_001.0}, None),
    Kind.SUCCEEDED: ({}, {"value": {"ok": True, "text": "grüß"}}),
    Kind.NOT_APPLIED: ({"code": "DEPENDENCY_FAILED", "attempt": 1, "retry_after": 2.5}, {"message": "refused"}),
    Kind.IN_DOUBT: ({"code": "IN_DOUBT", "attempt": 1, "doubtful": True}, {"message": "the connection broke off"}),
    Kind.RETRY_SCHEDULED: ({"attempt": 1, "code": "IN_DOUBT", "wait": 0.25, "not_before": 1_700_000_002.0}, None),
    Kind.DEFERRED: ({"code": "CIRCUIT_OPEN", "dependency": "crm", "waiting_for": "CIRCUIT_OPEN"}, None),
    Kind.HELD: ({"code": "TOOL_UNREGISTERED", "waiting_for": "TOOL_UNREGISTERED"}, None),
    Kind.FORCED: (
        {
            "by": "user:b",
            "until": 1_700_000_300.0,
            "contract": "0" * 64,
            "overrode": [{"dependency": "crm", "state": "unhealthy"}],
        },
        {"reason": "checked by hand"},
    ),
    Kind.FAILED: ({"code": "RETRY_EXHAUSTED"}, {"message": "three attempts"}),
    Kind.CANCEL_REQUESTED: ({"by": "user:a", "cancel_requested": True}, {"reason": "not needed"}),
    Kind.CANCELLED: ({"code": "CANCELLED", "by": "user:a"}, {"message": "not needed"}),
    Kind.APPROVAL_REQUESTED: ({"approval": _APPROVAL}, None),
    Kind.APPROVAL_GIVEN: ({"by": "user:b", "channel": "rest"}, None),
    Kind.APPROVAL_WITHDRAWN: ({"by": "user:b"}, None),
    Kind.RESOLUTION_PROPOSED: ({"verdict": "confirmed_applied", "by": "user:b"}, {"evidence": "seen in the CRM"}),
    Kind.REPLAY_REQUESTED: (
        {**_REPLAY, "linked_trace": "0af7651916cd43dd8448eb211c80319c"},
        {"replay_reason": "audit 17"},
    ),
    Kind.REPLAY_STARTED: (_REPLAY, None),
    Kind.REPLAY_COMPLETED: ({"result": "verified", "state_hash": "0" * 64}, None),
    Kind.REPLAY_FAILED: ({"cause": "gate", "refusal": "KILL_SWITCH_ACTIVE"}, {"detail": "stopped by ops"}),
    Kind.REEXECUTED: ({"by": "user:b", "proof": "not_applied", "attempts_max": 3, "lookups": 0}, None),
    Kind.ADOPTED: ({"owner": "engine-2", "adopted_from": "engine-1"}, None),
}


def write_history(folder: Path) -> None:
    """Write the history of the installed version into the new folder `folder`. Raises `FileExistsError`."""
    folder.mkdir(parents=True)
    for name, content in asyncio.run(history()).items():
        (folder / name).write_bytes(content)


async def history() -> dict[str, bytes]:
    """Return the files of a history by name: exports, and the state that they fold to."""
    happened = _History()
    chains = await happened.chains()
    fields = sorted(set(Intent.__struct_fields__) - UNFOLDED)
    described = {
        name: {"files": files, **await described_state([happened.files[file] for file in files], fields)}
        for name, files in chains.items()
    }
    state = {"release": version("switchgear"), "key": str(KEY.public), "fields": fields, "chains": described}
    return {**happened.files, STATE_FILE: (json.dumps(state, indent=2) + "\n").encode()}


async def described_state(files: Sequence[bytes], fields: Sequence[str]) -> dict[str, Any]:
    """Return what a chain in `files`, oldest first, folds to: its head, its intents, and the hash of their `fields`."""
    streams: dict[str, list[Entry]] = {}
    head = None
    for content in files:
        reader = ExportReader(content.decode().splitlines())
        for entry in reader:
            streams.setdefault(entry.stream, []).append(entry)
        head = reader.head
    assert head is not None, "the newest file is cut off"
    state = StateHash()
    intents = [name for name in sorted(streams) if name.startswith("int_")]
    for name in intents:
        state.add(name, await _state_of(streams[name], fields))
    return {"head": head.hash.hex(), "intents": len(intents), "state_hash": state.hexdigest()}


async def _state_of(entries: Sequence[Entry], fields: Sequence[str]) -> bytes:
    async def stream() -> Any:  # noqa: ANN401 - an asynchronous iterator of entries
        for entry in entries:
            yield entry

    intent = await folded(stream())
    assert intent is not None, "a history has every intent from its birth on"
    return canonical_json({name: msgspec.to_builtins(getattr(intent, name)) for name in fields})


class _History:
    """One store in which everything happens once."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        rng = random.Random(1)
        self.ids = IdSource(self.clock, rng)
        self.encoder = EventEncoder(rng.randbytes)
        self.store = MemoryStore(seal)
        self.files: dict[str, bytes] = {}
        self.recorder = Recorder(self.store, clock=self.clock, ids=self.ids, owner="engine-1", encoder=self.encoder)
        signer = Checkpointer(self.store, KEY, clock=self.clock, ids=self.ids, encoder=self.encoder)
        self.keeping = LedgerKeeping(
            self.store, clock=self.clock, ids=self.ids, encoder=self.encoder, checkpointer=signer
        )

    async def chains(self) -> dict[str, list[str]]:
        """Let it happen; return the names of each chain's files, oldest first."""
        lives = [await self._live("acme", kind) for kind in TRANSITIONS]
        done = next(life for life in lives if life.state is State.SUCCEEDED)
        await self.keeping.erase(_operator("acme"), done.id, reason="request 17")
        await self.keeping.sign(_operator("acme"))
        await self._platform()
        return {
            "acme": [await self._export("acme", "acme.jsonl")],
            "globex": await self._archived(),
            PLATFORM_TENANT: [await self._export(PLATFORM_TENANT, "platform.jsonl")],
        }

    async def _live(self, tenant: str, last: Kind) -> Intent:
        """Record one intent that comes to the event `last`, each event in an append of its own."""
        intent = await self.recorder.accept(self.recorder.draft(self._birth(tenant)))
        for change in _way_to(last, intent):
            self.clock.advance(1.0)
            intent = await self.recorder.record(intent, (change,), actor="engine")
        return intent

    def _birth(self, tenant: str) -> Birth:
        intent_id = self.ids.next("int")
        facts = {
            "id": intent_id,
            "tenant": tenant,
            "account": "main",
            "actor": "service:orders",
            "tool": "crm.update_contact",
            "effect": "keyed",
            "contract": "0" * 64,
            "digest": _DIGEST,
            "key": f"key-{intent_id[-6:]}",
            "attempts_max": 3,
            "key_retention": 86_400.0,
            "deadline_at": _FOREVER,
            "trace": "0af7651916cd43dd8448eb211c80319c",
            "correlation": intent_id,
        }
        return Birth(facts, {"arguments": {"email": "a@b.c"}})

    async def _platform(self) -> None:
        transitions = TransitionLog(self.store, clock=self.clock, ids=self.ids, encoder=self.encoder)
        for kind in _BREAKER_KINDS:
            transitions.note("crm", kind, {"failures": 3})
        await transitions.stop()

    async def _archived(self) -> list[str]:
        """Return the segment and the rest of a chain whose beginning was archived."""
        for kind in (Kind.SUCCEEDED, Kind.CANCELLED):
            await self._live("globex", kind)
        operator = _operator("globex")
        possible = await self.keeping.archivable(operator, before=3)
        segment = await self._export("globex", "globex-1.jsonl", possible.last_seq)
        sha256 = hashlib.sha256(self.files[segment]).hexdigest()
        await self.keeping.archive(operator, last_seq=possible.last_seq, hash=possible.hash, sha256=sha256)
        return [segment, await self._export("globex", "globex-2.jsonl")]

    async def _export(self, tenant: str, file: str, last_seq: int | None = None) -> str:
        lines = [line async for line in export_lines(self.store, tenant, last_seq=last_seq)]
        self.files[file] = ("\n".join(lines) + "\n").encode()
        return file


def _operator(tenant: str) -> Principal:
    permissions = frozenset(LedgerKeeping.permissions.tenant)
    return Principal(tenant, "user:ops", frozenset({"main"}), permissions)


def _way_to(last: Kind, intent: Intent) -> list[Change]:
    """Return the fewest changes from `intent` to the event `last`."""
    if last is Kind.ACCEPTED:
        return []
    waiting: deque[tuple[Intent, list[Change]]] = deque([(intent, [])])
    seen = {(intent.state, intent.replaying)}
    while waiting:
        stands, way = waiting.popleft()
        for kind in (last, *TRANSITIONS):
            found = _after(stands, kind)
            if found is not None and kind is last:
                return [*way, _change(kind)]
            if found is not None and (found.state, found.replaying) not in seen:
                seen.add((found.state, found.replaying))
                waiting.append((found, [*way, _change(kind)]))
    raise RuntimeError(f"no way leads to {last}")


def _after(intent: Intent, kind: Kind) -> Intent | None:
    try:
        return evolve(intent, _change(kind), intent.updated_at)
    except IllegalTransitionError:
        return None


def _change(kind: Kind) -> Change:
    facts, payload = SAMPLES.get(kind, ({}, None))
    return Change(kind, dict(facts), None if payload is None else dict(payload))


def main(arguments: Sequence[str]) -> int:
    """Write the history of this release. Return 1 when it is there already."""
    folder = Path(arguments[0]) if arguments else FOLDER / version("switchgear")
    try:
        write_history(folder)
    except FileExistsError:
        print(f"{folder} is there already: a released history is never written again")
        return 1
    print(f"wrote {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
