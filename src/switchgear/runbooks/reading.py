"""Opens a page, and puts it together with what the code table says. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

from switchgear.core.codes import FACTS, Code
from switchgear.runbooks.catalogue import PAGES, SECTIONS


@dataclass(frozen=True, slots=True)
class Runbook:
    """One page. `name` is that of its file, `sections` has the text under each of `SECTIONS`, in Markdown."""

    name: str
    title: str
    codes: tuple[Code, ...]
    sections: Mapping[str, str]

    def text(self, more: Mapping[str, str] = MappingProxyType({})) -> str:
        """Return the whole page as Markdown. `more` is put at the end of the sections that it names."""
        parts = [f"# {self.title}"]
        for heading, words in self.sections.items():
            parts += [f"## {heading}", words, *([more[heading]] if heading in more else [])]
        return "\n\n".join(parts) + "\n"


def runbook(name: str) -> Runbook:
    """Return the page called `name`, one of `PAGES`. Raises `KeyError` for another name."""
    codes = PAGES[name]
    source = files("switchgear.runbooks").joinpath("pages", f"{name}.md").read_text(encoding="utf-8")
    title, *written = source.split("\n## ")
    told = {heading: words.strip() for heading, _, words in (section.partition("\n") for section in written)}
    told[SECTIONS[0]] = "\n\n".join(line for code in codes for line in _meaning(code, named=len(codes) > 1))
    return Runbook(name, title.removeprefix("# ").strip(), codes, {heading: told[heading] for heading in SECTIONS})


def _meaning(code: Code, *, named: bool) -> Iterator[str]:
    """Yield what the code table says about `code`; under a heading of its own where a page has several."""
    facts = FACTS[code]
    if named:
        yield f"### {code}"
    later = "may be let in later, unchanged" if facts.decision == "defer" else "will not be let in as it is"
    yield facts.meaning
    yield f"Advice: {facts.advice}"
    answered = f"HTTP status {facts.http_status}, exit code {int(facts.exit_code)}"
    yield f"`{code}`: the request {later}. As a refusal: {answered}."
