"""Folding a whole tenant again: what is damaged is named with its code, and never hides or stops the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from switchgear import Switchgear
from switchgear.execution.refold import Refold
from switchgear.storage.abilities import Entry, Store


class Damaged:
    """A store whose entries of one stream come back changed."""

    def __init__(self, store: Store, stream: str, body: bytes) -> None:
        """Give `body` for the last entry of `stream`."""
        self._store, self._damaged, self._body = store, stream, body

    def __getattr__(self, name: str) -> object:
        """Everything else is the store's own."""
        return getattr(self._store, name)

    async def stream(self, tenant: str, stream: str, *, after_position: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return the entries, the last one changed."""
        found = list(await self._store.stream(tenant, stream, after_position=after_position, limit=limit))
        if stream == self._damaged and found:
            found[-1] = replace(found[-1], body=self._body, payload=None)
        return found


NEWER = (
    b'{"stream":"%b","type":"intent.succeeded","version":9,"at":1.0,"actor":"a","account":"a","trace":"",'
    b'"correlation":"","causation":"","facts":{},"payload_digest":null}'
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xff", "cannot be folded: LEDGER_CORRUPT"),
        (b"", "cannot be folded: LEDGER_CORRUPT"),
        (NEWER, "written by a newer release"),
        (NEWER.replace(b'"version":9', b'"version":1').replace(b"succeeded", b"unheard_of"), "cannot be folded"),
        (NEWER.replace(b'"version":9', b'"version":1').replace(b"intent.succeeded", b"intent.expired"), "not allowed"),
    ],
)
async def test_one_damaged_intent_does_not_stop_the_others(body: bytes, words: str) -> None:
    """It is named with what is wrong; the others are folded, compared and hashed as ever."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("text.count", effect="read_only")
        def count(call: object, text: str) -> int:
            return len(text)

        acme = gear.acting_as(tenant="acme", account="main", actor="service:orders")
        ids = []
        for text in ("a", "bb", "ccc"):
            intent = await acme.submit("text.count", {"text": text})
            await intent.result()
            ids.append(intent.id)
        plain = body.replace(b"%b", ids[1].encode())
        found = await Refold(Damaged(gear.store, ids[1], plain)).intents("acme")  # type: ignore[arg-type] # as a store
        assert (found.intents, found.different, found.first_different) == (3, 1, ids[1])
        assert found.problems[0].startswith(f"intent {ids[1]} ")
        assert words in found.problems[0]
        whole = await Refold(gear.store).intents("acme")
        assert (whole.different, whole.problems) == (0, ())
        assert whole.state_hash != found.state_hash
