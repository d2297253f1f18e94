"""Checks that a destructive tool of the file can ever run: each dependency that it requires can vouch for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from switchgear.assembly.configuration.depending import DeclaredDependency
from switchgear.assembly.configuration.problems import Part, Problems
from switchgear.assembly.configuration.remotes import Remotes
from switchgear.assembly.configuration.tooling import DeclaredTool


def check_vouching(tools: Iterable[DeclaredTool], remotes: Remotes, problems: Problems) -> None:
    """Add a problem for each dependency of a destructive tool that nothing is known of: nothing could vouch for it.

    One that is wrong itself, or that the file does not have at all, is told of where it is.
    """
    watched = {one.dependency.name for one in remotes.watched}
    for one in tools:
        for name in one.tool.requires if one.tool.destructive else ():
            if name in watched or problems.told_of(("dependencies", name)) or _is_told(one, name, remotes, problems):
                continue
            problems.add(
                ("tools", one.tool.name, "destructive"),
                f"can never be let through, since nothing vouches for {name!r}",
                f"write [dependencies.{name}] with a kind and a probe",
            )


def never_vouching(
    tools: Sequence[DeclaredTool], watched: Iterable[DeclaredDependency]
) -> Iterator[tuple[tuple[Part, ...], str]]:
    """Return each dependency of a destructive tool that can hardly ever vouch for it, with its place and the reason.

    It has no probe, so only calls say how it stands, and nothing in the file calls it but what waits for its word.
    """
    passive = {one.dependency.name for one in watched if one.probe is None}
    called = {one.tool.dependency for one in tools if not one.tool.destructive}
    for one in tools:
        for name in one.tool.requires if one.tool.destructive else ():
            if name in passive - called:
                yield ("dependencies", name, "probe"), _never(one.tool.name, name)


def _never(tool: str, name: str) -> str:
    return (
        f"there is none, and no other tool of this file calls {name!r}, so nothing ever says that it is well and "
        f"{tool!r}, which is destructive, is held for ever; write a probe, such as "
        'probe = { function = "module:function" }'
    )


def _is_told(one: DeclaredTool, name: str, remotes: Remotes, problems: Problems) -> bool:
    """Return whether it is known already that the file does not have a dependency which a tool requires."""
    return name not in remotes.declared and problems.told_of(("tools", one.tool.name, "requires"))
