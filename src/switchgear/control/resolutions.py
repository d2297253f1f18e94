"""What became of a doubt, as every surface shows it: who said so or what found out, on which evidence, what is awaited.

Both the words of persons that do not count yet and the end of the doubt are on record with the intent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchgear.execution.intent import AGREEMENT, SECOND_PERSON, Intent, Resolution, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class WordView:
    """What one person said: who, what, when in seconds since the epoch, on which evidence. None: that was erased.

    `proposed_value` is the outcome that it would keep, until the doubt has ended.
    """

    by: str
    verdict: str
    at: float
    evidence: str | None
    proposed_value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtView:
    """The doubt that it was about: `since` when, in seconds since the epoch, with which code, in which words."""

    since: float | None
    code: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionView:
    """What became of an action in doubt: `verdict` is "applied", "not_applied" or "abandon".

    `awaits` is None once it counts. It is "second_person" while one person has said it and another one has to say the
    same, and "agreement" while persons say different things: then there is no verdict. `next_step` says who has to do
    what then. `words` is what persons have said, the oldest first and the newest word of each. `by`, `evidence` and
    `proposed_value` are those of the word that counts, or would: None in a disagreement, and where the intent `lookup`
    found it out; evidence that was erased is None as well. `at` is when it was said last, in seconds since the epoch.
    Once it counts, the intent's own `value` is the outcome.
    """

    verdict: str | None
    awaits: str | None
    next_step: str | None
    by: str | None
    at: float
    evidence: str | None
    proposed_value: Any
    lookup: str | None
    words: list[WordView]
    doubt: DoubtView


def resolution_view(intent: Intent) -> ResolutionView | None:
    """Return what became of the newest doubt about `intent`; None while nobody has said and nothing has found out."""
    said = intent.resolution
    if said is None:
        return None
    return _ended(said) if said.ended else _awaiting(intent, said)


def _awaiting(intent: Intent, said: Resolution) -> ResolutionView:
    """Return what is said of a doubt that lasts: by one person, or differently by several."""
    agreed = not said.others
    return ResolutionView(
        verdict=said.verdict if agreed else None,
        awaits=SECOND_PERSON if agreed else AGREEMENT,
        next_step=_another_says(said) if agreed else _they_agree(said),
        by=said.by if agreed else None,
        at=said.at,
        evidence=said.evidence if agreed else None,
        proposed_value=said.value if agreed else None,
        lookup=None,
        words=[_word(word) for word in said.words],
        doubt=DoubtView(since=intent.doubt_since, code=intent.code, message=intent.message),
    )


def _ended(said: Resolution) -> ResolutionView:
    return ResolutionView(
        verdict=said.verdict,
        awaits=None,
        next_step=None,
        by=said.by,
        at=said.at,
        evidence=said.evidence,
        proposed_value=None,
        lookup=said.lookup,
        words=[_word(word, ended=True) for word in said.words],
        doubt=DoubtView(since=said.since, code=said.code, message=said.message),
    )


def _another_says(said: Resolution) -> str:
    return f"another person than {said.by} looks at the remote, and says {said.verdict} if that is so"


def _they_agree(said: Resolution) -> str:
    """Return how a disagreement ends: two persons have to say the same."""
    told = " and ".join(f"{word.by} says {word.verdict}" for word in said.words)
    return f"{told}: whoever was wrong looks again and says what is right, or another person agrees with one of them"


def _word(word: Word, *, ended: bool = False) -> WordView:
    return WordView(
        by=word.by,
        verdict=word.verdict,
        at=word.at,
        evidence=word.evidence,
        proposed_value=None if ended else word.value,
    )
