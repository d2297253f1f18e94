"""The envelope: what is hashed, what stands beside it, and what cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from msgspec import structs

from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError
from switchgear.core.scope import Scope
from switchgear.ledger.events import Context, EventEncoder, Recorded, decoded, payload_digest, read
from switchgear.storage.abilities import GENESIS, Entry, Event

SCOPE = Scope("acme", "main", "service:orders")


def entry_of(event: Event) -> Entry:
    """Return the event as a store would give it back."""
    return Entry(7, "acme", 3, GENESIS, GENESIS, "app_1", event.stream, event.body, event.payload)


def recorded_event(**more: object) -> Event:
    """Record one event of everything."""
    encoder = EventEncoder(bytes)
    return encoder.encode(
        "dispatched",
        stream="int_1",
        scope=SCOPE,
        at=1.5,
        facts={"attempt": 1},
        payload={"email": "a@b.c"},
        context=Context("t", "c", "k"),
        **more,  # type: ignore[arg-type] # keyword by name
    )


def test_the_body_has_the_documented_members_in_order() -> None:
    """The JSON that is hashed is stable: any change of it is a new version of an event."""
    event = recorded_event()
    assert event.payload is not None
    assert event.body == (
        b'{"stream":"int_1","type":"dispatched","version":1,"at":1.5,"actor":"service:orders","account":"main",'
        b'"trace":"t","correlation":"c","causation":"k","facts":{"attempt":1},"payload_digest":"'
        + payload_digest(event.payload).encode()
        + b'"}'
    )


def test_what_was_recorded_is_read_back() -> None:
    """Reading gives every member, decoded."""
    found = decoded(entry_of(recorded_event(version=2)))
    assert (found.tenant, found.seq, found.position, found.append_id) == ("acme", 3, 7, "app_1")
    assert (found.stream, found.type, found.version, found.at) == ("int_1", "dispatched", 2, 1.5)
    assert (found.actor, found.account, found.context) == ("service:orders", "main", Context("t", "c", "k"))
    assert (found.facts, found.payload, found.erased) == ({"attempt": 1}, {"email": "a@b.c"}, False)


def test_users_data_is_never_in_the_hashed_body() -> None:
    """A payload can be erased for good: the body holds a salted digest of it, and nothing to guess it from."""
    one, two = EventEncoder(), EventEncoder()
    events = [encoder.encode("x", stream="s", scope=SCOPE, at=0, payload={"pin": "1234"}) for encoder in (one, two)]
    assert all(b"1234" not in event.body for event in events)
    assert events[0].body != events[1].body, "the salt hides that two payloads are the same"


def test_an_erased_payload_is_told_from_none() -> None:
    """After erasure the event reads on, and says that something is gone."""
    erased = read(structs.replace(entry_of(recorded_event()), payload=None))
    assert (erased.payload, erased.erased) == (None, True)
    none = read(entry_of(EventEncoder().encode("x", stream="s", scope=SCOPE, at=0)))
    assert (none.payload, none.erased) == (None, False)


def test_salts_are_drawn_many_at_once_and_never_twice() -> None:
    """One call of the system serves 256 events; each has bytes of its own."""
    calls: list[int] = []

    def entropy(count: int) -> bytes:
        calls.append(count)
        return b"".join(number.to_bytes(16, "big") for number in range(len(calls) * 1000, len(calls) * 1000 + 256))

    encoder = EventEncoder(entropy)
    payloads = [encoder.encode("x", stream="s", scope=SCOPE, at=0, payload={}).payload for _ in range(300)]
    assert calls == [4096, 4096]
    assert len(set(payloads)) == 300


@pytest.mark.parametrize("payload", [{"x": object()}, {"x": "\ud800"}])
def test_what_does_not_fit_into_json_is_refused(payload: dict[str, object]) -> None:
    """The refusal is the caller's mistake, not a defect."""
    with pytest.raises(Invalid, match="JSON"):
        EventEncoder().encode("x", stream="s", scope=SCOPE, at=0, payload=payload)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"body": b"{"}, "cannot be decoded"),
        ({"body": b"\xff"}, "cannot be decoded"),
        ({"body": b"[]"}, "cannot be decoded"),
        ({"body": b'{"stream":"int_1"}'}, "cannot be decoded"),
        ({"stream": "int_2"}, "stands in stream 'int_2'"),
        ({"payload": bytes(16) + b"{}"}, "does not match its digest"),
        ({"payload": b""}, "does not match its digest"),
    ],
)
def test_a_damaged_entry_is_named(change: dict[str, bytes], words: str) -> None:
    """LEDGER_CORRUPT with tenant and sequence, whatever is wrong with the entry."""
    entry = structs.replace(entry_of(recorded_event()), **change)
    with pytest.raises(StoreError, match=words) as raised:
        read(entry)
    assert raised.value.code is Code.LEDGER_CORRUPT
    assert "entry 3 of tenant 'acme'" in str(raised.value)


def test_a_payload_out_of_nowhere_is_named() -> None:
    """A payload that the body knows nothing of was put there later."""
    plain = entry_of(EventEncoder().encode("x", stream="s", scope=SCOPE, at=0))
    with pytest.raises(StoreError, match="knows of none"):
        read(structs.replace(plain, payload=b"{}"))


def test_the_envelope_is_one_object_of_json() -> None:
    """Any JSON parser reads a body; nothing of ours is needed."""
    assert json.loads(recorded_event().body)["facts"] == {"attempt": 1}


def renamed(event: Recorded) -> Recorded:
    """Lift version 1 to 2: a fact has another name."""
    return replace(event, facts={"try": event.facts["attempt"]})


def moved(event: Recorded) -> Recorded:
    """Lift version 2 to 3: the mail stands deeper, where there is one."""
    return event if event.payload is None else replace(event, payload={"contact": dict(event.payload)})


TABLE = {"dispatched": (renamed, moved)}


@pytest.mark.parametrize(
    ("version", "facts"),
    [(1, {"try": 1}), (2, {"attempt": 1}), (3, {"attempt": 1})],
)
def test_old_events_are_lifted_step_by_step(version: int, facts: dict[str, object]) -> None:
    """What an older release wrote is read in today's form; what is stored stays as it was."""
    entry = entry_of(recorded_event(version=version))
    found = read(entry, TABLE)
    assert (found.version, found.facts) == (3, facts)
    assert found.payload == ({"email": "a@b.c"} if version == 3 else {"contact": {"email": "a@b.c"}})
    assert decoded(entry).version == version


def test_an_erased_payload_is_lifted_too() -> None:
    """An upcaster meets events whose data is gone, and leaves it gone."""
    found = read(structs.replace(entry_of(recorded_event()), payload=None), TABLE)
    assert (found.version, found.erased) == (3, True)


@pytest.mark.parametrize(("version", "words"), [(4, "written by a newer release"), (0, "versions count from 1")])
def test_events_of_a_newer_release_are_refused_in_words(version: int, words: str) -> None:
    """Guessing what a newer release meant would fold a wrong state; its chain can be verified all the same."""
    entry = entry_of(recorded_event(version=version))
    with pytest.raises(StoreError, match=words) as raised:
        read(entry, TABLE)
    assert raised.value.code is Code.LEDGER_CORRUPT
    assert decoded(entry).version == version


def test_events_are_written_in_their_newest_version() -> None:
    """A type that never changed is at version 1."""
    assert read(entry_of(recorded_event())).version == 1


def test_nesting_without_end_is_a_finding() -> None:
    """A body that is deeper than any reader goes is damage, not a crash."""
    deep = b"[" * 100_000 + b"]" * 100_000
    body = recorded_event().body.replace(b'{"attempt":1}', b'{"attempt":' + deep + b"}")
    with pytest.raises(StoreError, match="cannot be decoded"):
        read(structs.replace(entry_of(recorded_event()), body=body))
