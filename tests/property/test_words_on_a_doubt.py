"""Laws of what several persons say of one destructive action in doubt: any words, by anybody, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from switchgear.execution.intent import evolve
from switchgear.execution.recorder import encoded, intent_of
from switchgear.execution.resolving import Finding, Says, resolved
from switchgear.execution.transitions import Kind, State
from switchgear.storage.abilities import Row
from tests.unit.execution.test_resolving import BACKOFF, NOW, doubtful

PEOPLE = ("person:ann", "person:ben", "person:kim", "person:lou")
WORDS = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(list(Says)), st.sampled_from("xyz")), max_size=12)


@dataclass
class Model:
    """The newest word of each person; the doubt ends once two of them say the same."""

    said: dict[str, tuple[Says, str]] = field(default_factory=dict)

    def hears(self, by: str, says: Says, evidence: str) -> str | None:
        """Take a word, and return who had said the same before; None when nobody had."""
        agreed = next((name for name, (said, _) in self.said.items() if name != by and said is says), None)
        self.said[by] = (says, evidence)
        return agreed


@given(words=WORDS)
def test_a_destructive_doubt_ends_with_the_first_two_who_say_the_same(words: list[tuple[str, Says, str]]) -> None:
    """Not before, and not by one person alone; every new word is on record, and what is stored is what was said."""
    model, subject = Model(), doubtful(destructive=True)
    for by, says, evidence in words:
        repeated = model.said.get(by) == (says, evidence)
        agreed = model.hears(by, says, evidence)
        changes = resolved(subject, Finding(says=says, evidence=evidence, by=by), BACKOFF, NOW, destructive=False)
        for change in changes:
            subject = evolve(subject, change, 100.0)
        assert intent_of(Row("intent", "acme", subject.id, subject.version, subject.state, encoded(subject))) == subject
        assert subject.resolution is not None
        words_now = {word.by: (word.verdict, word.evidence) for word in subject.resolution.words}
        assert words_now == {name: (str(said), why) for name, (said, why) in model.said.items()}
        assert subject.resolution.ended is (agreed is not None)
        if agreed is not None:
            settling = next(change for change in changes if "resolved_by" in change.facts)
            assert (settling.facts["resolved_by"], settling.facts["proposed_by"]) == (by, agreed)
            return
        proposed = [change for change in changes if change.kind is Kind.RESOLUTION_PROPOSED]
        assert (subject.state, len(proposed)) == (State.NEEDS_OPERATOR, 0 if repeated else 1)
        assert len(words_now) <= len(Says)
