"""Reads ``[dependencies.NAME]``: what is known of something that tools require, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from switchgear.assembly.configuration.probe_making import made
from switchgear.assembly.configuration.probing import PROBES, DeclaredProbe, probe_of
from switchgear.assembly.configuration.problems import Part, Problems
from switchgear.assembly.configuration.sections import DependencyTable
from switchgear.connectors.credentials import Reference
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
from switchgear.health.dependency import Dependency
from switchgear.health.probe import Probe

NOT_OPTIONS = frozenset({"guard", "kind", "probe"})
"""Keys of the table that are no options of `Dependency`."""
_LATE_BY = 2


@dataclass(frozen=True, slots=True)
class DeclaredDependency:
    """A dependency whose health is known, and its probe; None where only its traffic says how it stands."""

    dependency: Dependency
    probe: DeclaredProbe | None

    def build_probe(self, read: Callable[[Reference], str], *, clock: Clock = SYSTEM_CLOCK) -> Probe | None:
        """Return its probe, made anew, None when it has none. `read` returns what a reference stands for.

        Raises `OptionError` for options that cannot work, and where a client is not installed.
        """
        if self.probe is None:
            return None
        return made(self.probe, read, seconds=self.dependency.probe_timeout, clock=clock)


def dependency_of(name: str, table: DependencyTable, folder: Path, problems: Problems) -> DeclaredDependency | None:
    """Return what a table declares; None without a kind, and after adding what is wrong to `problems`."""
    key = ("dependencies", name)
    if table.kind is None:
        _check_needs_no_kind(table, key, problems)
        return None
    before = len(problems.found)
    dependency = _dependency(name, table, key, problems)
    probe = probe_of(table.kind, table.probe, folder, (*key, "probe"), problems)
    if probe is not None:
        seconds = table.probe_timeout if dependency is None else dependency.probe_timeout
        _check_probe(probe, seconds, (*key, "probe"), problems)
    return None if dependency is None or len(problems.found) > before else DeclaredDependency(dependency, probe)


def look_at_probe(name: str, table: DependencyTable, folder: Path, problems: Problems) -> None:
    """Add what is wrong with the probe of a table that is wrong elsewhere, so that all is told at once."""
    key = ("dependencies", name, "probe")
    if table.kind is None or problems.told_of(key):
        return
    probe = probe_of(table.kind, table.probe, folder, key, problems)
    if probe is not None:
        _check_probe(probe, table.probe_timeout, key, problems)


def _check_probe(probe: DeclaredProbe, seconds: float, key: Sequence[Part], problems: Problems) -> None:
    try:
        made(probe, str, seconds=seconds, clock=SYSTEM_CLOCK)  # opens nothing, reads no secret, finds what cannot work
    except OptionError as error:
        problems.add(key, error.message)
    except TypeError as error:  # what cannot be called as a probe
        problems.add(key, str(error))


def _check_needs_no_kind(table: DependencyTable, key: Sequence[Part], problems: Problems) -> None:
    if others := sorted(table.model_fields_set - {"guard"}):
        kinds = ", ".join(sorted(PROBES))
        problems.add((*key, "kind"), f"is missing, and {others[0]} needs it", f"write kind, one of {kinds}")


def _dependency(name: str, table: DependencyTable, key: Sequence[Part], problems: Problems) -> Dependency | None:
    options = {option: getattr(table, option) for option in type(table).model_fields if option not in NOT_OPTIONS}
    try:
        return Dependency(name, kind=str(table.kind), **options)
    except OptionError as error:
        wrong = error.message.partition("; write")[0]
        if "(freshness)" not in wrong:
            problems.add(key, wrong)
            return None
        late = table.probe_every * (1 + table.jitter) + table.probe_timeout
        problems.add(
            (*key, "freshness"),
            wrong.removeprefix("Dependency(freshness) "),
            f"write for example freshness = {_LATE_BY * late:g}",
        )
        return None
