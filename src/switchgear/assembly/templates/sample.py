"""A tool's function as small as it can be, so that a first configuration works before anything is written.

It is an example to copy, and no part of the gear.
"""

from __future__ import annotations

from switchgear.execution.contract import Call


def count_words(call: Call, text: str) -> dict[str, int | str]:
    """Return how many words `text` holds, and for which tenant they were counted."""
    return {"words": len(text.split()), "tenant": call.tenant}
