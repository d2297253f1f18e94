"""What became of a doubt, as every surface shows it: who said so or what found out, on which evidence, what is awaited.

Both a first person's word that waits for a second one and the end of the doubt are on record with the intent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchgear.execution.intent import Conclusion, Intent, Resolution
from switchgear.execution.resolving import SECOND_PERSON


@dataclass(frozen=True, slots=True, kw_only=True)
class WordView:
    """What one person said: who, when in seconds since the epoch, on which evidence. None: that was erased."""

    by: str
    at: float
    evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtView:
    """The doubt that it was about: `since` when, in seconds since the epoch, with which code, in which words."""

    since: float | None
    code: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionView:
    """What became of an action in doubt: `verdict` is "applied", "not_applied" or "abandon".

    `awaits` is "second_person" while it is the proposal of a first person and counts for nothing yet; None once it
    counts. `by` is who said it, None where the intent `lookup` found it out. `at` is seconds since the epoch,
    `evidence` the reason that was given; None when it was erased. `first` is what the first person had said, where two
    were needed. `proposed_value` is that of a proposal; once it counts, the intent's own `value` is the outcome.
    """

    verdict: str
    awaits: str | None
    by: str | None
    at: float
    evidence: str | None
    proposed_value: Any
    lookup: str | None
    first: WordView | None
    doubt: DoubtView


def resolution_view(intent: Intent) -> ResolutionView | None:
    """Return what became of the newest doubt about `intent`; None while nobody has said and nothing has found out."""
    if intent.resolution is not None:
        return _awaiting(intent, intent.resolution)
    return None if intent.conclusion is None else _concluded(intent.conclusion)


def _awaiting(intent: Intent, first: Resolution) -> ResolutionView:
    return ResolutionView(
        verdict=first.verdict,
        awaits=SECOND_PERSON,
        by=first.by,
        at=first.at,
        evidence=first.evidence,
        proposed_value=first.value,
        lookup=None,
        first=None,
        doubt=DoubtView(since=intent.doubt_since, code=intent.code, message=intent.message),
    )


def _concluded(end: Conclusion) -> ResolutionView:
    return ResolutionView(
        verdict=end.verdict,
        awaits=None,
        by=end.by,
        at=end.at,
        evidence=end.evidence,
        proposed_value=None,
        lookup=end.lookup,
        first=_word(end.first),
        doubt=DoubtView(since=end.since, code=end.code, message=end.message),
    )


def _word(said: Resolution | None) -> WordView | None:
    return None if said is None else WordView(by=said.by, at=said.at, evidence=said.evidence)
